"""A map read along a field of displacements."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Warp(nn.Module):
    """Right: each position reads the map a displacement away from itself.

    Coordinates run from -1 to 1 from one edge of the map to the other.
    """

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        displacement: Float[Tensor, "batch 2 height width"],
    ) -> Float[Tensor, "batch channels height width"]:
        """Read the map where the displacements point."""
        where = self.grid(*x.shape[2:]).to(x) + displacement
        return F.grid_sample(x, where.movedim(1, -1), align_corners=False)

    def grid(self, height: int, width: int) -> Float[Tensor, "2 height width"]:
        """Return the coordinates of every position."""
        down, across = torch.meshgrid(
            (2 * torch.arange(height) + 1) / height - 1,
            (2 * torch.arange(width) + 1) / width - 1,
            indexing="ij",
        )
        return torch.stack((across, down))


class RowsFirst(Warp):
    """Wrong: the coordinates are (y, x), and `grid_sample` reads (x, y).

    Without any displacement the map comes out with its axes exchanged.
    """

    def grid(self, height: int, width: int) -> Float[Tensor, "2 height width"]:
        """Return the coordinates of every position."""
        down, across = torch.meshgrid(
            (2 * torch.arange(height) + 1) / height - 1,
            (2 * torch.arange(width) + 1) / width - 1,
            indexing="ij",
        )
        return torch.stack((down, across))
