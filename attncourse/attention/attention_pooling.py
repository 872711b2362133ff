r"""Pooling with a learned query.

.. math::

   v = \operatorname{softmax}\!\left(\frac{q\,(XW_k)^\top}{\sqrt{d/h}}
   \right) X W_v \, W_o \quad\text{for each of } h \text{ heads}
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention.attended import Attended
from attncourse.attention.dot_product import scaled_dot_product_attention


class AttentionPooling(nn.Module):
    r"""Pool a map to one vector: a learned query attends to all places.

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
    Cost for N places: :math:`2NC^2 + 2NC + C^2` multiply-adds; there is no
    :math:`N^2` term. :math:`3C^2` weights. The query starts normal with
    standard deviation :math:`C^{-1/2}`; it has no projection of its own,
    which a learned query would absorb.

    References
    ----------
    Lee et al., "Set Transformer", ICML 2019 (pooling by attention, here
    without the residual block behind it).
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
        self,
        x: Float[Tensor, "batch channels height width"],
        *,
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "batch channels"]
        | tuple[
            Float[Tensor, "batch channels"],
            Float[Tensor, "batch heads height width"],
        ]
    ):
        """Pool; the weights of each head sum to one over the map."""
        tokens = x.flatten(2).mT  # (batch, places, channels)
        query = self.query.expand(x.shape[0], 1, -1)
        pooled = scaled_dot_product_attention(
            self._split(query),  # (batch, heads, 1, C/h)
            self._split(self.key(tokens)),
            self._split(self.value(tokens)),
            return_weights=return_weights,
        )
        if isinstance(pooled, tuple):
            pooled, weights = pooled
            maps = weights.squeeze(2).unflatten(-1, x.shape[2:])
            return self._merge(pooled), maps
        return self._merge(pooled)

    def attend(self, *inputs: Any, **options: Any) -> Attended:
        """The output and the weights."""
        return Attended(*self.forward(*inputs, return_weights=True, **options))

    def _split(
        self, tokens: Float[Tensor, "batch tokens channels"]
    ) -> Float[Tensor, "batch heads tokens head_dim"]:
        heads: Tensor = tokens.unflatten(-1, (self.heads, -1))
        return heads.transpose(1, 2)

    def _merge(
        self, pooled: Float[Tensor, "batch heads 1 head_dim"]
    ) -> Float[Tensor, "batch channels"]:
        merged: Tensor = self.output(pooled.flatten(1))
        return merged
