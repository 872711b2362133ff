"""What lesson 9 says of its recorded trials, of gradients and of costs."""

import pytest
import torch

from attncourse import metrics, trials
from attncourse.attention import ResidualAttention
from attncourse.trials import Record

MASKED = ("naive_x1", "residual_x1", "naive_x4", "residual_x4")


@pytest.fixture(scope="module")
def masks() -> Record:
    return trials.load("one-plus-mask")


@pytest.fixture(scope="module")
def scales() -> Record:
    return trials.load("scale-attention")


def test_verdicts_on_masks(masks: Record) -> None:
    predictions = trials.claim("one-plus-mask").predictions
    assert [p.verdict(masks) for p in predictions] == [
        "supported",
        "refuted",
        "not settled",
        "supported",
        "not settled",
    ]


def test_the_longer_trunk_has_as_much_work(masks: Record) -> None:
    work = {k: v.multiply_adds for k, v in masks.variants.items()}
    assert work["longer_trunk"] == pytest.approx(work["residual_x4"], rel=0.02)
    count = {k: v.parameters for k, v in masks.variants.items()}
    assert count["naive_x4"] == count["residual_x4"]


def test_training_is_short(masks: Record) -> None:
    for variant in masks.variants.values():
        assert variant.metrics["accuracy"].mean < 0.7


def test_masks_take_part_and_do_not_point(masks: Record) -> None:
    for variant in MASKED:
        found = masks.variants[variant].metrics
        assert found["mass"].mean < found["area"].mean
    for variant in ("naive_x4", "residual_x4"):
        assert masks.variants[variant].metrics["drop_shuffled"].mean > 0.05


def test_growth_tells_a_naive_stack_from_its_trunk(masks: Record) -> None:
    growth = {
        name: variant.metrics["growth_at_start"].mean
        for name, variant in masks.variants.items()
    }
    assert growth["naive_x4"] < 1 < growth["trunk_x4"]
    assert growth["naive_x4"] > 2 * 0.5**4  # not the 2^-n of bare masks


def test_verdicts_on_scales(scales: Record) -> None:
    predictions = trials.claim("scale-attention").predictions
    assert predictions[0].verdict(scales) == "not settled"
    assert predictions[1].verdict(scales) == "not settled"


def test_the_fine_view_takes_most(scales: Record) -> None:
    found = scales.variants["attention"].metrics
    for metric in ("coarse_small", "coarse_large"):
        assert found[metric].mean < 0.1
    assert min(found["follows_size"]) < 0 < max(found["follows_size"])


def test_shares_exchanged_cost_a_third_and_flat_ones_nothing(
    scales: Record,
) -> None:
    found = scales.variants["attention"].metrics
    assert 0.3 < found["drop_exchanged"].mean < 0.45
    assert abs(found["drop_flat"].mean) < 0.01


def test_a_residual_layer_can_weaken_its_gradient() -> None:
    x = torch.tensor(1.0, requires_grad=True)
    y = (1 + torch.sigmoid(-4 * x)) * x
    (gradient,) = torch.autograd.grad(y, x)
    assert y > x
    assert gradient.item() == pytest.approx(0.947, abs=1e-3)


def test_the_work_of_a_mask_is_on_the_full_map() -> None:
    """Of 6.9 million multiply-adds 4.7 are two 1 x 1 convolutions."""
    layer = ResidualAttention(16)
    parts = {"small": layer.mask[0], "full": layer.mask[1:3]}
    parts["trunk"] = layer.trunk
    spent = metrics.costs(parts, torch.randn(64, 16, 12, 12), repeats=1)
    work = {name: each.multiply_adds / 1e6 for name, each in spent.items()}
    assert work["full"] == pytest.approx(4.7, abs=0.05)
    assert work["full"] + work["small"] == pytest.approx(6.9, abs=0.05)
    assert work["full"] + work["small"] > work["trunk"]
    whole = metrics.cost(layer, torch.randn(64, 16, 12, 12), repeats=1)
    assert whole.multiply_adds / spent["trunk"].multiply_adds == pytest.approx(
        2.4, abs=0.05
    )
