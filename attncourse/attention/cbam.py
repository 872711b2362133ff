r"""CBAM: gate the channels, then the places.

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

    Raises
    ------
    ValueError
        If ``reduction`` does not divide ``channels``.

    Notes
    -----
    Cost for N places: 2NC for the descriptors, :math:`3C^2/r`
    multiply-adds, NC to apply the gate; :math:`2C^2/r` weights.

    References
    ----------
    Woo, Park, Lee and Kweon, "CBAM: Convolutional Block Attention Module",
    ECCV 2018.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = reduced(channels, reduction)
        self.reduce = nn.Linear(channels, hidden, bias=False)
        self.expand = nn.Linear(hidden, channels, bias=False)

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        *,
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "batch channels height width"]
        | tuple[
            Float[Tensor, "batch channels height width"],
            Float[Tensor, "batch channels"],
        ]
    ):
        """Multiply every channel by its gate.

        Parameters
        ----------
        x
            Feature map.
        return_weights
            Also return the gates, each between zero and one.
        """
        check_map(x, self.reduce.in_features)
        average = F.adaptive_avg_pool2d(x, 1).flatten(1)
        gates = self.gates(average, _largest_over_places(x))
        output = x * gates[..., None, None]
        return (output, gates) if return_weights else output

    def attend(self, *inputs: Any, **options: Any) -> Attended:
        """The output and the weights."""
        return Attended(*self.forward(*inputs, return_weights=True, **options))

    def gates(
        self,
        average: Float[Tensor, "batch channels"],
        largest: Float[Tensor, "batch channels"],
    ) -> Float[Tensor, "batch channels"]:
        """Turn the two descriptors into one gate for each channel."""
        hidden = F.relu(self.reduce(torch.stack([average, largest])))
        return torch.sigmoid(self.expand(hidden.sum(0)))


class SpatialGate(nn.Module):
    r"""Scale the places by gates from the mean and maximum of the channels.

    .. math:: M_s = \sigma\bigl(f^{k \times k}
              [\operatorname{mean}_c x;\ \max\nolimits_c x]\bigr)

    As in the authors' code, the convolution f has no bias and a batch
    normalisation follows it. Their code stacks the maximum first; the
    paper and this layer stack the mean first.

    Parameters
    ----------
    kernel_size
        Side k of the filter, odd.

    Raises
    ------
    ValueError
        If ``kernel_size`` is not odd.

    Notes
    -----
    Cost for N places and C channels: 2NC for the descriptors,
    :math:`2k^2N` multiply-adds, NC to apply the gate; :math:`2k^2 + 2`
    weights. Any number of channels, any map size.

    References
    ----------
    Woo, Park, Lee and Kweon, "CBAM: Convolutional Block Attention Module",
    ECCV 2018.
    """

    def __init__(self, kernel_size: int = 7) -> None:
        super().__init__()
        check_odd("kernel_size", kernel_size)
        self.filter = nn.Conv2d(
            2, 1, kernel_size, padding=kernel_size // 2, bias=False
        )
        self.norm = nn.BatchNorm2d(1)

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        *,
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "batch channels height width"]
        | tuple[
            Float[Tensor, "batch channels height width"],
            Float[Tensor, "batch 1 height width"],
        ]
    ):
        """Multiply every place by its gate.

        Parameters
        ----------
        x
            Feature map.
        return_weights
            Also return the gates, each between zero and one.
        """
        check_map(x)
        average = x.mean(1, keepdim=True)
        descriptors = torch.cat([average, _largest_over_channels(x)], dim=1)
        gates = torch.sigmoid(self.norm(self.filter(descriptors)))
        output = x * gates
        return (output, gates) if return_weights else output

    def attend(self, *inputs: Any, **options: Any) -> Attended:
        """The output and the weights."""
        return Attended(*self.forward(*inputs, return_weights=True, **options))


class CBAM(nn.Module):
    r"""Gate the channels of a map, then the places of the result.

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
    spatial_first
        Gate the places first, then the channels. The paper found the other
        order slightly better.

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
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        kernel_size: int = 7,
        *,
        spatial_first: bool = False,
    ) -> None:
        super().__init__()
        self.channel = ChannelGate(channels, reduction)
        self.spatial = SpatialGate(kernel_size)
        self.spatial_first = spatial_first

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        *,
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "batch channels height width"]
        | tuple[Float[Tensor, "batch channels height width"], CBAMWeights]
    ):
        """Apply both gates, one after the other.

        Parameters
        ----------
        x
            Feature map.
        return_weights
            Also return both gates, as ``weights.channel`` (batch, channels)
            and ``weights.spatial`` (batch, 1, height, width).
        """
        gates = (self.channel, self.spatial)
        first, second = gates[::-1] if self.spatial_first else gates
        if not return_weights:
            output: Tensor = second(first(x))
            return output
        x, earlier = first(x, return_weights=True)
        x, later = second(x, return_weights=True)
        if self.spatial_first:
            return x, CBAMWeights(channel=later, spatial=earlier)
        return x, CBAMWeights(channel=earlier, spatial=later)

    def attend(self, *inputs: Any, **options: Any) -> AttendedTwice:
        """The output and the weights."""
        return AttendedTwice(
            *self.forward(*inputs, return_weights=True, **options)
        )


def _largest_over_places(x: Tensor) -> Tensor:
    if _goes_backward(x):
        return F.adaptive_max_pool2d(x, 1).flatten(1)
    return x.amax((2, 3))


def _largest_over_channels(x: Tensor) -> Tensor:
    if _goes_backward(x):
        return x.max(1, keepdim=True).values
    return x.amax(1, keepdim=True)


def _goes_backward(x: Tensor) -> bool:
    """Of torch's maxima, ``amax`` has the fast forward, slow backward.

    It shares the gradient among ties, the others give it to one place. A
    compiler makes its own kernel of ``amax``.
    """
    eager = not torch.compiler.is_compiling()
    return eager and torch.is_grad_enabled() and x.requires_grad
