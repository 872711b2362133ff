r"""Self-attention on maps: every position gathers from every other position.

.. math::

   \beta_{ij} = \operatorname{softmax}_j\!\left(q_i^\top k_j\right), \qquad
   y_i = x_i + \gamma \sum_j \beta_{ij}\, v_j
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention.attended import Attended
from attncourse.attention.dot_product import (
    attention_weights,
    scaled_dot_product_attention,
)
from attncourse.attention.maps import check_map, reduced


class SelfAttention2d(nn.Module):
    r"""Add to every position what it attends to, times a learned gamma.

    .. math:: \beta_{ij} = \operatorname{softmax}_j(q_i^\top k_j), \qquad
              y_i = x_i + \gamma \sum_j \beta_{ij}\, v_j

    Query, key and value are 1x1 convolutions of the map. Gamma starts at
    zero, so the layer starts as the identity: in the first step gamma
    alone gets a gradient, the convolutions from the second step on. The
    layer has no notion of position; permuting the positions permutes the
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
    device, dtype
        Of the parameters, as in ``torch.nn``.

    Raises
    ------
    ValueError
        If ``reduction`` does not divide ``channels``.

    Notes
    -----
    Cost for N positions: :math:`NC^2(1 + 2/r) + N^2C(1 + 1/r)` multiply-adds,
    :math:`C^2(1 + 2/r)` weights, :math:`C(1 + 2/r)` biases and gamma.
    ``forward`` never stores the N x N weights.

    References
    ----------
    Zhang, Goodfellow, Metaxas and Odena, "Self-Attention Generative
    Adversarial Networks", ICML 2019.

    Examples
    --------
    >>> output, weights = SelfAttention2d(32).attend(torch.randn(2, 32, 7, 7))
    >>> output.shape, weights.shape
    (torch.Size([2, 32, 7, 7]), torch.Size([2, 1, 49, 49]))
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 8,
        *,
        scaled: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        width = reduced(channels, reduction)
        self.widths = (width, width, channels)
        self.scale = width**-0.5 if scaled else 1.0
        self.project = nn.Conv2d(
            channels, sum(self.widths), kernel_size=1, **made
        )
        self.gamma = nn.Parameter(torch.zeros((), **made))

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Let every position attend to all positions."""
        query, key, value = self._tokens(x)
        gathered = scaled_dot_product_attention(
            query, key, value, scale=self.scale
        )
        return self._add(x, gathered)

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the weights, (batch, 1, queries, keys).

        Queries and keys are the positions, numbered row by row.
        """
        query, key, value = self._tokens(x)
        weights = attention_weights(query, key, scale=self.scale)
        return Attended(self._add(x, weights.to(value.dtype) @ value), weights)

    def _tokens(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> list[Float[Tensor, "batch 1 positions dim"]]:
        """Query, key and value."""
        check_map(x, self.project.in_channels)
        maps = self.project(x).split(self.widths, dim=1)
        return [m.flatten(2).mT.unsqueeze(1) for m in maps]

    def _add(
        self,
        x: Float[Tensor, "batch channels height width"],
        tokens: Float[Tensor, "batch 1 positions channels"],
    ) -> Float[Tensor, "batch channels height width"]:
        gathered = tokens.squeeze(1).mT.unflatten(2, x.shape[2:])
        return x + self.gamma * gathered
