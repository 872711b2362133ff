r"""Scaled dot-product attention.

.. math::

   A = \operatorname{softmax}\!\left(\frac{Q K^\top}{\sqrt{d}}\right),
   \qquad O = A V
"""

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from attncourse.attention.masking import check_mask, masked_softmax


def scaled_dot_product_attention(
    query: Float[Tensor, "*batch queries dim"],
    key: Float[Tensor, "*batch keys dim"],
    value: Float[Tensor, "*batch keys value_dim"],
    mask: Bool[Tensor, "..."] | None = None,
    *,
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
    check_mask(mask, (*query.shape[:-1], key.shape[-2]))
    if return_weights:
        weights = dot_product_weights(query, key, mask)
        return weights.to(value.dtype) @ value, weights
    return _fused(query, key, value, mask)


def dot_product_weights(
    query: Float[Tensor, "*batch queries dim"],
    key: Float[Tensor, "*batch keys dim"],
    mask: Bool[Tensor, "..."] | None = None,
) -> Float[Tensor, "*batch queries keys"]:
    """Weights of every query over the keys; each row sums to one.

    The query is scaled before the product, since in half precision the
    unscaled product of large vectors overflows.
    """
    scores = (query * query.shape[-1] ** -0.5) @ key.mT
    return masked_softmax(scores, mask)


def _fused(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None
) -> Tensor:
    """Hand over to torch's fused kernel in the layout it accepts.

    With unequal widths, a last axis that is not contiguous, or a rank other
    than 3 and 4, torch falls back to a kernel that stores all weights, and
    does not say so. Zeros added to the width change no score and no value.
    """
    dim, value_dim = query.shape[-1], value.shape[-1]
    width = max(dim, value_dim)
    query, key, value = (
        F.pad(t, (0, width - t.shape[-1])).contiguous()
        if t.shape[-1] < width
        else t.contiguous()
        if t.stride(-1) != 1
        else t
        for t in (query, key, value)
    )
    shape = (*query.shape[:-1], value_dim)
    if query.ndim not in (3, 4):
        if mask is not None:
            full = (*query.shape[:-1], key.shape[-2])
            mask = mask.expand(full).reshape(-1, *full[-2:])
        query, key, value = (
            t.reshape(-1, *t.shape[-2:]) for t in (query, key, value)
        )
    output = F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, scale=dim**-0.5
    )
    return output[..., :value_dim].reshape(shape)


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
