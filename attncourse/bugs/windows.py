"""Attention inside windows of a map, and mistakes in its bookkeeping."""

import math
from itertools import product

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


class WindowAttention(nn.Module):
    """Right: each position attends inside its window of the rolled map.

    The map is padded to whole windows, then rolled. What came around the
    border and what is padding keeps to itself.
    """

    def __init__(self, channels: int, window: int = 4, shift: int = 2) -> None:
        super().__init__()
        self.window = window
        self.shift = shift
        self.project = nn.Linear(channels, 3 * channels)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Attend in windows, and put the map together again."""
        height, width = x.shape[2:]
        rolled = self.arrange(x)
        inside = self.arrange(torch.ones_like(x[:1, :1]))
        labels = self.labels(*rolled.shape[2:]).to(x) + 9 * inside[0, 0]
        each = self.cut(labels[None, None])  # (1, windows, positions, 1)
        query, key, value = self.project(self.cut(rolled)).chunk(3, dim=-1)
        scores = query @ key.mT / query.shape[-1] ** 0.5
        weights = scores.masked_fill(each != each.mT, -torch.inf).softmax(-1)
        joined = self.join(weights @ value, rolled.shape[2])
        return self.restore(joined, height, width)

    def arrange(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels rows columns"]:
        """Make the map a whole number of windows, and roll it."""
        height, width = x.shape[2:]
        missing = (0, -width % self.window, 0, -height % self.window)
        return F.pad(x, missing).roll((-self.shift,) * 2, dims=(2, 3))

    def restore(
        self,
        x: Float[Tensor, "batch channels rows columns"],
        height: int,
        width: int,
    ) -> Float[Tensor, "batch channels height width"]:
        """Undo what `arrange` did."""
        return x.roll((self.shift,) * 2, dims=(2, 3))[..., :height, :width]

    def labels(self, height: int, width: int) -> Float[Tensor, "rows columns"]:
        """Number the parts of the rolled map that belong together."""
        bands = self._bands()
        parts = torch.zeros(height, width)
        for number, (rows, columns) in enumerate(product(bands, bands)):
            parts[rows, columns] = number
        return parts

    def _bands(self) -> tuple[slice, slice, slice]:
        """The untouched part, the last window's, and what came around."""
        return (
            slice(0, -self.window),
            slice(-self.window, -self.shift),
            slice(-self.shift, None),
        )

    def cut(
        self, x: Float[Tensor, "batch channels rows columns"]
    ) -> Float[Tensor, "batch windows positions channels"]:
        """Cut a map into windows."""
        parts = x.unflatten(2, (-1, self.window)).unflatten(
            4, (-1, self.window)
        )  # (batch, channels, down, height, across, width)
        return parts.permute(0, 2, 4, 3, 5, 1).flatten(3, 4).flatten(1, 2)

    def join(
        self,
        windows: Float[Tensor, "batch windows positions channels"],
        h: int,
    ) -> Float[Tensor, "batch channels rows columns"]:
        """Put windows together to a map of height h."""
        parts = windows.unflatten(1, (h // self.window, -1)).unflatten(
            3, (self.window, self.window)
        )  # (batch, down, across, height, width, channels)
        return parts.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)


class PaddedAfterRoll(WindowAttention):
    """Wrong: the map is rolled first and padded afterwards.

    What came around the border then stands before the padding, where the
    labels do not expect it, and attends to the opposite border.
    """

    def arrange(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels rows columns"]:
        """Roll the map, and make it a whole number of windows."""
        height, width = x.shape[2:]
        missing = (0, -width % self.window, 0, -height % self.window)
        return F.pad(x.roll((-self.shift,) * 2, dims=(2, 3)), missing)

    def restore(
        self,
        x: Float[Tensor, "batch channels rows columns"],
        height: int,
        width: int,
    ) -> Float[Tensor, "batch channels height width"]:
        """Undo what `arrange` did."""
        return x[..., :height, :width].roll((self.shift,) * 2, dims=(2, 3))


class LabelsOfRows(WindowAttention):
    """Wrong: the labels have an axis more than the two slices reach.

    The rows are sliced along an axis of length one and the columns along
    the height: three labels instead of nine, and none tells columns apart.
    """

    def labels(self, height: int, width: int) -> Float[Tensor, "rows columns"]:
        """Number the parts of the rolled map that belong together."""
        bands = self._bands()
        parts = torch.zeros(1, height, width)
        for number, (rows, columns) in enumerate(product(bands, bands)):
            parts[rows, columns] = number
        return parts[0]


class VolumeAttention(nn.Module):
    """Right: attention in blocks of a clip, with a bias for each offset.

    The bias is a learned number for how many frames, rows and columns a key
    is away from its query.
    """

    index: Tensor

    def __init__(
        self, channels: int, block: tuple[int, int, int] = (2, 3, 4)
    ) -> None:
        super().__init__()
        self.block = block
        self.project = nn.Linear(channels, 3 * channels)
        self.bias = nn.Parameter(
            torch.randn(math.prod(2 * length - 1 for length in block))
        )
        spots = torch.cartesian_prod(*map(torch.arange, block))
        offsets = spots[:, None] - spots + torch.tensor(block) - 1
        self.register_buffer("index", self.number(offsets))

    def number(
        self, offsets: Int[Tensor, "positions positions 3"]
    ) -> Int[Tensor, "positions positions"]:
        """Give each offset a row of the table; all are zero or more."""
        _, height, width = self.block
        steps = ((2 * height - 1) * (2 * width - 1), 2 * width - 1, 1)
        return (offsets * torch.tensor(steps)).sum(-1)

    def forward(
        self, x: Float[Tensor, "batch channels frames height width"]
    ) -> Float[Tensor, "batch channels frames height width"]:
        """Attend in blocks."""
        frames, height, width = self.block
        parts = (
            x.unflatten(4, (-1, width))
            .unflatten(3, (-1, height))
            .unflatten(2, (-1, frames))
            .permute(0, 2, 4, 6, 3, 5, 7, 1)
        )  # (batch, later, down, across, frames, height, width, channels)
        tokens = parts.flatten(4, 6)
        query, key, value = self.project(tokens).chunk(3, dim=-1)
        scores = query @ key.mT / query.shape[-1] ** 0.5
        mixed = (scores + self.bias[self.index]).softmax(-1) @ value
        back = mixed.view_as(tokens).reshape(parts.shape)
        back = back.permute(0, 7, 1, 4, 2, 5, 3, 6)
        return back.flatten(6, 7).flatten(4, 5).flatten(2, 3)


class CollidingOffsets(VolumeAttention):
    """Wrong: the steps are too short, so that offsets share a number.

    A frame later and some rows further up get the same bias.
    """

    def number(
        self, offsets: Int[Tensor, "positions positions 3"]
    ) -> Int[Tensor, "positions positions"]:
        """Give each offset a row of the table; all are zero or more."""
        _, height, _ = self.block
        steps = (3 * height - 1, 2 * height - 1, 1)
        return (offsets * torch.tensor(steps)).sum(-1)
