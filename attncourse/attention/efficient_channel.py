r"""Efficient channel attention: a gate from a few neighbouring channels.

.. math::

   z = \operatorname{mean}_{h,w}(x), \qquad
   s_c = \sigma\!\Bigl(\sum_{|j| \le (k-1)/2} w_j\, z_{c+j}\Bigr), \qquad
   y_c = s_c\, x_c
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention.attended import Attended
from attncourse.attention.maps import check_map, check_odd


class EfficientChannelAttention(nn.Module):
    r"""Gate the channels with one small filter along the channel axis.

    .. math:: s_c = \sigma\!\Bigl(\sum_{|j| \le (k-1)/2} w_j\,
              z_{c+j}\Bigr), \qquad y_c = s_c\, x_c

    The filter has k taps, no bias, and is shared by all channels. Which
    channels are neighbours is decided by the layer before.

    Parameters
    ----------
    channels
        Channels C of the map.
    kernel_size
        Taps k, odd. By default the rule of the paper, the odd number at or
        above :math:`\lfloor(\log_2 C + 1)/2\rfloor`: 3 for 64 channels, 5
        for 128 to 1024, 7 for 2048.
    device, dtype
        Of the parameters, as in ``torch.nn``.

    Raises
    ------
    ValueError
        If ``channels`` is below one or ``kernel_size`` is not odd.

    Notes
    -----
    Cost for N positions: NC additions, kC multiply-adds and NC to apply the
    gate; k weights.

    References
    ----------
    Wang et al., "ECA-Net: Efficient Channel Attention for Deep
    Convolutional Neural Networks", CVPR 2020.

    Examples
    --------
    >>> output, gates = EfficientChannelAttention(64).attend(
    ...     torch.randn(2, 64, 8, 8)
    ... )
    >>> output.shape, gates.shape
    (torch.Size([2, 64, 8, 8]), torch.Size([2, 64]))
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int | None = None,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        if channels < 1:
            raise ValueError(f"channels must be at least 1, got {channels}")
        if kernel_size is None:
            kernel_size = int((math.log2(channels) + 1) / 2) | 1
        check_odd("kernel_size", kernel_size)
        self.channels = channels
        self.filter = nn.Conv1d(
            1, 1, kernel_size, padding=kernel_size // 2, bias=False, **made
        )

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Multiply every channel by its gate."""
        return self.attend(x).output

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the gates, (batch, channels)."""
        check_map(x, self.channels)
        squeezed = F.adaptive_avg_pool2d(x, 1).flatten(2).mT
        gates = torch.sigmoid(self.filter(squeezed)).squeeze(1)
        return Attended(x * gates[..., None, None], gates)
