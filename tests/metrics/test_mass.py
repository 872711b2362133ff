import pytest
import torch
from hypothesis import assume, given, settings
from torch import Tensor
from torch.testing import assert_close

from attncourse.metrics import mass_inside
from tests.metrics.maps import box, refined, scored


@settings(deadline=None)
@given(case=scored())
def test_equals_the_sum_on_the_common_refinement(
    case: tuple[Tensor, Tensor],
) -> None:
    """On the least common grid both are constant in each pixel."""
    weights, masks = case
    common = (
        weights.shape[2] * masks.shape[2],
        weights.shape[3] * masks.shape[3],
    )
    fine = refined(weights, masks.shape[2], masks.shape[3])
    key = refined(masks, weights.shape[2], weights.shape[3])
    assert fine.shape[2:] == key.shape[2:] == common
    inside = (fine * key).sum((1, 2, 3)) / fine.sum((1, 2, 3))
    assert_close(mass_inside(weights, masks), inside)


@settings(deadline=None)
@given(case=scored())
def test_mass_and_its_complement_share_one(
    case: tuple[Tensor, Tensor],
) -> None:
    weights, masks = case
    assume(not masks.flatten(1).all(1).any())
    inside, outside = (
        mass_inside(weights, masks),
        mass_inside(weights, ~masks),
    )
    assert inside.min() > 0
    assert inside.max() < 1
    assert_close(inside + outside, torch.ones_like(inside))


@settings(deadline=None)
@given(case=scored())
def test_a_flat_map_scores_the_area(case: tuple[Tensor, Tensor]) -> None:
    weights, masks = case
    area = masks.double().mean((1, 2, 3))
    assert_close(mass_inside(torch.ones_like(weights), masks), area)


@settings(deadline=None)
@given(case=scored())
def test_the_scale_of_a_map_does_not_count(
    case: tuple[Tensor, Tensor],
) -> None:
    weights, masks = case
    assert_close(mass_inside(37 * weights, masks), mass_inside(weights, masks))


def test_a_planted_peak_scores_one() -> None:
    weights = torch.zeros(1, 1, 15, 15)
    weights[0, 0, 3, 5] = 0.7
    inside = box((60, 60), slice(12, 16), slice(20, 24))
    assert mass_inside(weights, inside).item() == 1
    assert mass_inside(weights, ~inside).item() == 0


def test_a_cell_across_the_edge_counts_in_part() -> None:
    weights = torch.tensor([[[[0.0, 1.0, 0.0]]]])
    masks = box((1, 5), slice(None), slice(2))
    assert_close(mass_inside(weights, masks), torch.tensor([1 / 5]))


def test_heads_are_added_up() -> None:
    weights = torch.zeros(1, 2, 1, 2)
    weights[0, 0, 0, 0], weights[0, 1, 0, 1] = 3, 1
    masks = box((1, 2), slice(None), slice(1))
    assert_close(mass_inside(weights, masks), torch.tensor([0.75]))


def test_samples_are_scored_alone() -> None:
    weights, masks = torch.rand(5, 1, 7, 11), torch.rand(5, 1, 13, 17) < 0.5
    alone = [
        mass_inside(weights[i : i + 1], masks[i : i + 1]) for i in range(5)
    ]
    assert_close(mass_inside(weights, masks), torch.cat(alone))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_single(dtype: torch.dtype) -> None:
    weights = torch.full((1, 1, 101, 103), 0.01, dtype=dtype)
    masks = box((101, 103), slice(53), slice(None))
    inside = mass_inside(weights, masks)
    assert inside.dtype == torch.float32
    assert_close(inside, torch.tensor([53 / 101]))


def test_gradients_reach_the_weights() -> None:
    weights = torch.rand(2, 1, 3, 5, dtype=torch.float64, requires_grad=True)
    masks = box((7, 11), slice(2, 5), slice(3, 7), batch=2)
    assert torch.autograd.gradcheck(
        lambda maps: mass_inside(maps, masks), weights
    )


def test_a_map_without_mass_is_refused() -> None:
    weights = torch.ones(3, 1, 5, 7)
    weights[1] = 0
    with pytest.raises(ValueError, match=r"weights must have some mass.* 1"):
        mass_inside(weights, box((5, 7), slice(2), slice(3), batch=3))
