"""Softmax over what may be attended, in at least float32."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def softmax(
    scores: Float[Tensor, "..."], dim: int = -1
) -> Float[Tensor, "..."]:
    """Shares along one axis; half precision is too coarse for them."""
    exact = torch.promote_types(scores.dtype, torch.float32)
    return scores.softmax(dim, dtype=exact)


def masked_softmax(
    scores: Float[Tensor, "*batch keys"],
    mask: Bool[Tensor, "..."] | None = None,
) -> Float[Tensor, "*batch keys"]:
    r"""Turn scores into weights over the last axis, inside a mask.

    .. math:: \alpha_j = \frac{m_j \, e^{s_j}}{\sum_k m_k \, e^{s_k}}

    A row in which nothing may be attended gets zeros, with zero gradients.
    The obvious code, ``scores.masked_fill(~mask, -inf).softmax(-1)``, gives
    NaN there, and one such row is enough to spoil the gradients of a batch.

    Parameters
    ----------
    scores
        Any real numbers, shape (..., keys).
    mask
        True = may be attended; broadcastable to ``scores``.

    Returns
    -------
    Weights of the same shape, in at least float32. Every row sums to one,
    or to zero where its mask is empty.
    """
    if mask is None:
        return softmax(scores)
    empty = ~mask.any(-1, keepdim=True)
    weights = softmax(scores.masked_fill(~(mask | empty), -torch.inf))
    return weights.masked_fill(empty, 0)


def masked_softmax_2d(
    scores: Float[Tensor, "batch heads height width"],
    mask: Bool[Tensor, "..."] | None = None,
) -> Float[Tensor, "batch heads height width"]:
    """The same over all positions of a map."""
    if mask is not None:
        mask = mask.expand(scores.shape).flatten(2)
    weights = masked_softmax(scores.flatten(2), mask)
    return weights.unflatten(2, scores.shape[2:])


def check_mask(mask: Tensor | None, target: tuple[int, ...]) -> None:
    """Refuse a mask that is not boolean or does not broadcast to target.

    Raises
    ------
    ValueError
        With the shape that came and the shape that is needed.
    """
    if mask is None:
        return
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        came = getattr(mask, "dtype", type(mask).__name__)
        raise ValueError(
            f"mask must be boolean with True = may be attended, got {came}; "
            f"write `mask.bool()`, or `mask == 0` for an additive mask of 0 "
            f"and -inf"
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
    if fits:
        return
    cure = ""
    if tensor.shape == (target[0], target[-1]) and len(target) == 4:
        cure = (
            f"; for one row of keys per sample write `{name}[:, None, None, "
            f":]`"
        )
    raise ValueError(
        f"{name} of shape {tuple(tensor.shape)} does not broadcast to "
        f"{target}{cure}"
    )
