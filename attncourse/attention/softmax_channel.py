r"""Softmax channel attention: the channels compete for one unit of weight.

.. math::

   a = \operatorname{softmax}(W z + b), \quad
   z = \operatorname{mean}_{h,w}(x), \qquad y_c = a_c\, x_c
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention.attended import Attended
from attncourse.attention.maps import check_map
from attncourse.attention.masking import softmax


class SoftmaxChannelAttention(nn.Module):
    r"""Share one unit of weight among the channels.

    .. math:: a = \operatorname{softmax}(W z + b), \qquad
              y_c = a_c\, x_c \quad\text{or}\quad y_c = C\, a_c\, x_c

    One linear layer without a bottleneck. The C weights sum to one, so
    their mean is 1/C and the map shrinks by about that factor: behind the
    layer, a residual block is little more than its shortcut. ``rescale``
    multiplies by C, which makes equal weights the identity.

    Parameters
    ----------
    channels
        Channels C of the map.
    rescale
        Multiply the output by C. The weights that are returned sum to one
        either way.
    device, dtype
        Of the parameters, as in ``torch.nn``.

    Raises
    ------
    ValueError
        If ``channels`` is below one.

    Notes
    -----
    Cost for N positions: NC additions, :math:`C^2` multiply-adds and NC to
    apply the weights; :math:`C^2 + C` weights to learn, against
    :math:`2C^2/r` of squeeze-and-excitation.

    References
    ----------
    No standard paper has this layer on the channels of one map; it is
    found in tutorials. For the sigmoid instead see Hu, Shen and Sun,
    "Squeeze-and-Excitation Networks", CVPR 2018.

    Examples
    --------
    >>> output, shares = SoftmaxChannelAttention(64).attend(
    ...     torch.randn(2, 64, 8, 8)
    ... )
    >>> output.shape, shares.shape
    (torch.Size([2, 64, 8, 8]), torch.Size([2, 64]))
    """

    def __init__(
        self,
        channels: int,
        *,
        rescale: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        if channels < 1:
            raise ValueError(f"channels must be at least 1, got {channels}")
        self.score = nn.Linear(channels, channels, **made)
        self.factor = channels if rescale else 1

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Multiply every channel by its share."""
        return self.attend(x).output

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the shares, (batch, channels); they sum to one."""
        check_map(x, self.score.in_features)
        squeezed = F.adaptive_avg_pool2d(x, 1).flatten(1)
        shares = softmax(self.score(squeezed))
        factors = (self.factor * shares).to(x.dtype)
        return Attended(x * factors[..., None, None], shares)
