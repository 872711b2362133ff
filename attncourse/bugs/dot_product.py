"""Scaled dot-product attention, written wrongly in five ways."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def without_scale(
    query: Float[Tensor, "*batch queries dim"],
    key: Float[Tensor, "*batch keys dim"],
    value: Float[Tensor, "*batch keys value_dim"],
) -> tuple[Tensor, Tensor]:
    """Wrong: the scores are not divided by the root of the dimension.

    Their spread grows with the dimension, and the softmax hardens.
    """
    weights = (query @ key.mT).softmax(-1)
    return weights @ value, weights


def softmax_over_queries(
    query: Float[Tensor, "*batch queries dim"],
    key: Float[Tensor, "*batch keys dim"],
    value: Float[Tensor, "*batch keys value_dim"],
) -> tuple[Tensor, Tensor]:
    """Wrong: the softmax runs over the queries, so columns sum to one.

    The output of a query is no average of the values any more.
    """
    scores = query @ key.mT / query.shape[-1] ** 0.5
    weights = scores.softmax(-2)
    return weights @ value, weights


def inverted_mask(
    query: Float[Tensor, "*batch queries dim"],
    key: Float[Tensor, "*batch keys dim"],
    value: Float[Tensor, "*batch keys value_dim"],
    mask: Bool[Tensor, "..."],
) -> tuple[Tensor, Tensor]:
    """Wrong: the positions where the mask is True are the ones left out."""
    scores = query @ key.mT / query.shape[-1] ** 0.5
    weights = scores.masked_fill(mask, -torch.inf).softmax(-1)
    return weights @ value, weights


def mask_after_softmax(
    query: Float[Tensor, "*batch queries dim"],
    key: Float[Tensor, "*batch keys dim"],
    value: Float[Tensor, "*batch keys value_dim"],
    mask: Bool[Tensor, "..."],
) -> tuple[Tensor, Tensor]:
    """Wrong: weights are deleted after the softmax and not made up for.

    Rows sum to less than one, and left-out keys still lower the others.
    """
    scores = query @ key.mT / query.shape[-1] ** 0.5
    weights = scores.softmax(-1) * mask
    return weights @ value, weights


def no_guard_for_empty_rows(
    query: Float[Tensor, "*batch queries dim"],
    key: Float[Tensor, "*batch keys dim"],
    value: Float[Tensor, "*batch keys value_dim"],
    mask: Bool[Tensor, "..."],
) -> tuple[Tensor, Tensor]:
    """Wrong: a query with nothing to attend becomes NaN."""
    scores = query @ key.mT / query.shape[-1] ** 0.5
    weights = scores.masked_fill(~mask, -torch.inf).softmax(-1)
    return weights @ value, weights
