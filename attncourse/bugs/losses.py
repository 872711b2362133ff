"""Losses, written wrongly in four ways."""

from math import cos, sin

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from attncourse.metrics.overlap import coverage


def focal_loss_of_attention(
    weights: Float[Tensor, "batch heads rows columns"],
    masks: Bool[Tensor, "batch 1 height width"],
    *,
    gamma: float = 2.0,
) -> Float[Tensor, " batch"]:
    """Wrong: the weights in the mask are taken for cross-entropies.

    exp(-x) is a probability if x is a cross-entropy. Of an attention weight
    the loss is zero at zero and grows from there, so training empties the
    region that it should fill.
    """
    easy = torch.exp(-weights)
    terms = (1 - easy) ** gamma * weights
    return (terms * coverage(weights, masks)).sum((2, 3)).mean(1)


def detached_term(
    task: Float[Tensor, ""], auxiliary: Float[Tensor, ""]
) -> Float[Tensor, ""]:
    """Wrong: ``.item()`` turns the auxiliary loss into a plain number.

    The sum has the right value and the gradient of the task alone.
    """
    return task + auxiliary.item()


def margin_without_guard(
    cosines: Float[Tensor, "batch classes"],
    labels: Int64[Tensor, " batch"],
    *,
    margin: float = 0.5,
) -> Float[Tensor, "batch classes"]:
    """Wrong: cos(theta + m) is used beyond pi - m, where it rises again.

    An embedding nearly opposite to its class is pushed further away.
    """
    own = cosines.gather(1, labels[:, None])
    sine = (1 - own.square()).clamp_min(1e-12).sqrt()
    turned = own * cos(margin) - sine * sin(margin)
    return cosines.scatter(1, labels[:, None], turned)


def margin_by_arc_cosine(
    cosines: Float[Tensor, "batch classes"],
    labels: Int64[Tensor, " batch"],
    *,
    margin: float = 0.5,
) -> Float[Tensor, "batch classes"]:
    """Wrong: the angle is computed, and its slope is infinite at the ends.

    One embedding that reaches its class makes every gradient NaN, and so
    does a cosine that rounding has put above one.
    """
    own = cosines.gather(1, labels[:, None])
    turned = torch.cos(torch.acos(own) + margin)
    guarded = torch.where(
        own >= -cos(margin), turned, own - margin * sin(margin)
    )
    return cosines.scatter(1, labels[:, None], guarded)
