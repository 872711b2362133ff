"""Does the highest position of a map lie where it should?"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from attncourse.metrics.overlap import at_least_float32, check, coverage


class PointingGame(NamedTuple):
    """Outcome of :func:`pointing_game`, one number for each sample.

    Attributes
    ----------
    hits
        Probability that the highest position of the map lies in the mask.
    chance
        What a random position scores: the share of the image that the mask
        fills.
    centre
        What the centre of the image scores. Data sets with the object in
        the middle give this blind guess a high rate.
    """

    hits: Float[Tensor, " batch"]
    chance: Float[Tensor, " batch"]
    centre: Float[Tensor, " batch"]

    def __repr__(self) -> str:
        """Means over the batch."""
        means = ", ".join(
            f"{name}={values.mean().item():.3f}"
            for name, values in self._asdict().items()
        )
        return f"PointingGame({means}; means of {len(self.hits)})"


def pointing_game(
    weights: Float[Tensor, "batch heads rows columns"],
    masks: Bool[Tensor, "batch 1 height width"],
    *,
    tolerance: int = 0,
) -> PointingGame:
    """Score whether the maximum of each map points into its mask.

    A position of a coarse map stands for an area, and several may tie.
    The hit is therefore the chance that a point drawn evenly from all
    positions at the maximum falls in the mask: 0 or 1 for a clear maximum well
    inside or outside, a fraction at an edge, and exactly ``chance`` for a
    flat map. The heads of a map are added up first.

    Parameters
    ----------
    weights
        Maps, coarser or finer than the masks in any ratio.
    masks
        Ground-truth masks, True inside.
    tolerance
        Distance in pixels of the mask at which a miss still counts as a
        hit. It grows the mask, for the chance and centre baselines too.

    Returns
    -------
    PointingGame
        hits, chance and centre, each with one number for each sample.

    Raises
    ------
    ValueError
        If the shapes do not belong together, a weight is negative or not
        finite, a mask is empty or ``tolerance`` is negative.

    References
    ----------
    Zhang, Bargal, Lin, Brandt, Shen and Sclaroff, "Top-Down Neural
    Attention by Excitation Backprop", IJCV 2018 (tolerance 15).
    """
    if tolerance < 0:
        raise ValueError(f"tolerance must not be negative, got {tolerance}")
    check(weights, masks)
    if tolerance:
        masks = _grown(masks, tolerance)
    covered = coverage(weights, masks)
    heights = at_least_float32(weights).sum(1, keepdim=True)
    highest = heights == heights.amax((2, 3), keepdim=True)
    hits = (covered * highest).sum((1, 2, 3)) / highest.sum((1, 2, 3))
    inside = masks.to(covered.dtype)
    return PointingGame(hits, inside.mean((1, 2, 3)), _centre(inside))


def _grown(
    masks: Bool[Tensor, "batch 1 height width"], radius: int
) -> Bool[Tensor, "batch 1 height width"]:
    """All pixels whose centre lies within the radius of one in the mask."""
    steps = torch.arange(-radius, radius + 1, device=masks.device)
    disc = steps[:, None] ** 2 + steps**2 <= radius**2
    reached = F.conv2d(masks.float(), disc[None, None].float(), padding=radius)
    return reached > 0.5


def _centre(
    inside: Float[Tensor, "batch 1 height width"],
) -> Float[Tensor, " batch"]:
    """Mean of the one, two or four pixels that meet at the centre."""
    height, width = inside.shape[2:]
    middle = inside[
        :,
        :,
        (height - 1) // 2 : height // 2 + 1,
        (width - 1) // 2 : width // 2 + 1,
    ]
    return middle.mean((1, 2, 3))
