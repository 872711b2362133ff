r"""CBAM: gate the channels, then the positions.

.. math::

   M_c = \sigma\bigl(W_1 \operatorname{relu}(W_0 \operatorname{mean}_{hw} x)
       + W_1 \operatorname{relu}(W_0 \max\nolimits_{hw} x)\bigr), \qquad
   x' = M_c \odot x

   M_s = \sigma\bigl(f^{7 \times 7}
       [\operatorname{mean}_c x';\ \max\nolimits_c x']\bigr), \qquad
   y = M_s \odot x'
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention._kernels import (
    largest_over_channels,
    largest_over_positions,
)
from attncourse.attention.attended import Attended
from attncourse.attention.maps import check_map, check_odd, reduced


class CBAMWeights(NamedTuple):
    """The two gates of CBAM, each between zero and one."""

    channel: Float[Tensor, "batch channels"]
    spatial: Float[Tensor, "batch 1 height width"]


class AttendedTwice(NamedTuple):
    """An output and the two gates that made it."""

    output: Tensor
    weights: CBAMWeights


class ChannelGate(nn.Module):
    r"""Scale the channels by gates from their averages and maxima.

    .. math:: M_c = \sigma\bigl(W_1 \operatorname{relu}(W_0
              \operatorname{mean}_{hw} x) + W_1 \operatorname{relu}(W_0
              \max\nolimits_{hw} x)\bigr)

    Both descriptors pass through the same two layers, which have no bias,
    and are added before the sigmoid. The second layer is linear, so it is
    applied once, to the sum of the hidden layers.

    Parameters
    ----------
    channels
        Channels C of the map.
    reduction
        The hidden layer has C / reduction units; must divide C.
    hidden_dim
        Units of the hidden layer, instead of ``reduction``.
    device, dtype
        Of the parameters, as in ``torch.nn``.

    Raises
    ------
    ValueError
        If ``reduction`` does not divide ``channels``.

    Notes
    -----
    Cost for N positions: 2NC for the descriptors, :math:`3C^2/r`
    multiply-adds, NC to apply the gate; :math:`2C^2/r` weights.

    References
    ----------
    Woo, Park, Lee and Kweon, "CBAM: Convolutional Block Attention Module",
    ECCV 2018.

    Examples
    --------
    >>> output, gates = ChannelGate(64).attend(torch.randn(2, 64, 8, 8))
    >>> gates.shape
    torch.Size([2, 64])
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        *,
        hidden_dim: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        hidden_dim = reduced(channels, reduction, hidden_dim)
        self.reduce = nn.Linear(channels, hidden_dim, bias=False, **made)
        self.expand = nn.Linear(hidden_dim, channels, bias=False, **made)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Multiply every channel by its gate."""
        return self.attend(x).output

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the gates, (batch, channels)."""
        check_map(x, self.reduce.in_features)
        average = F.adaptive_avg_pool2d(x, 1).flatten(1)
        gates = self.gates(average, largest_over_positions(x))
        return Attended(x * gates[..., None, None], gates)

    def gates(
        self,
        average: Float[Tensor, "batch channels"],
        largest: Float[Tensor, "batch channels"],
    ) -> Float[Tensor, "batch channels"]:
        """Turn the two descriptors into one gate for each channel."""
        hidden = F.relu(self.reduce(average)) + F.relu(self.reduce(largest))
        return torch.sigmoid(self.expand(hidden))


class SpatialGate(nn.Module):
    r"""Scale the positions by gates from the mean and maximum of the channels.

    .. math:: M_s = \sigma\bigl(f^{k \times k}
              [\operatorname{mean}_c x;\ \max\nolimits_c x]\bigr)

    As in the authors' code, the convolution f has no bias and a batch
    normalisation follows it. Their code stacks the maximum first; the
    paper and this layer stack the mean first.

    Parameters
    ----------
    kernel_size
        Side k of the filter, odd.
    device, dtype
        Of the parameters, as in ``torch.nn``.

    Raises
    ------
    ValueError
        If ``kernel_size`` is not odd.

    Notes
    -----
    Cost for N positions and C channels: 2NC for the descriptors,
    :math:`2k^2N` multiply-adds, NC to apply the gate; :math:`2k^2 + 2`
    weights. Any number of channels, any map size.

    References
    ----------
    Woo, Park, Lee and Kweon, "CBAM: Convolutional Block Attention Module",
    ECCV 2018.

    Examples
    --------
    >>> output, gates = SpatialGate().attend(torch.randn(2, 64, 8, 8))
    >>> gates.shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(
        self,
        kernel_size: int = 7,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        check_odd("kernel_size", kernel_size)
        self.filter = nn.Conv2d(
            2, 1, kernel_size, padding=kernel_size // 2, bias=False, **made
        )
        self.norm = nn.BatchNorm2d(1, **made)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Multiply every position by its gate."""
        return self.attend(x).output

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the gates, (batch, 1, height, width)."""
        check_map(x)
        average = x.mean(1, keepdim=True)
        descriptors = torch.cat([average, largest_over_channels(x)], dim=1)
        gates = torch.sigmoid(self.norm(self.filter(descriptors)))
        return Attended(x * gates, gates)


class CBAM(nn.Module):
    r"""Gate the channels of a map, then the positions of the result.

    .. math:: x' = M_c(x) \odot x, \qquad y = M_s(x') \odot x'

    The second gate sees what the first one left. Put it on the residual
    branch of a block, before the addition.

    Parameters
    ----------
    channels
        Channels C of the map.
    reduction
        Of the channel gate; must divide C.
    kernel_size
        Of the spatial gate, odd.
    hidden_dim
        Hidden units of the channel gate, instead of ``reduction``.
    spatial_first
        Gate the positions first, then the channels. The paper found the other
        order slightly better.
    device, dtype
        Of the parameters, as in ``torch.nn``.

    Raises
    ------
    ValueError
        If ``reduction`` does not divide ``channels`` or ``kernel_size`` is
        not odd.

    Notes
    -----
    Cost and weights: the sum of :class:`ChannelGate` and
    :class:`SpatialGate`.

    References
    ----------
    Woo, Park, Lee and Kweon, "CBAM: Convolutional Block Attention Module",
    ECCV 2018.

    Examples
    --------
    >>> output, gates = CBAM(64).attend(torch.randn(2, 64, 8, 8))
    >>> gates.channel.shape, gates.spatial.shape
    (torch.Size([2, 64]), torch.Size([2, 1, 8, 8]))
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        kernel_size: int = 7,
        *,
        hidden_dim: int | None = None,
        spatial_first: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        self.channel = ChannelGate(
            channels, reduction, hidden_dim=hidden_dim, **made
        )
        self.spatial = SpatialGate(kernel_size, **made)
        self.spatial_first = spatial_first

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Apply both gates, one after the other."""
        if self.spatial_first:
            return self.channel(self.spatial(x))
        return self.spatial(self.channel(x))

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> AttendedTwice:
        """The same with both gates.

        ``weights.channel`` is (batch, channels), ``weights.spatial`` (batch,
        1, height, width).
        """
        if self.spatial_first:
            x, spatial = self.spatial.attend(x)
            x, channel = self.channel.attend(x)
        else:
            x, channel = self.channel.attend(x)
            x, spatial = self.spatial.attend(x)
        return AttendedTwice(x, CBAMWeights(channel, spatial))
