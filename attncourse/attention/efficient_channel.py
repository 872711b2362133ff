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

    Raises
    ------
    ValueError
        If ``channels`` is below one or ``kernel_size`` is not odd.

    Notes
    -----
    Cost for N places: NC additions, kC multiply-adds and NC to apply the
    gate; k weights.

    References
    ----------
    Wang et al., "ECA-Net: Efficient Channel Attention for Deep
    Convolutional Neural Networks", CVPR 2020.
    """

    def __init__(self, channels: int, kernel_size: int | None = None) -> None:
        super().__init__()
        if channels < 1:
            raise ValueError(f"channels must be at least 1, got {channels}")
        if kernel_size is None:
            kernel_size = int((math.log2(channels) + 1) / 2) | 1
        check_odd("kernel_size", kernel_size)
        self.channels = channels
        self.filter = nn.Conv1d(
            1, 1, kernel_size, padding=kernel_size // 2, bias=False
        )

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
        check_map(x, self.channels)
        squeezed = F.adaptive_avg_pool2d(x, 1).flatten(1)
        scores = self.filter(squeezed.unsqueeze(1)).squeeze(1)
        gates = torch.sigmoid(scores)
        output = x * gates[..., None, None]
        return (output, gates) if return_weights else output

    def attend(self, *inputs: Any, **options: Any) -> Attended:
        """The output and the weights."""
        return Attended(*self.forward(*inputs, return_weights=True, **options))
