"""Bad maps and masks, refused alike by everything that scores."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from attncourse.metrics import mass_inside, pointing_game

GOOD = torch.ones(3, 1, 5, 7)
KEY = torch.ones(3, 1, 11, 13, dtype=torch.bool)


def spoilt(value: float) -> Tensor:
    weights = GOOD.clone()
    weights[1, 0, 2, 3] = value
    return weights


def emptied() -> Tensor:
    masks = KEY.clone()
    masks[2] = False
    return masks


@pytest.mark.usefixtures("as_shipped")
@pytest.mark.parametrize("score", [mass_inside, pointing_game])
@pytest.mark.parametrize(
    ("weights", "masks", "message"),
    [
        (GOOD[:, 0], KEY, r"weights must have the shape.*\(3, 5, 7\)"),
        (GOOD, KEY.float(), r"masks must be boolean, got torch.float32"),
        (GOOD, KEY[:, 0], r"masks must have the shape.*\(3, 11, 13\)"),
        (GOOD, KEY[:2], r"masks must have the shape \(3, 1.*\(2, 1, 11, 13\)"),
        (GOOD, KEY.expand(3, 2, 11, 13), r"masks must have.*\(3, 2, 11, 13\)"),
        (spoilt(torch.nan), KEY, "weights must be finite"),
        (spoilt(torch.inf), KEY, "weights must be finite"),
        (spoilt(-0.25), KEY, r"weights must not be negative, got -0.25"),
        (GOOD, emptied(), "masks must each have a True.*sample 2"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    score: Callable[[Tensor, Tensor], object],
    weights: Tensor,
    masks: Tensor,
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        score(weights, masks)


@pytest.mark.parametrize("score", [mass_inside, pointing_game])
def test_inputs_stay_as_they_are(
    score: Callable[[Tensor, Tensor], object],
) -> None:
    weights, masks = torch.rand(3, 1, 5, 7), torch.rand(3, 1, 11, 13) < 0.9
    before = weights.clone(), masks.clone()
    score(weights, masks)
    assert torch.equal(weights, before[0])
    assert torch.equal(masks, before[1])


def test_autocast_does_not_round_the_shares() -> None:
    weights, masks = torch.rand(3, 1, 5, 7), torch.rand(3, 1, 11, 13) < 0.9
    with torch.autocast("cpu", torch.bfloat16):
        rough = mass_inside(weights, masks)
    assert torch.equal(rough, mass_inside(weights, masks))
