import pytest
import torch
from torch.testing import assert_close

from attncourse.metrics import cost
from attncourse.trials import Budget
from attncourse.trials.setups.residual_attention import (
    run,
    shuffled_positions,
    with_masks_replaced,
)
from tests.trials.standins import size

pytestmark = pytest.mark.lengthy


@pytest.fixture(scope="module")
def models(seeded):
    return seeded("one-plus-mask")


def test_the_longer_trunk_does_as_much_work_as_four_masks(models):
    images = torch.zeros(1, 1, 32, 32)
    work = {
        variant: cost(models[variant], images, repeats=1).multiply_adds
        for variant in ("residual_x4", "longer_trunk")
    }
    ratio = work["longer_trunk"] / work["residual_x4"]
    assert ratio == pytest.approx(1, abs=0.02)


def test_both_forms_start_from_the_same_weights(models):
    for depth in (1, 4):
        naive, residual = (
            models[f"naive_x{depth}"],
            models[f"residual_x{depth}"],
        )
        assert size(naive) == size(residual)
        pairs = zip(naive.parameters(), residual.parameters(), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)


def test_a_mask_of_zero_leaves_the_trunk(models):
    images = torch.rand(3, 1, 32, 32)
    model = models["residual_x4"]
    closed = with_masks_replaced(model, torch.zeros_like)
    maps = model.stem(images)
    trunk = maps
    for module in model.modules_in_a_row:
        trunk = module.trunk(trunk)
    assert_close(closed.modules_in_a_row(maps), trunk)
    same = with_masks_replaced(model, lambda mask: mask)
    assert_close(same(images), model(images))


def test_growth_falls_with_the_product_and_rises_with_one_more(models):
    images = torch.rand(8, 1, 32, 32)
    naive, trunk, residual = (
        models[f"{name}_x4"].growth(images)
        for name in ("naive", "trunk", "residual")
    )
    assert naive < trunk < residual


def test_shuffled_masks_keep_their_values():
    mask = torch.rand(3, 5, 7, 4)
    moved = shuffled_positions(mask)
    assert not torch.equal(moved, mask)
    assert_close(moved.flatten(2).sort().values, mask.flatten(2).sort().values)


def test_a_short_run_gives_all_metrics():
    budget = Budget(scenes=83, epochs=1, test_scenes=37)
    metrics = run("residual_x1", seed=2, budget=budget)
    assert set(metrics) == {
        "accuracy",
        "growth",
        "growth_at_start",
        "mass",
        "area",
        "pointing",
        "drop_shuffled",
    }
    assert metrics == run("residual_x1", seed=2, budget=budget)
    assert "mass" not in run("trunk_x1", seed=2, budget=budget)
