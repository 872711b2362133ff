r"""Multi-head attention: several selections at once, then mixed.

.. math::

   \text{head}_i = \operatorname{attention}(XW_i^Q, YW_i^K, ZW_i^V), \qquad
   O = [\text{head}_1 \dots \text{head}_h]\, W^O
"""

from collections.abc import Callable
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor, nn

from attncourse.attention.attended import Attended
from attncourse.attention.dot_product import scaled_dot_product_attention


class MultiHeadAttention(nn.Module):
    r"""Attention in ``heads`` subspaces of width ``dim // heads``.

    .. math::

       \text{head}_i = \operatorname{attention}(XW_i^Q, YW_i^K, ZW_i^V),
       \qquad O = [\text{head}_1 \dots \text{head}_h]\, W^O

    Each head scales its scores by :math:`\sqrt{d/h}`, its own width, not by
    :math:`\sqrt d`.

    Parameters
    ----------
    dim
        Width of the tokens, in and out.
    heads
        Number of heads; must divide ``dim``.
    bias
        Give the four projections a bias, as ``nn.MultiheadAttention`` does.
        Without it a vision transformer of timm is reproduced.

    Raises
    ------
    ValueError
        If ``heads`` does not divide ``dim``.

    Notes
    -----
    Cost for N tokens: :math:`4Nd^2 + 2N^2d` multiply-adds,
    :math:`4d^2` weights. The projections start Xavier-uniform with zero
    bias.

    References
    ----------
    Vaswani et al., "Attention Is All You Need", NIPS 2017.
    """

    def __init__(self, dim: int, heads: int, *, bias: bool = True) -> None:
        super().__init__()
        if heads < 1 or dim < 1 or dim % heads:
            raise ValueError(
                f"heads must be a positive divisor of dim, got dim={dim} "
                f"and heads={heads}"
            )
        self.heads = heads
        self.query = nn.Linear(dim, dim, bias=bias)
        self.key = nn.Linear(dim, dim, bias=bias)
        self.value = nn.Linear(dim, dim, bias=bias)
        self.output = nn.Linear(dim, dim, bias=bias)
        for projection in (self.query, self.key, self.value, self.output):
            nn.init.xavier_uniform_(projection.weight)
            if bias:
                nn.init.zeros_(projection.bias)

    def forward(
        self,
        query: Float[Tensor, "batch queries dim"],
        key: Float[Tensor, "batch keys dim"] | None = None,
        value: Float[Tensor, "batch keys dim"] | None = None,
        mask: Bool[Tensor, "..."] | None = None,
        *,
        score_bias: Float[Tensor, "..."] | None = None,
        rotate: Callable[[Tensor], Tensor] | None = None,
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "batch queries dim"]
        | tuple[
            Float[Tensor, "batch queries dim"],
            Float[Tensor, "batch heads queries keys"],
        ]
    ):
        """Attend from query to key; with one argument, self-attention.

        Parameters
        ----------
        query, key, value
            Tokens. ``key`` defaults to ``query``, ``value`` to ``key``.
        mask
            True = may be attended; (queries, keys), or four axes that
            broadcast to (batch, heads, queries, keys). To leave out padded
            keys write ``is_real[:, None, None, :]``.
        score_bias
            Added to the scores; broadcastable to (batch, heads, queries,
            keys). See :class:`RelativePositionBias2d`.
        rotate
            Applied to the queries and the keys of all heads, (batch, heads,
            tokens, dim / heads). See :class:`RotaryPositions2d`.
        return_weights
            Also return the weights of every head, never their mean.
        """
        key = query if key is None else key
        value = key if value is None else value
        if mask is not None and mask.ndim not in (2, 4):
            raise ValueError(
                f"mask must have the axes (queries, keys) or (batch, heads, "
                f"queries, keys), got shape {tuple(mask.shape)}; for one "
                f"mask per sample write `mask[:, None]`"
            )
        queries = self._split(self.query(query))  # (batch, heads, n, d/h)
        keys = self._split(self.key(key))
        values = self._split(self.value(value))
        if rotate is not None:
            queries, keys = rotate(queries), rotate(keys)
        mixed = scaled_dot_product_attention(
            queries,
            keys,
            values,
            mask,
            score_bias=score_bias,
            return_weights=return_weights,
        )
        if isinstance(mixed, tuple):
            mixed, weights = mixed
            return self._merge(mixed), weights
        return self._merge(mixed)

    def attend(self, *inputs: Any, **options: Any) -> Attended:
        """The output and the weights."""
        return Attended(*self.forward(*inputs, return_weights=True, **options))

    def _split(
        self, tokens: Float[Tensor, "batch tokens dim"]
    ) -> Float[Tensor, "batch heads tokens head_dim"]:
        heads: Tensor = tokens.unflatten(-1, (self.heads, -1))
        return heads.transpose(1, 2)

    def _merge(
        self, heads: Float[Tensor, "batch heads tokens head_dim"]
    ) -> Float[Tensor, "batch tokens dim"]:
        merged: Tensor = self.output(heads.transpose(1, 2).flatten(-2))
        return merged
