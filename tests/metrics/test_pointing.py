import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from attncourse.metrics import PointingGame, pointing_game
from tests.metrics.maps import box, refined, scored


def peak(size: tuple[int, int], *places: tuple[int, int]) -> Tensor:
    weights = torch.full((1, 1, *size), 0.1)
    for row, column in places:
        weights[0, 0, row, column] = 0.9
    return weights


@settings(deadline=None)
@given(case=scored(), tolerance=st.integers(0, 5))
def test_a_flat_map_scores_exactly_chance(
    case: tuple[Tensor, Tensor], tolerance: int
) -> None:
    weights, masks = case
    game = pointing_game(
        torch.full_like(weights, 0.3), masks, tolerance=tolerance
    )
    assert_close(game.hits, game.chance)


@settings(deadline=None)
@given(case=scored())
def test_scores_are_probabilities_and_chance_is_the_area(
    case: tuple[Tensor, Tensor],
) -> None:
    weights, masks = case
    game = pointing_game(weights, masks)
    for scores in game:
        assert scores.shape == (len(weights),)
        assert scores.min() >= 0
        assert scores.max() <= 1 + 1e-6
    assert_close(game.chance, masks.double().mean((1, 2, 3)))


@settings(deadline=None)
@given(case=scored())
def test_hits_equal_a_count_on_the_common_refinement(
    case: tuple[Tensor, Tensor],
) -> None:
    weights, masks = case
    fine = refined(weights.sum(1, keepdim=True), *masks.shape[2:])
    key = refined(masks, *weights.shape[2:])
    hits = [
        inside[heights == heights.max()].double().mean()
        for heights, inside in zip(fine, key, strict=True)
    ]
    assert_close(pointing_game(weights, masks).hits, torch.stack(hits))


@pytest.mark.parametrize(
    ("place", "hit"), [((3, 5), 1.0), ((4, 5), 0.0), ((3, 4), 0.0)]
)
def test_a_planted_peak(place: tuple[int, int], hit: float) -> None:
    masks = box((60, 60), slice(12, 16), slice(20, 24))
    assert pointing_game(peak((15, 15), place), masks).hits.item() == hit


def test_ties_share_the_hit() -> None:
    weights = peak((7, 11), (1, 2), (5, 6), (6, 10), (0, 0))
    masks = box((7, 11), slice(1, 2), slice(2, 3))
    assert pointing_game(weights, masks).hits.item() == 0.25


def test_a_cell_across_the_edge_hits_in_part() -> None:
    masks = box((1, 5), slice(None), slice(2))
    weights = torch.tensor([[[[0.0, 1.0, 0.0]]]])
    assert_close(pointing_game(weights, masks).hits, torch.tensor([1 / 5]))


def test_heads_are_added_before_the_maximum() -> None:
    weights = torch.zeros(1, 2, 1, 3)
    weights[0, 0, 0] = torch.tensor([0.5, 0.4, 0.0])
    weights[0, 1, 0] = torch.tensor([0.0, 0.4, 0.5])
    masks = box((1, 3), slice(None), slice(1, 2))
    assert pointing_game(weights, masks).hits.item() == 1


@pytest.mark.parametrize(
    ("size", "pixel", "expected"),
    [
        ((7, 5), (3, 2), 1.0),
        ((7, 5), (2, 2), 0.0),
        ((8, 5), (3, 2), 0.5),
        ((8, 5), (4, 2), 0.5),
        ((8, 6), (4, 3), 0.25),
        ((8, 6), (2, 3), 0.0),
    ],
)
def test_the_centre_is_what_lies_in_the_middle(
    size: tuple[int, int], pixel: tuple[int, int], expected: float
) -> None:
    row, column = pixel
    masks = box(size, slice(row, row + 1), slice(column, column + 1))
    game = pointing_game(torch.ones(1, 1, 3, 3), masks)
    assert game.centre.item() == expected


def test_tolerance_is_a_distance() -> None:
    """A peak at each pixel in turn: a hit within the disc, and only there."""
    masks = box((17, 19), slice(8, 9), slice(9, 10))
    maps = torch.eye(17 * 19).view(-1, 1, 17, 19)
    game = pointing_game(maps, masks.expand(17 * 19, -1, -1, -1), tolerance=5)
    rows = torch.arange(17)[:, None] - 8
    columns = torch.arange(19) - 9
    near = (rows**2 + columns**2 <= 25).flatten()
    assert torch.equal(game.hits, near.float())
    assert_close(game.chance, near.float().mean().expand(17 * 19))


def test_tolerance_moves_the_centre_baseline_too() -> None:
    masks = box((7, 11), slice(3, 4), slice(8, 9))
    weights = torch.ones(1, 1, 7, 11)
    assert pointing_game(weights, masks, tolerance=2).centre.item() == 0
    assert pointing_game(weights, masks, tolerance=3).centre.item() == 1


def test_a_map_without_mass_scores_chance() -> None:
    masks = box((7, 11), slice(3), slice(5))
    game = pointing_game(torch.zeros(1, 1, 5, 3), masks)
    assert_close(game.hits, game.chance)


def test_a_negative_tolerance_is_refused() -> None:
    masks = box((7, 11), slice(3), slice(5))
    with pytest.raises(ValueError, match="tolerance must not be negative"):
        pointing_game(torch.ones(1, 1, 5, 3), masks, tolerance=-1)


def test_the_repr_tells_the_means() -> None:
    game = PointingGame(*torch.tensor([[1.0, 0.5], [0.1, 0.1], [0.0, 0.0]]))
    assert repr(game) == (
        "PointingGame(hits=0.750, chance=0.100, centre=0.000; means of 2)"
    )
