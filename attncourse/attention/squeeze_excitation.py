r"""Squeeze-and-excitation: every channel gets a gate of its own.

.. math::

   z = \operatorname{mean}_{h,w}(x), \qquad
   s = \sigma\!\left(W_2 \operatorname{relu}(W_1 z + b_1) + b_2\right),
   \qquad y_c = s_c\, x_c
"""

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
    is one number for the whole map, so it chooses channels, never places.

    Both layers have a bias, as in the authors' released networks, in
    torchvision and in timm; the ablations of the paper leave it out.

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
    Cost for N places: NC additions, :math:`2C^2/r` multiply-adds and NC to
    apply the gate; :math:`2C^2/r + C/r + C` weights.

    References
    ----------
    Hu, Shen and Sun, "Squeeze-and-Excitation Networks", CVPR 2018.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = reduced(channels, reduction)
        self.reduce = nn.Linear(channels, hidden)
        self.expand = nn.Linear(hidden, channels)

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
        squeezed = F.adaptive_avg_pool2d(x, 1).flatten(1)
        hidden = F.relu(self.reduce(squeezed))
        gates = torch.sigmoid(self.expand(hidden))
        output = x * gates[..., None, None]
        return (output, gates) if return_weights else output

    def attend(self, *inputs: Any, **options: Any) -> Attended:
        """The output and the weights."""
        return Attended(*self.forward(*inputs, return_weights=True, **options))
