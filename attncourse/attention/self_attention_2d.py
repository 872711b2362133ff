r"""Self-attention on maps: every place gathers from every other place.

.. math::

   \beta_{ij} = \operatorname{softmax}_j\!\left(q_i^\top k_j\right), \qquad
   y_i = x_i + \gamma \sum_j \beta_{ij}\, v_j
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention.attended import Attended
from attncourse.attention.dot_product import scaled_dot_product_attention
from attncourse.attention.maps import check_map, reduced


class SelfAttention2d(nn.Module):
    r"""Add to every place what it attends to, times a learned gamma.

    .. math:: \beta_{ij} = \operatorname{softmax}_j(q_i^\top k_j), \qquad
              y_i = x_i + \gamma \sum_j \beta_{ij}\, v_j

    Query, key and value are 1x1 convolutions of the map. Gamma starts at
    zero, so the layer starts as the identity: in the first step gamma
    alone gets a gradient, the convolutions from the second step on. The
    layer has no notion of position; permuting the places permutes the
    output.

    The value keeps all C channels. The authors' code gives it C/2, a
    further 1x1 convolution, and pools key and value 2x2.

    Parameters
    ----------
    channels
        Channels C of the map.
    reduction
        Query and key have C / reduction channels; must divide C.
    scaled
        Divide the scores by the root of the key's width. The paper does
        not; without it they harden as the width grows.

    Raises
    ------
    ValueError
        If ``reduction`` does not divide ``channels``.

    Notes
    -----
    Cost for N places: :math:`NC^2(1 + 2/r) + N^2C(1 + 1/r)` multiply-adds,
    :math:`C^2(1 + 2/r)` weights, :math:`C(1 + 2/r)` biases and gamma.
    Without ``return_weights`` the N x N weights are never stored. The fused
    kernel wants equal widths, so query and key are padded to C with zeros.

    References
    ----------
    Zhang, Goodfellow, Metaxas and Odena, "Self-Attention Generative
    Adversarial Networks", ICML 2019.
    """

    def __init__(
        self, channels: int, reduction: int = 8, *, scaled: bool = False
    ) -> None:
        super().__init__()
        width = reduced(channels, reduction)
        self.widths = (width, width, channels)
        self.scaled = scaled
        self.project = nn.Conv2d(channels, sum(self.widths), kernel_size=1)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        *,
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "batch channels height width"]
        | tuple[
            Float[Tensor, "batch channels height width"],
            Float[Tensor, "batch 1 places places"],
        ]
    ):
        """Let every place attend to all places.

        Parameters
        ----------
        x
            Feature map.
        return_weights
            Also return the weights, with one head; the places are numbered
            row by row, and each row of weights sums to one.
        """
        check_map(x, self.project.in_channels)
        query, key, value = (
            part.flatten(2).mT.unsqueeze(1)  # (batch, 1, places, dim)
            for part in self.project(x).split(self.widths, dim=1)
        )
        if not self.scaled:
            query = query * query.shape[-1] ** 0.5
        attended = scaled_dot_product_attention(
            query, key, value, return_weights=return_weights
        )
        if isinstance(attended, tuple):
            return self._add(x, attended[0]), attended[1]
        return self._add(x, attended)

    def attend(self, *inputs: Any, **options: Any) -> Attended:
        """The output and the weights."""
        return Attended(*self.forward(*inputs, return_weights=True, **options))

    def _add(
        self,
        x: Float[Tensor, "batch channels height width"],
        tokens: Float[Tensor, "batch 1 places channels"],
    ) -> Float[Tensor, "batch channels height width"]:
        gathered = tokens.squeeze(1).mT.unflatten(2, x.shape[2:])
        output: Tensor = x + self.gamma * gathered
        return output
