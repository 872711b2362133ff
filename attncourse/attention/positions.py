r"""Positions: what tells one token from another by where it is.

Attention does not see the order of its tokens. A position code is added to
the tokens (sinusoidal, learned), to the scores (relative) or turns the
queries and keys (rotary).
"""

from math import log

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

WAVELENGTH = 10_000.0


def sinusoidal_positions(
    count: int, dim: int
) -> Float[Tensor, "{count} {dim}"]:
    r"""Sines and cosines of the position, at ``dim / 2`` frequencies.

    .. math::

       P_{p,2i} = \sin(p\,\omega_i), \quad P_{p,2i+1} = \cos(p\,\omega_i),
       \quad \omega_i = 10000^{-2i/d}

    All codes have the same norm, and the product of two depends only on
    their distance.

    Parameters
    ----------
    count
        Number of positions, 0 to ``count - 1``.
    dim
        Width of the code; even.

    Raises
    ------
    ValueError
        If ``dim`` is odd or either is below one.

    Notes
    -----
    Cost: no parameters; ``count`` x ``dim`` numbers, computed on each call.

    References
    ----------
    Vaswani et al., "Attention Is All You Need", NIPS 2017.
    """
    _check_dim(dim, 2)
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    angles = torch.arange(count)[:, None] * _frequencies(dim)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


