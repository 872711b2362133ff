r"""Sample a map along an affine grid.

Coordinates are (x, y) in [-1, 1] over the whole map, so that -1 and 1 are its
outer edges and not the centres of its outer pixels (``align_corners=False``).
A matrix maps positions of the output to positions of the input:

.. math:: (x_{in}, y_{in})^\top = \theta\, (x_{out}, y_{out}, 1)^\top

Hence a shift of +0.5 moves the content left, and a factor of 0.5 zooms in.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def affine_sample(
    x: Float[Tensor, "batch channels height width"],
    theta: Float[Tensor, "batch 2 3"],
    size: tuple[int, int],
) -> Float[Tensor, "batch channels rows columns"]:
    """Read the map at the positions of an affine grid, bilinearly.

    Positions outside the map read zero. The grid and the sum are computed in
    at least float32: in bfloat16 a position of a large image is off by pixels.

    Parameters
    ----------
    x
        The map.
    theta
        From output to input coordinates.
    size
        Height and width of the output.
    """
    exact = torch.promote_types(x.dtype, torch.float32)
    grid = affine_grid(theta.to(exact), size)
    sampled = F.grid_sample(
        x.to(exact),
        grid.unflatten(1, size),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=False,
    )
    return sampled.to(x.dtype)


def affine_grid(
    theta: Float[Tensor, "batch 2 3"], size: tuple[int, int]
) -> Float[Tensor, "batch positions 2"]:
    """Input coordinates (x, y) of the positions of the output, row by row.

    What ``torch.nn.functional.affine_grid`` gives, also for no samples. All
    x lie side by side in memory, then all y, which is faster to sample.
    """
    y, x = torch.meshgrid(
        *(cell_centres(cells, theta) for cells in size), indexing="ij"
    )
    positions = torch.stack([x, y, torch.ones_like(x)]).flatten(1)
    return (theta @ positions).mT


def cell_centres(cells: int, like: Tensor) -> Float[Tensor, " {cells}"]:
    """Centres of equal cells of [-1, 1], in the type of another tensor."""
    index = torch.arange(cells, device=like.device, dtype=like.dtype)
    return (2 * index + 1) / cells - 1


def reading_map(
    theta: Float[Tensor, "batch 2 3"],
    size: tuple[int, int],
    read: tuple[int, int],
) -> Float[Tensor, "batch 1 height width"]:
    r"""How much each pixel of the input counts in all of the output.

    .. math:: m_{uv} = \frac{1}{P} \sum_{p=1}^{P}
              \max(0, 1 - |x_p - u|)\, \max(0, 1 - |y_p - v|)

    The bilinear kernel of Jaderberg et al. (2015), summed over the P positions
    that are read. The map sums to one if no position lies outside.

    Parameters
    ----------
    theta
        From output to input coordinates.
    size
        Height and width of the output.
    read
        Height and width of the input.
    """
    exact = torch.promote_types(theta.dtype, torch.float32)
    grid = affine_grid(theta.to(exact), size)
    across = _hats(grid[..., 0], read[1])  # (batch, positions, width)
    down = _hats(grid[..., 1], read[0])
    return (down.mT @ across / (size[0] * size[1])).unsqueeze(1)


def compose(
    first: Float[Tensor, "batch 2 3"], then: Float[Tensor, "batch 2 3"]
) -> Float[Tensor, "batch 2 3"]:
    """One matrix for sampling with ``first`` and its result with ``then``.

    Sampling once with the product loses nothing at the border and blurs
    once instead of twice.
    """
    last = first.new_tensor([0.0, 0.0, 1.0]).expand(first.shape[0], 1, 3)
    return first @ torch.cat([then, last], 1)


def _hats(
    coordinate: Float[Tensor, "batch positions"], pixels: int
) -> Float[Tensor, "batch positions {pixels}"]:
    """Bilinear weight of each pixel along one axis."""
    position = ((coordinate + 1) * pixels - 1) / 2
    centres = torch.arange(pixels, device=coordinate.device)
    return (1 - (position.unsqueeze(-1) - centres).abs()).clamp_min(0)
