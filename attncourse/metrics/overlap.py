"""What a map and a ground-truth mask of another resolution have in common."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def check(weights: Tensor, masks: Tensor) -> None:
    """Refuse what cannot be scored.

    Raises
    ------
    ValueError
        If the shapes do not belong together, a weight is negative or not
        finite, or a mask is empty.
    """
    if weights.ndim != 4:
        raise ValueError(
            f"weights must have the shape (batch, heads, rows, columns), "
            f"got {tuple(weights.shape)}"
        )
    if masks.dtype != torch.bool:
        raise ValueError(f"masks must be boolean, got {masks.dtype}")
    if masks.ndim != 4 or masks.shape[:2] != (len(weights), 1):
        raise ValueError(
            f"masks must have the shape ({len(weights)}, 1, height, width), "
            f"got {tuple(masks.shape)}"
        )
    if not weights.isfinite().all():
        raise ValueError("weights must be finite, got NaN or infinity")
    if (weights < 0).any():
        raise ValueError(
            f"weights must not be negative, got {weights.min().item():.3g}"
        )
    empty = (~masks.flatten(1).any(1)).nonzero().flatten()
    if len(empty):
        raise ValueError(
            f"masks must each have a True, got none in sample {empty[0]}"
        )


def coverage(
    weights: Float[Tensor, "batch heads rows columns"],
    masks: Bool[Tensor, "batch 1 height width"],
) -> Float[Tensor, "batch 1 rows columns"]:
    """Share of the area of each cell of the map that the mask covers.

    Both are laid over the same rectangle. The shares are exact for any two
    sizes, whether one divides the other or not, so a cell that the edge of
    the mask crosses counts in part.
    """
    rows = _shares(weights.shape[2], masks.shape[2], weights)
    columns = _shares(weights.shape[3], masks.shape[3], weights)
    # Autocast would round the products to half precision.
    with torch.autocast(weights.device.type, enabled=False):
        return rows @ masks.to(rows.dtype) @ columns.mT


def at_least_float32(weights: Tensor) -> Tensor:
    """Raise half precision, in which sums over a map lose digits."""
    return weights.to(torch.promote_types(weights.dtype, torch.float32))


def _shares(
    cells: int, pixels: int, like: Tensor
) -> Float[Tensor, "cells pixels"]:
    """Share of each cell that each pixel takes, along one axis."""
    cell = torch.arange(cells, device=like.device)[:, None] * pixels
    pixel = torch.arange(pixels, device=like.device) * cells
    end = torch.minimum(cell + pixels, pixel + cells)
    shared = (end - torch.maximum(cell, pixel)).clamp_min(0)
    dtype = torch.promote_types(like.dtype, torch.float32)
    return shared.to(dtype) / pixels
