"""Answers to the exercises of lesson 11, beside the tables of its judges."""

from collections.abc import Callable

import torch
from torch import Tensor

from attncourse.exercises.topics.dynamic_capacity import (
    cut_solution,
    fixed_hint,
    offsets_solution,
    saliency_solution,
)

Top = Callable[[Tensor], Tensor]


def by_hand(top: Top, coarse: Tensor) -> Tensor:
    leaf = coarse.detach().requires_grad_()
    p = top(leaf).softmax(-1)
    (slope,) = torch.autograd.grad(-(p * p.log()).sum(), leaf)
    return slope.norm(dim=1, keepdim=True)


def over_rows(top: Top, coarse: Tensor) -> Tensor:
    return saliency_solution(top, coarse).expand(-1, 5, -1, -1)[:, :, :1]


def of_the_double(top: Top, coarse: Tensor) -> Tensor:
    return saliency_solution(top, 2 * coarse)


def channels_first(images: Tensor, chosen: Tensor) -> Tensor:
    return cut_solution(images, chosen).transpose(1, 2)


def a_row_off(images: Tensor, chosen: Tensor) -> Tensor:
    return cut_solution(images.roll(1, 2), chosen)


def wrong_side(coarse: Tensor, fine: Tensor) -> Tensor:
    return (coarse.detach() - fine).square().sum(1).mean()


def both_sides(coarse: Tensor, fine: Tensor) -> Tensor:
    return (coarse - fine).square().sum(1).mean()


def neither(coarse: Tensor, fine: Tensor) -> Tensor:
    return fixed_hint(coarse, fine).detach()


def summed(coarse: Tensor, fine: Tensor) -> Tensor:
    return (coarse - fine.detach()).square().sum()


def middle_only(down: float, right: float, height: int, width: int) -> Tensor:
    moved = torch.zeros(1, 18, height, width)
    moved[:, 8], moved[:, 9] = down, right
    return moved


def one_pair(down: float, right: float, height: int, width: int) -> Tensor:
    return offsets_solution(down, right, height, width)[:, :2]


def twice(down: float, right: float, height: int, width: int) -> Tensor:
    return 2 * offsets_solution(down, right, height, width)


def first(scores: Tensor, share: float) -> Tensor:
    """The images with the largest scores."""
    count = round(share * len(scores))
    chosen = torch.zeros(len(scores), dtype=torch.bool)
    chosen[scores.topk(count).indices] = True
    return chosen


def entropy_of(logits: Tensor) -> Tensor:
    log_p = logits.log_softmax(-1)
    return -(log_p.exp() * log_p).sum(-1)


def undecided(logits: Tensor, share: float) -> Tensor:
    return first(entropy_of(logits), share)


def with_a_threshold(logits: Tensor, share: float) -> Tensor:
    entropy = entropy_of(logits)
    return entropy >= entropy.quantile(1 - share)


def least_probable(logits: Tensor, share: float) -> Tensor:
    return first(-logits.softmax(-1).amax(-1), share)


def smallest_lead(logits: Tensor, share: float) -> Tensor:
    best = logits.softmax(-1).topk(2).values
    return first(best[:, 1] - best[:, 0], share)


def most_certain(logits: Tensor, share: float) -> Tensor:
    return first(-entropy_of(logits), share)


def as_they_come(logits: Tensor, share: float) -> Tensor:
    return first(logits.sum(-1), share)


def with_nan(logits: Tensor, share: float) -> Tensor:
    p = logits.softmax(-1)
    return -(p * p.log()).sum(-1)


def indices(logits: Tensor, share: float) -> Tensor:
    return entropy_of(logits).topk(round(share * len(logits))).indices


def zeros_and_ones(logits: Tensor, share: float) -> Tensor:
    return undecided(logits, share).float()


WRONG = {
    "dynamic_capacity.saliency": [
        (by_hand, "gives nan"),
        (over_rows, r"shape \(2, 1, 4, 3\), but has \(2, 5, 1, 3\)"),
        (of_the_double, "this is not"),
    ],
    "dynamic_capacity.cut": [
        (channels_first, r"shape \(3, 4, 2, 24, 24\), but has \(3, 2, 4,"),
        (a_row_off, "these are other pixels"),
    ],
    "dynamic_capacity.hint": [
        (wrong_side, "The wrong side is cut off"),
        (both_sides, "reaches both"),
        (neither, "Both sides are cut off"),
        (summed, "averaged over images and positions"),
    ],
    "dynamic_capacity.break_even": [
        (8, "do not break even"),
        ("many", "should be a number"),
    ],
    "dynamic_capacity.offsets": [
        (middle_only, "Only some of the nine"),
        (one_pair, r"shape \(1, 18, 5, 7\), but has \(1, 2, 5, 7\)"),
        (twice, "does not read"),
    ],
    "dynamic_capacity.undecided": [
        (with_nan, "should be finite|should be boolean"),
        (indices, r"shape \(6,\)"),
        (zeros_and_ones, "should be boolean"),
        (with_a_threshold, "are chosen|two should be chosen"),
        (least_probable, "is not the entropy"),
        (smallest_lead, "is not the entropy"),
        (most_certain, "the most certain images"),
        (as_they_come, "largest entropy|is not the entropy|most certain"),
    ],
}

REFERENCE = {"dynamic_capacity.undecided": undecided}
