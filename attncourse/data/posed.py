"""Digits that are shifted, turned and zoomed."""

import torch
from jaxtyping import Float
from torch import Tensor

from attncourse.attention.sampling import affine_sample
from attncourse.attention.spatial_transformer import similarity
from attncourse.data.scenes import Scenes
from attncourse.data.strokes import stroke_digits

CANVAS = 40
FRAGMENT_SHARE = 3 / 8  # of the digit's side


class PosedDigits:
    """One digit on a black canvas: shifted, turned and zoomed at random.

    Side, angle and location are uniform; the digit's box, turned with it, lies
    on the canvas as a whole and is the mask. Fragments, if any, are
    squares of 3/8 of the side out of other digits of the same split, in poses
    of their own, below the box.

    Parameters
    ----------
    count
        Scenes in one epoch.
    turn
        Largest angle, in degrees, to either side.
    sides
        Smallest and largest side of the digit, in pixels.
    centred
        Whether the digit stands in the middle.
    fragments
        Pieces of clutter in each scene.
    split, seed, strokes
        As for :class:`ClutteredDigits`.
    """

    def __init__(
        self,
        count: int,
        *,
        turn: float = 60.0,
        sides: tuple[float, float] = (13.0, 24.0),
        centred: bool = False,
        fragments: int = 0,
        split: str = "train",
        seed: int = 0,
        strokes: str = "8x8",
    ) -> None:
        self.count = count
        self.turn = turn
        self.sides = sides
        self.centred = centred
        self.fragments = fragments
        self.split = split
        self.seed = seed
        self.strokes = strokes

    def draw(self, epoch: int = 0) -> Scenes:
        """All scenes of an epoch."""
        return self.draw_posed(epoch)[0]

    def draw_posed(
        self, epoch: int = 0
    ) -> tuple[Scenes, Float[Tensor, "count 2 3"]]:
        """Scenes, and the matrices from the canvas to the digit."""
        source = stroke_digits(self.strokes, self.split)
        test = int(self.split == "test")
        validation = int(self.split == "validation")
        random = torch.Generator().manual_seed(
            (validation << 60) + ((self.seed * 2 + test) << 20) + epoch
        )
        total, size = len(source.labels), (CANVAS, CANVAS)
        shown = torch.randint(total, (self.count,), generator=random)
        pose = self._poses(random)
        grid = pixel_centres().expand(self.count, -1, -1)
        inside = (grid @ pose[:, :, :2].mT + pose[:, None, :, 2]).abs() <= 1
        masks = inside.all(-1).view(-1, 1, *size)
        clutter = torch.zeros(self.count, 1, *size)
        for _ in range(self.fragments):
            step = torch.randint(1, total, (self.count,), generator=random)
            other = source.images[(shown + step) % total]
            piece = other * self._windows(random, other.shape[-1])
            placed = affine_sample(piece, self._poses(random), size)
            clutter = torch.maximum(clutter, placed)
        digit = affine_sample(source.images[shown], pose, size)
        images = torch.maximum(digit, clutter * ~masks)
        return Scenes(images, source.labels[shown], masks, shown), pose

    def _poses(self, random: torch.Generator) -> Float[Tensor, "count 2 3"]:
        """Matrices from the canvas to the digit."""
        draw = torch.rand(4, self.count, generator=random)
        low, high = self.sides
        zoom = (low + (high - low) * draw[0]) / CANVAS
        angle = torch.deg2rad(self.turn * (2 * draw[1] - 1))
        reach = zoom * (angle.cos().abs() + angle.sin().abs())
        room = 0.0 if self.centred else 1 - reach
        x, y = room * (2 * draw[2:] - 1)
        placed = similarity.matrix(
            torch.stack([zoom.log(), angle, x, y], 1), 1.0
        )  # from the digit to the canvas
        return inverted(placed)

    def _windows(
        self, random: torch.Generator, side: int
    ) -> Float[Tensor, "count 1 side side"]:
        piece = round(FRAGMENT_SHARE * side)
        corner = torch.randint(
            side + 1 - piece, (2, self.count, 1), generator=random
        )
        index = torch.arange(side)
        rows, columns = ((index >= corner) & (index < corner + piece)).float()
        window: Tensor = rows[:, None, :, None] * columns[:, None, None]
        return window


def inverted(
    theta: Float[Tensor, "batch 2 3"],
) -> Float[Tensor, "batch 2 3"]:
    """Return the matrix that leads back."""
    back = theta[:, :, :2].inverse()
    return torch.cat([back, -back @ theta[:, :, 2:]], 2)


def pixel_centres() -> Float[Tensor, "pixels 2"]:
    """Centres (x, y) of the pixels of the canvas, row by row."""
    centres = (2 * torch.arange(CANVAS) + 1) / CANVAS - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([x, y], -1).flatten(0, 1)
