r"""Scaled dot-product attention.

.. math::

   A = \operatorname{softmax}\!\left(\frac{Q K^\top}{\sqrt{d}}\right),
   \qquad O = A V
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attncourse.attention._kernels import fused_attention
from attncourse.attention.maps import check_floats
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
    scale: float | None = None,
) -> Float[Tensor, "*batch queries value_dim"]:
    r"""Mix values by the similarity of their keys to each query.

    .. math:: o_i = \sum_j \operatorname{softmax}_j
              \!\left(\frac{q_i^\top k_j}{\sqrt{d}}\right) v_j

    Dividing by :math:`\sqrt d` keeps the variance of the scores at one when
    the entries of query and key have variance one. The weights alone come
    from :func:`attention_weights`.

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
    scale
        Factor of the products; :math:`1/\sqrt d` by default.

    Raises
    ------
    ValueError
        If shapes do not fit together or the mask is not boolean.

    Notes
    -----
    Cost: queries x keys x (dim + value_dim) multiply-adds. The weights are
    never stored as a whole.

    References
    ----------
    Vaswani et al., "Attention Is All You Need", NIPS 2017.

    Examples
    --------
    >>> query, key, value = torch.randn(3, 2, 5, 16).unbind()
    >>> scaled_dot_product_attention(query, key, value).shape
    torch.Size([2, 5, 16])
    """
    _check_shapes(query, key, value)
    _check_scores(query, key, mask, score_bias)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    return fused_attention(query, key, value, mask, score_bias, scale)


def attention_weights(
    query: Float[Tensor, "*batch queries dim"],
    key: Float[Tensor, "*batch keys dim"],
    mask: Bool[Tensor, "..."] | None = None,
    *,
    score_bias: Float[Tensor, "..."] | None = None,
    scale: float | None = None,
) -> Float[Tensor, "*batch queries keys"]:
    r"""Weights of every query over the keys; each row sums to one.

    .. math:: a_{ij} = \operatorname{softmax}_j
              \!\left(\frac{q_i^\top k_j}{\sqrt{d}}\right)

    Parameters are those of :func:`scaled_dot_product_attention`. The
    product is taken in at least float32: in half precision that of large
    vectors overflows, and an infinite score makes NaN.

    Raises
    ------
    ValueError
        If shapes do not fit together or the mask is not boolean.

    Notes
    -----
    Cost: queries x keys x dim multiply-adds; queries x keys numbers.

    References
    ----------
    Vaswani et al., "Attention Is All You Need", NIPS 2017.

    Examples
    --------
    >>> query, key = torch.randn(2, 2, 5, 16).unbind()
    >>> attention_weights(query, key).shape
    torch.Size([2, 5, 5])
    """
    _check_shapes(query, key)
    _check_scores(query, key, mask, score_bias)
    exact = torch.promote_types(query.dtype, torch.float32)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = scale * query.to(exact) @ key.to(exact).mT
    if score_bias is not None:
        scores = scores + score_bias
    return masked_softmax(scores, mask)


def _check_shapes(
    query: Tensor, key: Tensor, value: Tensor | None = None
) -> None:
    named = {"query": query, "key": key}
    if value is not None:
        named["value"] = value
    for name, tokens in named.items():
        check_floats(name, tokens)
    shapes = ", ".join(f"{n} {tuple(t.shape)}" for n, t in named.items())
    if any(tokens.ndim < 2 for tokens in named.values()):
        raise ValueError(
            f"all need at least the axes (tokens, dim), got {shapes}"
        )
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(f"query and key differ in their last axis: {shapes}")
    if value is not None and key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"key and value differ in their number of tokens: {shapes}"
        )
    if any(t.shape[:-2] != query.shape[:-2] for t in named.values()):
        raise ValueError(
            f"they differ in their leading axes, expand the shared ones: "
            f"{shapes}"
        )


def _check_scores(
    query: Tensor,
    key: Tensor,
    mask: Tensor | None,
    score_bias: Tensor | None,
) -> None:
    pairs = (*query.shape[:-1], key.shape[-2])
    check_mask(mask, pairs)
    check_broadcast("score_bias", score_bias, pairs)
