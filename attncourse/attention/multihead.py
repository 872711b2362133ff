r"""Multi-head attention: several selections at once, then mixed.

.. math::

   \text{head}_i = \operatorname{attention}(XW_i^Q, YW_i^K, ZW_i^V), \qquad
   O = [\text{head}_1 \dots \text{head}_h]\, W^O
"""

from collections.abc import Callable

from jaxtyping import Bool, Float
from torch import Tensor, nn

from attncourse.attention.attended import Attended
from attncourse.attention.dot_product import (
    attention_weights,
    scaled_dot_product_attention,
)
from attncourse.attention.maps import check_tokens


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

    Examples
    --------
    >>> output, weights = MultiHeadAttention(64, heads=4).attend(
    ...     torch.randn(2, 9, 64)
    ... )
    >>> output.shape, weights.shape
    (torch.Size([2, 9, 64]), torch.Size([2, 4, 9, 9]))
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
        key_padding_mask: None = None,
    ) -> Float[Tensor, "batch queries dim"]:
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
        key_padding_mask
            Refused: it is ``nn.MultiheadAttention``'s, where True = left
            out.
        """
        _check_mask(mask, key_padding_mask)
        queries, keys, values = self._heads(query, key, value, rotate)
        heads = scaled_dot_product_attention(
            queries, keys, values, mask, score_bias=score_bias
        )
        return self._merge(heads)

    def attend(
        self,
        query: Float[Tensor, "batch queries dim"],
        key: Float[Tensor, "batch keys dim"] | None = None,
        value: Float[Tensor, "batch keys dim"] | None = None,
        mask: Bool[Tensor, "..."] | None = None,
        *,
        score_bias: Float[Tensor, "..."] | None = None,
        rotate: Callable[[Tensor], Tensor] | None = None,
        key_padding_mask: None = None,
    ) -> Attended:
        """The same with the weights, (batch, heads, queries, keys)."""
        _check_mask(mask, key_padding_mask)
        queries, keys, values = self._heads(query, key, value, rotate)
        weights = attention_weights(queries, keys, mask, score_bias=score_bias)
        heads = weights.to(values.dtype) @ values
        return Attended(self._merge(heads), weights)

    def _heads(
        self,
        query: Tensor,
        key: Tensor | None,
        value: Tensor | None,
        rotate: Callable[[Tensor], Tensor] | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each (batch, heads, tokens, dim / h)."""
        key = query if key is None else key
        value = key if value is None else value
        dim = self.query.in_features
        for name, tokens in (("query", query), ("key", key), ("value", value)):
            check_tokens(name, tokens, dim)
        queries = self._split(self.query(query))
        keys = self._split(self.key(key))
        values = self._split(self.value(value))
        if rotate is not None:
            queries, keys = rotate(queries), rotate(keys)
        return queries, keys, values

    def _split(
        self, tokens: Float[Tensor, "batch tokens dim"]
    ) -> Float[Tensor, "batch heads tokens head_dim"]:
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _merge(
        self, heads: Float[Tensor, "batch heads tokens head_dim"]
    ) -> Float[Tensor, "batch tokens dim"]:
        return self.output(heads.transpose(1, 2).flatten(-2))


def _check_mask(mask: Tensor | None, padding: None) -> None:
    if padding is not None:
        raise ValueError(
            "key_padding_mask is not taken, its True means left out; got "
            "one, write `mask=~key_padding_mask[:, None, None, :]`"
        )
    if isinstance(mask, Tensor) and mask.ndim not in (2, 4):
        raise ValueError(
            f"mask must have the axes (queries, keys) or (batch, heads, "
            f"queries, keys), got shape {tuple(mask.shape)}; for one mask "
            f"per sample write `mask[:, None]`"
        )
