import pytest
import torch
from torch.testing import assert_close

from attncourse.trials import Budget
from attncourse.trials.setups.multi_scale import (
    SizedDigits,
    coarse_on_the_digit,
    equal_shares,
    exchanged,
    run,
    with_shares_replaced,
)
from tests.trials.standins import size

pytestmark = pytest.mark.lengthy


@pytest.fixture(scope="module")
def models(seeded):
    return seeded("scale-attention")


def test_the_wider_control_is_about_as_large_as_attention(models):
    attention, wider = size(models["attention"]), size(models["wider_mean"])
    assert abs(attention - wider) < 0.02 * attention
    for other in "fine", "coarse", "max":
        assert size(models[other]) == size(models["mean"])


def test_equal_shares_are_the_mean_of_the_views(models):
    images = torch.rand(3, 1, 48, 48)
    fresh = models["attention"]  # its last layer is zero
    assert_close(fresh(images), models["mean"](images))
    torch.nn.init.normal_(fresh.fusion.score.weight)
    flat = with_shares_replaced(fresh, equal_shares)
    assert_close(flat(images), models["mean"](images))
    swapped = with_shares_replaced(fresh, exchanged)
    assert not torch.allclose(swapped(images), fresh(images))
    same = with_shares_replaced(fresh, lambda shares: shares)
    assert_close(same(images), fresh(images))


def test_coarse_share_is_the_mean_over_the_places_of_the_digit(models):
    scenes = SizedDigits(7, split="test").draw()
    model = models["attention"]
    share = model.shares(scenes.images)[:, 1:]
    pixels = share.repeat_interleave(4, 2).repeat_interleave(4, 3)
    inside = (pixels * scenes.masks).sum((1, 2, 3))
    mean = inside / scenes.masks.sum((1, 2, 3))
    assert_close(coarse_on_the_digit(model, scenes), mean)


def test_a_short_run_gives_all_metrics():
    budget = Budget(scenes=90, epochs=1, test_scenes=42)
    metrics = run("attention", seed=2, budget=budget)
    assert set(metrics) == {
        "accuracy",
        "accuracy_small",
        "accuracy_large",
        "follows_size",
        "coarse_small",
        "coarse_large",
        "drop_flat",
        "drop_exchanged",
    }
    assert metrics == run("attention", seed=2, budget=budget)
    assert "follows_size" not in run("max", seed=2, budget=budget)