def sinusoidal_positions_2d(
    height: int, width: int, dim: int
) -> Float[Tensor, "positions {dim}"]:
    r"""Codes of the positions of a map: half for the row, half for the column.

    .. math:: P_{(y, x)} = [\, P_y \;\; P_x \,]

    A code along the raster order of a map puts vertical neighbours far
    apart; this one treats both directions alike.

    Parameters
    ----------
    height, width
        Size of the map.
    dim
        Width of the code; a multiple of four.

    Returns
    -------
    Codes (height x width, dim): the first half of each is the
    :func:`sinusoidal_positions` of its row, the second of its column.

    Raises
    ------
    ValueError
        If ``dim`` is no multiple of four or a size is below one.

    Notes
    -----
    Cost: no parameters; height x width x dim numbers on each call.

    References
    ----------
    Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, compare
    such codes with learned ones.
    """
    _check_dim(dim, 4)
    rows = sinusoidal_positions(height, dim // 2)
    columns = sinusoidal_positions(width, dim // 2)
    return torch.cat(
        [
            rows.repeat_interleave(width, 0),
            columns.repeat(height, 1),
        ],
        -1,
    )


class LearnedPositions2d(nn.Module):
    r"""A learned code for each position of a map, added to it.

    .. math:: y_{cij} = x_{cij} + P_{cij}

    A map of another size gets the table interpolated (bicubic), as vision
    transformers do when the resolution of their images changes.

    Parameters
    ----------
    channels
        Channels of the map.
    height, width
        Size of the map that the table is made for.

    Raises
    ------
    ValueError
        If a size is below one.

    Notes
    -----
    Cost: channels x height x width parameters. The table starts normal
    with standard deviation 0.02.

    References
    ----------
    Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021.
    """

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        if min(channels, height, width) < 1:
            raise ValueError(
                f"channels, height and width must be at least 1, got "
                f"{channels}, {height} and {width}"
            )
        self.table = nn.Parameter(torch.empty(1, channels, height, width))
        nn.init.trunc_normal_(self.table, std=0.02)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Add the code of each position."""
        table: Tensor = self.table
        if table.shape[2:] != x.shape[2:]:
            table = F.interpolate(
                table, x.shape[2:], mode="bicubic", align_corners=False
            )
        return x + table


class RelativePositionBias2d(nn.Module):
    r"""A learned term for the scores: one number per head and offset.

    .. math:: s_{ij} = \frac{q_i^\top k_j}{\sqrt d}
              + B_{h,\; y_i - y_j,\; x_i - x_j}

    Parameters
    ----------
    heads
        Number of attention heads.
    height, width
        Size of the map whose positions attend to each other.

    Raises
    ------
    ValueError
        If a size is below one.

    Notes
    -----
    Cost: heads x (2 height - 1) x (2 width - 1) parameters, and a
    (heads, N, N) bias for the scores. The table starts normal with standard
    deviation 0.02.

    References
    ----------
    Shaw, Uszkoreit and Vaswani, "Self-Attention with Relative Position
    Representations", NAACL 2018; Liu et al., "Swin Transformer", ICCV 2021.
    """

    offsets: Tensor

    def __init__(self, heads: int, height: int, width: int) -> None:
        super().__init__()
        if min(heads, height, width) < 1:
            raise ValueError(
                f"heads, height and width must be at least 1, got "
                f"{heads}, {height} and {width}"
            )
        spans = 2 * height - 1, 2 * width - 1
        self.table = nn.Parameter(torch.empty(heads, spans[0] * spans[1]))
        nn.init.trunc_normal_(self.table, std=0.02)
        row = torch.arange(height).repeat_interleave(width)
        column = torch.arange(width).repeat(height)
        down = row[:, None] - row + height - 1
        right = column[:, None] - column + width - 1
        offsets = down * spans[1] + right
        self.register_buffer("offsets", offsets, persistent=False)

    def forward(self) -> Float[Tensor, "heads positions positions"]:
        """Bias to be added to the scores of query i and key j."""
        return self.table[:, self.offsets]


class RotaryPositions2d(nn.Module):
    r"""Turn queries and keys by angles that grow with their row and column.

    Channels are taken in pairs :math:`(a, b)`, read as points of a plane:

    .. math::

       (a, b) \mapsto (a\cos\phi - b\sin\phi,\; a\sin\phi + b\cos\phi),
       \quad \phi = p\,\omega_i

    with p the row for the first half of the channels and the column for the
    second. Norms stay, and the score of a query and a key depends on the
    offset between them alone. Values are not turned.

    Parameters
    ----------
    head_dim
        Width of one head; a multiple of four.

    Raises
    ------
    ValueError
        If ``head_dim`` is no multiple of four.

    Notes
    -----
    Cost: no parameters and four multiplications for each pair of channels;
    any map size.

    References
    ----------
    Su et al., "RoFormer: Enhanced Transformer with Rotary Position
    Embedding", 2021, with one axis for each half of the channels.
    """

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        _check_dim(head_dim, 4)
        self.head_dim = head_dim

    def forward(
        self,
        heads: Float[Tensor, "batch heads positions head_dim"],
        height: int,
        width: int,
    ) -> Float[Tensor, "batch heads positions head_dim"]:
        """Turn the tokens of a map, given row by row.

        Raises
        ------
        ValueError
            If there are not height x width tokens of width ``head_dim``.
        """
        if heads.shape[-2:] != (height * width, self.head_dim):
            raise ValueError(
                f"heads must end in the axes ({height * width}, "
                f"{self.head_dim}) for a map of {height} x {width}, got "
                f"shape {tuple(heads.shape)}"
            )
        angles = self._angles(height, width, heads.device)
        sine, cosine = angles.sin(), angles.cos()  # (positions, head_dim / 2)
        exact = heads.to(torch.promote_types(heads.dtype, sine.dtype))
        first, second = exact.unflatten(-1, (-1, 2)).unbind(-1)
        turned = torch.stack(
            [
                first * cosine - second * sine,
                first * sine + second * cosine,
            ],
            -1,
        )
        return turned.flatten(-2).to(heads.dtype)

    def _angles(
        self, height: int, width: int, device: torch.device
    ) -> Float[Tensor, "positions pairs"]:
        position = torch.arange(height * width, device=device)
        row = torch.div(position, width, rounding_mode="floor")
        column = position % width
        frequencies = _frequencies(self.head_dim // 2).to(device)
        return torch.cat(
            [row[:, None] * frequencies, column[:, None] * frequencies], -1
        )


def _frequencies(dim: int) -> Float[Tensor, " half"]:
    """One frequency for each pair of channels, from 1 down."""
    steps = torch.arange(0, dim, 2) / dim
    return torch.exp(-log(WAVELENGTH) * steps)


def _check_dim(dim: int, divisor: int) -> None:
    if dim < divisor or dim % divisor:
        raise ValueError(
            f"the width must be a positive multiple of {divisor}, got {dim}"
        )
