"""Digits behind squares."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from attncourse.data.cluttered import ClutteredDigits
from attncourse.data.scenes import Scenes

CANVAS, DIGIT, FRAGMENTS = 40, 16, 6
SIDES = (4, 6, 8, 11)  # 6, 14, 25 and 47 % of the digit's box


def squares(
    boxes: Bool[Tensor, "count 1 40 40"],
    sides: Int64[Tensor, " count"],
    random: torch.Generator,
    *,
    beside: bool = False,
) -> Bool[Tensor, "count 1 40 40"]:
    """Draw a square in every scene; a side of 0 gives none.

    It lies anywhere within the digit's box or, with ``beside``, anywhere on
    the canvas where it does not touch that box.
    """
    box = torch.stack([boxes.any(3), boxes.any(2)]).int().argmax(-1)[..., 0]
    low, room = (0 * box, CANVAS) if beside else (box, DIGIT)
    corner = torch.empty_like(box)
    open_ = torch.ones_like(sides, dtype=torch.bool)
    while open_.any():
        drawn = torch.rand(box.shape, generator=random) * (room - sides + 1)
        corner = torch.where(open_, low + drawn.long(), corner)
        apart = (corner + sides <= box) | (corner >= box + DIGIT)
        open_ = ~apart.any(0) if beside else open_ & False
    index = torch.arange(CANVAS)
    start = corner[..., None]
    rows, columns = (index >= start) & (index < start + sides[:, None])
    holes: Tensor = rows[:, None, :, None] & columns[:, None, None, :]
    return holes


def covered(
    scenes: Scenes,
    holes: Bool[Tensor, "count 1 40 40"],
    fill: Float[Tensor, "*shades"],
) -> Scenes:
    """Paint the holes; labels and masks stay."""
    return scenes._replace(images=torch.where(holes, fill, scenes.images))


class CoveredDigits:
    """Scenes of which half have a square of any grey on the digit.

    Random erasing within the object's box; the side is uniform between the
    smallest and the largest of the test. Each epoch has squares of its own.

    References
    ----------
    Zhong, Zheng, Kang, Li and Yang, "Random Erasing Data Augmentation",
    AAAI 2020.
    """

    def __init__(self, scenes: ClutteredDigits) -> None:
        self.scenes = scenes

    def draw(self, epoch: int) -> Scenes:
        """All scenes of an epoch."""
        scenes = self.scenes.draw(epoch)
        assert scenes.masks is not None
        count = len(scenes.labels)
        random = torch.Generator().manual_seed(
            (self.scenes.seed << 20) + epoch
        )
        sides = torch.randint(
            SIDES[0], SIDES[-1] + 1, (count,), generator=random
        )
        chosen = torch.rand(count, generator=random) < 0.5
        holes = squares(scenes.masks, sides * chosen, random)
        shades = torch.rand(count, 1, 1, 1, generator=random)
        return covered(scenes, holes, shades)
