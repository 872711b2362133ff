"""The digits that scenes are made of."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from attncourse.data.digits import digits, mnist_digits
from attncourse.data.scenes import Scenes

STROKES = ("8x8", "mnist")
BOX = 20  # pixels; the box into which MNIST fits each digit


def stroke_digits(strokes: str, split: str, side: int | None = None) -> Scenes:
    """Digits whose ink fills the image, at a side or as large as they come.

    The digits of ``"mnist"`` lose the margin that centres their mass: the
    square of 20 x 20 pixels around the ink stays. They are made smaller with
    antialiasing.
    """
    if strokes not in STROKES:
        raise ValueError(f"strokes must be one of {STROKES}, got {strokes!r}")
    crisp = strokes == "mnist"
    source = mnist_digits(split) if crisp else digits(split)
    images = inked(source.images) if crisp else source.images
    if side not in (None, images.shape[-1]):
        images = F.interpolate(
            images,
            size=(side, side),
            mode="bilinear",
            align_corners=False,
            antialias=crisp,
        ).clamp(0, 1)
    return source._replace(images=images)


def inked(
    images: Float[Tensor, "count 1 28 28"],
) -> Float[Tensor, "count 1 20 20"]:
    """Cut out the square around the ink of each digit of MNIST."""
    ink = images[:, 0] > 0
    corners = []
    for lines in ink.any(2), ink.any(1):
        first = lines.int().argmax(1)
        last = lines.shape[1] - 1 - lines.flip(1).int().argmax(1)
        middle = (first + last + 1) // 2
        corners.append((middle - BOX // 2).clamp(0, lines.shape[1] - BOX))
    top, left = (corner[:, None] + torch.arange(BOX) for corner in corners)
    each = torch.arange(len(images))[:, None, None]
    cut: Tensor = images[each, 0, top[:, :, None], left[:, None]]
    return cut[:, None]
