from functools import partial

import pytest
import torch
from torch.testing import assert_close

from attncourse.scenes import ViewedDigits
from attncourse.trials import Budget, claim, load
from attncourse.trials.claims.saliency import ARMS, prepare, run
from attncourse.trials.local import attempt

pytestmark = pytest.mark.lengthy

BUDGET = Budget(scenes=37, epochs=1, test_scenes=7, batch_size=11)


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_gives_a_density(arm: str) -> None:
    seen = ViewedDigits(13).draw()
    model = ARMS[arm].build()
    prepare(model, seen, BUDGET, seed=0, blind=False)
    maps = model(seen.images)
    assert maps.shape == (13, 1, 64, 64)
    assert maps.min() >= 0
    assert_close(maps.sum((1, 2, 3)), torch.ones(13))


def test_a_learnt_centre_costs_two_parameters() -> None:
    plain, biased = (
        sum(p.numel() for p in ARMS[arm].build().parameters())
        for arm in ("network", "network+centre")
    )
    assert biased == plain + 2


def test_the_middle_says_the_same_of_every_image() -> None:
    seen = ViewedDigits(13).draw()
    model = ARMS["centre"].build()
    prepare(model, seen, BUDGET, seed=0, blind=False)
    maps = model(seen.images)
    assert torch.equal(maps[0], maps[5])
    middle = maps[0, 0, 24:40, 24:40].sum()
    assert middle > 2 * 16**2 / 64**2


def test_a_short_run_gives_all_metrics_and_repeats() -> None:
    metrics = run("network", seed=2, budget=BUDGET)
    names = {"auc", "shuffled_auc", "nss", "cc", "kl", "sim", "mass"}
    assert set(metrics) == names | {"mass_blobs", "drop_shuffled"}
    assert metrics == run("network", seed=2, budget=BUDGET)


@pytest.mark.slow
def test_a_recorded_run_repeats() -> None:
    record = load("saliency")
    case = claim("saliency")
    again = attempt(partial(case.run, budget=case.full.budget), "network", 0)
    for metric in case.metrics:
        series = record.arms["network"].metrics[metric]
        margin = max(series.std, 0.001)
        low, high = min(series) - margin, max(series) + margin
        assert low <= again.metrics[metric] <= high, metric
