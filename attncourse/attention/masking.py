"""Softmax over the places that may be attended."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def masked_softmax(
    scores: Float[Tensor, "*batch places"],
    mask: Bool[Tensor, "..."] | None = None,
) -> Float[Tensor, "*batch places"]:
    r"""Turn scores into weights over the last axis, inside a mask.

    .. math:: \alpha_j = \frac{m_j \, e^{s_j}}{\sum_k m_k \, e^{s_k}}

    A row in which nothing may be attended gets zeros, with zero gradients.
    The obvious code, ``scores.masked_fill(~mask, -inf).softmax(-1)``, gives
    NaN there, and one such row is enough to spoil the gradients of a batch.

    Parameters
    ----------
    scores
        Any real numbers, shape (..., places).
    mask
        True = may be attended; broadcastable to ``scores``.

    Returns
    -------
    Weights of the same shape, in at least float32. Every row sums to one,
    or to zero where its mask is empty.
    """
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if mask is None:
        return scores.softmax(-1)
    empty = ~mask.any(-1, keepdim=True)
    scores = scores.masked_fill(~(mask | empty), -torch.inf)
    return scores.softmax(-1).masked_fill(empty, 0)


def check_mask(mask: Tensor | None, target: tuple[int, ...]) -> None:
    """Refuse a mask that is not boolean or does not broadcast to target.

    Raises
    ------
    ValueError
        With the shape that came and the shape that is needed.
    """
    if mask is None:
        return
    if mask.dtype != torch.bool:
        raise ValueError(
            f"mask must be boolean with True = may be attended, got "
            f"{mask.dtype}; write `mask.bool()`, or `mask == 0` for an "
            f"additive mask of 0 and -inf"
        )
    check_broadcast("mask", mask, target)


def check_broadcast(
    name: str, tensor: Tensor | None, target: tuple[int, ...]
) -> None:
    """Refuse a tensor that does not broadcast to the target shape.

    Raises
    ------
    ValueError
        With the shape that came and the shape that is needed.
    """
    if tensor is None:
        return
    fits = tensor.ndim <= len(target) and all(
        have in (1, need)
        for have, need in zip(
            reversed(tensor.shape), reversed(target), strict=False
        )
    )
    if not fits:
        raise ValueError(
            f"{name} of shape {tuple(tensor.shape)} does not broadcast to "
            f"{target}"
        )
