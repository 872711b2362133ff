import pytest
import torch
from torch.testing import assert_close

from attncourse.data import ViewedDigits
from attncourse.trials import Budget
from attncourse.trials.setups.saliency import VARIANTS, run

pytestmark = pytest.mark.lengthy

BUDGET = Budget(scenes=37, epochs=1, test_scenes=7, batch_size=11)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_gives_a_density(variant: str) -> None:
    seen = ViewedDigits(13).draw()
    model = VARIANTS[variant].build()
    VARIANTS[variant].prepare(model, seen, BUDGET, 0)
    maps = model(seen.images)
    assert maps.shape == (13, 1, 64, 64)
    assert maps.min() >= 0
    assert_close(maps.sum((1, 2, 3)), torch.ones(13))


def test_a_learnt_centre_costs_two_parameters() -> None:
    plain, biased = (
        sum(p.numel() for p in VARIANTS[variant].build().parameters())
        for variant in ("network", "network+centre")
    )
    assert biased == plain + 2


def test_the_middle_says_the_same_of_every_image() -> None:
    seen = ViewedDigits(13).draw()
    model = VARIANTS["centre"].build()
    VARIANTS["centre"].prepare(model, seen, BUDGET, 0)
    maps = model(seen.images)
    assert torch.equal(maps[0], maps[5])
    middle = maps[0, 0, 24:40, 24:40].sum()
    assert middle > 2 * 16**2 / 64**2


def test_a_short_run_gives_all_metrics_and_repeats() -> None:
    metrics = run("network", seed=2, budget=BUDGET)
    names = {"auc", "shuffled_auc", "nss", "cc", "kl", "sim", "mass"}
    assert set(metrics) == names | {"mass_blobs", "drop_shuffled"}
    assert metrics == run("network", seed=2, budget=BUDGET)
