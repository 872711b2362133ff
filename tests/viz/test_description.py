"""Alternative text says what the numbers say."""

import pytest
import torch

from attncourse.metrics import mass_inside
from attncourse.viz import describe


def test_names_the_position_of_the_largest_weight():
    weights = torch.full((1, 5, 11), 0.01)
    weights[0, 2, 9] = 0.46
    text = describe(weights)
    assert text.startswith("Weight map of 5 rows and 11 columns.")
    assert "The largest weight, 0.46, is at row 3, column 10" in text
    assert "at the middle right" in text
    assert "23 " not in text


@pytest.mark.parametrize(
    ("row", "column", "where"),
    [
        (0, 0, "top left"),
        (0, 3, "top centre"),
        (3, 3, "centre"),
        (6, 6, "bottom right"),
    ],
)
def test_regions_have_names(row, column, where):
    weights = torch.full((7, 7), 0.1)
    weights[row, column] = 1
    assert f"at the {where}." in describe(weights)


def test_mass_is_the_measured_mass():
    weights = torch.rand(3, 5)
    mask = torch.zeros(7, 11, dtype=torch.bool)
    mask[:4, :6] = True
    share = mass_inside(weights[None, None], mask[None, None]).item()
    text = describe(weights, mask)
    assert f"{100 * share:.0f} % of the mass lies inside" in text
    assert f"covers {100 * 24 / 77:.0f} % of the area" in text
    assert "ground-truth mask at the top left" in text


def test_counts_the_positions_that_hold_half_of_the_mass():
    weights = torch.tensor([[4.0, 1.0, 1.0], [0.0, 0.0, 2.0]])
    assert "1 position of 6 holds half of the mass" in describe(weights)
    weights[0, 0] = 3
    assert "2 positions of 6 hold half of the mass" in describe(weights)


def test_says_so_when_a_map_has_no_peak():
    equal = describe(torch.full((3, 5), 1 / 15))
    assert equal.endswith("All weights are equal, 0.0667 each.")
    assert describe(torch.zeros(3, 5)).endswith("All weights are zero.")
    empty = torch.zeros(3, 5, dtype=torch.bool)
    assert "The ground-truth mask is empty." in describe(
        torch.rand(3, 5), empty
    )


def test_does_not_round_a_little_to_nothing_or_to_everything():
    weights = torch.tensor([[1.0, 0.001]])
    left = torch.tensor([[True, False]])
    assert "more than 99 % of the mass" in describe(weights, left)
    assert "less than 1 % of the mass" in describe(weights, ~left)
    weights[0, 1] = 0
    assert "100 % of the mass" in describe(weights, left)
    assert "0 % of the mass" in describe(weights, ~left)
