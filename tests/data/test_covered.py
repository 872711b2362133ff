import pytest
import torch

from attncourse.data import (
    ClutteredDigits,
    CoveredDigits,
    covered,
    squares,
)
from attncourse.data.covered import CANVAS, DIGIT, SIDES


@pytest.fixture(scope="module")
def scenes():
    return ClutteredDigits(300, size=CANVAS, digit_size=DIGIT).draw()


def random():
    return torch.Generator().manual_seed(5)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("beside", [False, True])
def test_squares_lie_on_the_digit_or_beside_it(scenes, side, beside):
    sides = torch.full((300,), side)
    holes = squares(scenes.masks, sides, random(), beside=beside)
    assert holes.shape == (300, 1, CANVAS, CANVAS)
    for lines in holes.any(3), holes.any(2):
        assert (lines.sum(-1) == side).all()
    assert (holes.sum((1, 2, 3)) == side**2).all()
    inside = (holes & scenes.masks).flatten(1).any(1)
    outside = (holes & ~scenes.masks).flatten(1).any(1)
    assert inside.all() == outside.logical_not().all() == (not beside)
    assert outside.all() == inside.logical_not().all() == beside


def test_squares_reach_every_place_they_may(scenes):
    boxes = scenes.masks[:1].expand(4000, -1, -1, -1)
    sides = torch.full((4000,), 6)
    on = squares(boxes, sides, random()).any(0)
    assert torch.equal(on, scenes.masks[0])
    beside = squares(boxes, sides, random(), beside=True).any(0)
    assert beside[0, ~scenes.masks[0, 0]].float().mean() > 0.9


def test_a_side_of_zero_gives_no_square(scenes):
    none = squares(scenes.masks, torch.zeros(300, dtype=torch.long), random())
    assert not none.any()


def test_covering_paints_the_square_and_nothing_else(scenes):
    holes = squares(scenes.masks, torch.full((300,), 8), random())
    before = scenes.images.clone()
    hidden = covered(scenes, holes, torch.tensor(0.5))
    assert (hidden.images[holes] == 0.5).all()
    assert torch.equal(hidden.images[~holes], before[~holes])
    assert torch.equal(scenes.images, before)
    assert hidden.labels is scenes.labels
    assert hidden.masks is scenes.masks


def test_half_of_the_digits_are_covered_in_training():
    source = ClutteredDigits(1000, size=CANVAS, digit_size=DIGIT, seed=3)
    plain, scenes = source.draw(2), CoveredDigits(source).draw(2)
    changed = plain.images != scenes.images
    assert 0.4 < changed.flatten(1).any(1).float().mean() < 0.6
    assert not (changed & ~plain.masks).any()
    assert torch.equal(scenes.images, CoveredDigits(source).draw(2).images)
    other = CoveredDigits(source).draw(3).images != source.draw(3).images
    assert not torch.equal(changed, other)
