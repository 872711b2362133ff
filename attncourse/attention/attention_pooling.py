r"""Pooling with a learned query.

.. math::

   v = \operatorname{softmax}\!\left(\frac{q\,(XW_k)^\top}{\sqrt{d/h}}
   \right) X W_v \, W_o \quad\text{for each of } h \text{ heads}
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention.attended import Attended
from attncourse.attention.dot_product import (
    attention_weights,
    scaled_dot_product_attention,
)
from attncourse.attention.maps import check_map


class AttentionPooling(nn.Module):
    r"""Pool a map to one vector: a learned query attends to all positions.

    .. math:: \alpha = \operatorname{softmax}\!\left(
              \frac{(XW_k)\, q}{\sqrt{d}}\right), \qquad
              v = (\alpha^\top X W_v)\, W_o

    in each head, with d its width; the heads stand side by side before
    :math:`W_o`.

    Parameters
    ----------
    channels
        Channels C of the map.
    heads
        Number of heads; must divide ``channels``.

    Raises
    ------
    ValueError
        If ``heads`` does not divide ``channels``.

    Notes
    -----
    Cost for N positions: :math:`2NC^2 + 2NC + C^2` multiply-adds; there is no
    :math:`N^2` term. :math:`3C^2` weights. The query starts normal with
    standard deviation :math:`C^{-1/2}`; it has no projection of its own,
    which a learned query would absorb.

    References
    ----------
    Lee et al., "Set Transformer", ICML 2019 (pooling by attention, here
    without the residual block behind it).

    Examples
    --------
    >>> pooled, weights = AttentionPooling(64, heads=4).attend(
    ...     torch.randn(2, 64, 7, 7)
    ... )
    >>> pooled.shape, weights.shape
    (torch.Size([2, 64]), torch.Size([2, 4, 7, 7]))
    """

    def __init__(self, channels: int, heads: int = 1) -> None:
        super().__init__()
        if heads < 1 or channels < 1 or channels % heads:
            raise ValueError(
                f"heads must be a positive divisor of channels, got "
                f"channels={channels} and heads={heads}"
            )
        self.heads = heads
        self.query = nn.Parameter(torch.empty(channels))
        nn.init.trunc_normal_(self.query, std=channels**-0.5)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.output = nn.Linear(channels, channels)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Pool the map."""
        query, key, value = self._heads(x)
        return self._merge(scaled_dot_product_attention(query, key, value))

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the weights, (batch, heads, height, width).

        Those of a head sum to one over the map.
        """
        query, key, value = self._heads(x)
        weights = attention_weights(query, key)  # (batch, heads, 1, N)
        return Attended(
            self._merge(weights.to(value.dtype) @ value),
            weights.squeeze(2).unflatten(-1, x.shape[2:]),
        )

    def _heads(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        check_map(x, self.key.in_features)
        tokens = x.flatten(2).mT  # (batch, positions, channels)
        query = self.query.expand(x.shape[0], 1, -1)
        return (
            self._split(query),  # (batch, heads, 1, C/h)
            self._split(self.key(tokens)),
            self._split(self.value(tokens)),
        )

    def _split(
        self, tokens: Float[Tensor, "batch tokens channels"]
    ) -> Float[Tensor, "batch heads tokens head_dim"]:
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _merge(
        self, pooled: Float[Tensor, "batch heads 1 head_dim"]
    ) -> Float[Tensor, "batch channels"]:
        return self.output(pooled.flatten(1))
