r"""Squeeze-and-excitation: every channel gets a gate of its own.

.. math::

   z = \operatorname{mean}_{h,w}(x), \qquad
   s = \sigma\!\left(W_2 \operatorname{relu}(W_1 z + b_1) + b_2\right),
   \qquad y_c = s_c\, x_c
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention.attended import Attended
from attncourse.attention.maps import check_map, reduced


class SqueezeExcitation(nn.Module):
    r"""Scale the channels by gates computed from their averages.

    .. math:: s = \sigma\!\left(W_2 \operatorname{relu}(W_1 z + b_1)
              + b_2\right), \qquad y_c = s_c\, x_c

    The gates do not compete: several channels may be open at once. A gate
    is one number for the whole map, so it chooses channels, never positions.

    Both layers have a bias, as in the authors' released networks, in
    torchvision and in timm; the ablations of the paper leave it out.

    Parameters
    ----------
    channels
        Channels C of the map.
    reduction
        The hidden layer has C / reduction units; must divide C.
    hidden_dim
        Units of the hidden layer, instead of ``reduction``.
    gate
        From scores to gates. MobileNetV3 has ``F.hardsigmoid``.
    device, dtype
        Of the parameters, as in ``torch.nn``.

    Raises
    ------
    ValueError
        If ``reduction`` does not divide ``channels``, or a width is below
        one.

    Notes
    -----
    Cost for N positions: NC additions, :math:`2C^2/r` multiply-adds and NC to
    apply the gate; :math:`2C^2/r + C/r + C` weights.

    References
    ----------
    Hu, Shen and Sun, "Squeeze-and-Excitation Networks", CVPR 2018.

    Examples
    --------
    >>> output, gates = SqueezeExcitation(64).attend(torch.randn(2, 64, 8, 8))
    >>> output.shape, gates.shape
    (torch.Size([2, 64, 8, 8]), torch.Size([2, 64]))
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        *,
        hidden_dim: int | None = None,
        gate: Callable[[Tensor], Tensor] = torch.sigmoid,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        hidden_dim = reduced(channels, reduction, hidden_dim)
        self.reduce = nn.Linear(channels, hidden_dim, **made)
        self.expand = nn.Linear(hidden_dim, channels, **made)
        self.gate = gate

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
        squeezed = F.adaptive_avg_pool2d(x, 1).flatten(1)
        gates = self.gate(self.expand(F.relu(self.reduce(squeezed))))
        return Attended(x * gates[..., None, None], gates)
