r"""Scaled dot-product attention.

.. math::

   A = \operatorname{softmax}\!\left(\frac{Q K^\top}{\sqrt{d}}\right),
   \qquad O = A V
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from attncourse.attention.masking import (
    check_broadcast,
    check_mask,
    masked_softmax,
)


def scaled_dot_product_attention(
    query: Float[Tensor, "*batch queries dim"],
    key: Float[Tensor, "*batch keys dim"],
    value: Float[Tensor, "*batch keys value_dim"],
    mask: Bool[Tensor, "..."] | None = None,
    *,
    score_bias: Float[Tensor, "..."] | None = None,
    return_weights: bool = False,
) -> (
    Float[Tensor, "*batch queries value_dim"]
    | tuple[
        Float[Tensor, "*batch queries value_dim"],
        Float[Tensor, "*batch queries keys"],
    ]
):
    r"""Mix values by the similarity of their keys to each query.

    .. math:: o_i = \sum_j \operatorname{softmax}_j
              \!\left(\frac{q_i^\top k_j}{\sqrt{d}}\right) v_j

    Dividing by :math:`\sqrt d` keeps the variance of the scores at one when
    the entries of query and key have variance one.

    Parameters
    ----------
    query, key, value
        Shapes (..., queries, dim), (..., keys, dim), (..., keys, value_dim).
        The leading axes (batch, heads) must be equal.
    mask
        True = may be attended, broadcastable to (..., queries, keys). This
        is the convention of ``torch.nn.functional``;
        ``torch.nn.MultiheadAttention`` means the opposite. A query with
        nothing to attend gets zeros.
    score_bias
        Added to the scores before the softmax, for example a relative
        position bias; broadcastable to (..., queries, keys).
    return_weights
        Also return the weights (..., queries, keys), in at least float32.
        They cost queries x keys numbers; without them the fused kernel
        never stores them.

    Raises
    ------
    ValueError
        If shapes do not fit together or the mask is not boolean.

    Notes
    -----
    Cost: queries x keys x (dim + value_dim) multiply-adds.

    References
    ----------
    Vaswani et al., "Attention Is All You Need", NIPS 2017.
    """
    _check_shapes(query, key, value)
    pairs = (*query.shape[:-1], key.shape[-2])
    check_mask(mask, pairs)
    check_broadcast("score_bias", score_bias, pairs)
    if return_weights:
        weights = dot_product_weights(query, key, mask, score_bias)
        return weights.to(value.dtype) @ value, weights
    return _fused(query, key, value, mask, score_bias)


def dot_product_weights(
    query: Float[Tensor, "*batch queries dim"],
    key: Float[Tensor, "*batch keys dim"],
    mask: Bool[Tensor, "..."] | None = None,
    score_bias: Float[Tensor, "..."] | None = None,
) -> Float[Tensor, "*batch queries keys"]:
    """Weights of every query over the keys; each row sums to one.

    The product is taken in at least float32: in half precision that of
    large vectors overflows, and an infinite score makes NaN.
    """
    dtype = torch.promote_types(query.dtype, torch.float32)
    query, key = query.to(dtype), key.to(dtype)
    scores = (query * query.shape[-1] ** -0.5) @ key.mT
    if score_bias is not None:
        scores = scores + score_bias
    return masked_softmax(scores, mask)


def attention_weights(
    query: Float[Tensor, "*batch queries dim"],
    key: Float[Tensor, "*batch keys dim"],
    mask: Bool[Tensor, "..."] | None = None,
    *,
    score_bias: Float[Tensor, "..."] | None = None,
) -> Float[Tensor, "*batch queries keys"]:
    """Weights of every query over the keys; each row sums to one."""
    _check_shapes(query, key, key)
    pairs = (*query.shape[:-1], key.shape[-2])
    check_mask(mask, pairs)
    check_broadcast("score_bias", score_bias, pairs)
    return dot_product_weights(query, key, mask, score_bias)


def _fused(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    score_bias: Tensor | None,
) -> Tensor:
    """Hand over to torch's fused kernel in the layout it accepts.

    With unequal widths, a last axis that is not contiguous, a rank other
    than 3 and 4, or a mask of rank 3 for queries of rank 4, torch falls back
    to a kernel that stores all weights, and does not say so. Zeros added to
    the width change no score and no value.
    """
    dim, value_dim = query.shape[-1], value.shape[-1]
    width = max(dim, value_dim)
    shape = (*query.shape[:-1], value_dim)
    pairs = (*query.shape[:-1], key.shape[-2])
    empty = None
    if score_bias is not None:
        if mask is not None:
            empty = ~mask.any(-1, keepdim=True)
            score_bias = score_bias.masked_fill(~(mask | empty), -torch.inf)
        mask = score_bias.to(query.dtype)
    if mask is not None and len(pairs) not in (3, 4):
        mask = mask.expand(pairs).reshape(-1, *pairs[-2:])
    elif mask is not None and mask.ndim == 3 and len(pairs) == 4:
        mask = mask.unsqueeze(0)
    output = F.scaled_dot_product_attention(
        _fit(query, width),
        _fit(key, width),
        _fit(value, width),
        attn_mask=mask,
        scale=dim**-0.5,
    )
    output = output[..., :value_dim].reshape(shape)
    return output if empty is None else output.masked_fill(empty, 0)


def _fit(
    tokens: Float[Tensor, "*batch tokens dim"], width: int
) -> Float[Tensor, "..."]:
    """Pad to the width, make the last axis contiguous and the rank 3 or 4."""
    if tokens.shape[-1] < width:
        tokens = F.pad(tokens, (0, width - tokens.shape[-1]))
    elif tokens.stride(-1) != 1:
        tokens = tokens.contiguous()
    if tokens.ndim in (3, 4):
        return tokens
    return tokens.reshape(-1, *tokens.shape[-2:])


def _check_shapes(query: Tensor, key: Tensor, value: Tensor) -> None:
    shapes = (
        f"query {tuple(query.shape)}, key {tuple(key.shape)}, "
        f"value {tuple(value.shape)}"
    )
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise ValueError(
            f"query, key and value need at least the axes (tokens, dim): "
            f"{shapes}"
        )
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(f"query and key differ in their last axis: {shapes}")
    if key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"key and value differ in their number of tokens: {shapes}"
        )
    if not query.shape[:-2] == key.shape[:-2] == value.shape[:-2]:
        raise ValueError(
            f"query, key and value differ in their leading axes: {shapes}; "
            f"expand the shared ones"
        )
