r"""Residual attention: a mask that can only add to what the trunk says.

.. math::

   y = (1 + M(x)) \odot T(x), \qquad
   M = \sigma(\text{bottom-up, top-down network of } x)
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention.attended import Attended
from attncourse.attention.maps import check_map, reduced


class ResidualAttention(nn.Module):
    r"""Amplify the features of a trunk by a mask for every value.

    .. math:: y_{c,i} = (1 + M_{c,i})\, T_{c,i}

    The trunk T is two residual units. The mask M looks at the map on
    ever coarser grids (bottom-up), comes back by bilinear upsampling
    (top-down) with a skip on every grid, and ends in a sigmoid.

    With the naive product :math:`M T` each layer halves the features at
    the start, and a deep network loses them. With 1 + M a mask of zero
    leaves the trunk as it is; the features grow instead, by about 1.5 a
    layer, which the batch normalisation of the next layer takes back.

    Parameters
    ----------
    channels
        Channels C of the map, in and out.
    levels
        How often the mask branch halves the map.
    reduction
        Bottleneck of the residual units; must divide C.
    naive
        Use the product :math:`M T` for comparison.

    Raises
    ------
    ValueError
        If ``levels`` is below one or ``reduction`` does not divide
        ``channels``.

    Notes
    -----
    Cost for N positions: :math:`17NC^2/16` multiply-adds for a residual unit
    with the default reduction; two units in the trunk, two 1x1
    convolutions and up to three units per level, on N/4, N/16, ... positions,
    in the mask. Any map size.

    References
    ----------
    Wang et al., "Residual Attention Network for Image Classification",
    CVPR 2017.

    Examples
    --------
    >>> output, mask = ResidualAttention(16).attend(torch.randn(2, 16, 9, 9))
    >>> output.shape, mask.shape
    (torch.Size([2, 16, 9, 9]), torch.Size([2, 16, 9, 9]))
    """

    def __init__(
        self,
        channels: int,
        levels: int = 2,
        reduction: int = 4,
        *,
        naive: bool = False,
    ) -> None:
        super().__init__()
        if levels < 1:
            raise ValueError(f"levels must be at least 1, got {levels}")
        self.channels = channels
        self.naive = naive
        self.trunk = nn.Sequential(
            _ResidualUnit(channels, reduction),
            _ResidualUnit(channels, reduction),
        )
        self.mask = nn.Sequential(
            _DownUp(channels, levels, reduction),
            _convolution(channels, channels, 1),
            _convolution(channels, channels, 1),
            nn.Sigmoid(),
        )

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Run the trunk and amplify its features by the mask."""
        return self.attend(x).output

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the mask M, (batch, channels, height, width).

        It has a number between zero and one for every value of the map.
        """
        check_map(x, self.channels)
        mask = self.mask(x)
        factors = mask if self.naive else 1 + mask
        return Attended(factors * self.trunk(x), mask)


class _DownUp(nn.Module):
    """Halve the map, work on it, on coarser grids too, and bring it back."""

    def __init__(self, channels: int, levels: int, reduction: int) -> None:
        super().__init__()
        self.down = _ResidualUnit(channels, reduction)
        self.up = _ResidualUnit(channels, reduction)
        self.coarser = None
        if levels > 1:
            self.skip = _ResidualUnit(channels, reduction)
            self.coarser = _DownUp(channels, levels - 1, reduction)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        half = self.down(F.max_pool2d(x, kernel_size=3, stride=2, padding=1))
        if self.coarser is not None:
            half = self.skip(half) + self.coarser(half)
        return F.interpolate(
            self.up(half),
            size=x.shape[2:],
            mode="bilinear",
            align_corners=False,
        )


class _ResidualUnit(nn.Module):
    """Three convolutions with a narrow middle, added to their input."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        narrow = reduced(channels, reduction)
        self.convolutions = nn.Sequential(
            _convolution(channels, narrow, 1),
            _convolution(narrow, narrow, 3),
            _convolution(narrow, channels, 1),
        )

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        return x + self.convolutions(x)


def _convolution(inputs: int, outputs: int, kernel_size: int) -> nn.Sequential:
    """Normalisation and ReLU come before the convolution."""
    return nn.Sequential(
        nn.BatchNorm2d(inputs),
        nn.ReLU(),
        nn.Conv2d(
            inputs,
            outputs,
            kernel_size,
            padding=kernel_size // 2,
            bias=False,
        ),
    )
