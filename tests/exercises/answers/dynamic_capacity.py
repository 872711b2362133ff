"""Wrong answers to the exercises of lesson 11, and what each is told."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from attncourse.exercises.topics.dynamic_capacity import (
    cut_solution,
    fixed_hint,
    offsets_solution,
    saliency_solution,
)

Top = Callable[[Tensor], Tensor]


def slope_of(top: Top, coarse: Tensor, *, mean: bool = False) -> Tensor:
    leaf = coarse.detach().requires_grad_()
    log_p = top(leaf).log_softmax(-1)
    entropy = -(log_p.exp() * log_p).sum(-1)
    total = entropy.mean() if mean else entropy.sum()
    return torch.autograd.grad(total, leaf)[0]


def squared(top: Top, coarse: Tensor) -> Tensor:
    return slope_of(top, coarse).square().sum(1, keepdim=True)


def of_the_mean(top: Top, coarse: Tensor) -> Tensor:
    return slope_of(top, coarse, mean=True).norm(dim=1, keepdim=True)


def signed(top: Top, coarse: Tensor) -> Tensor:
    return slope_of(top, coarse).sum(1, keepdim=True)


def absolute(top: Top, coarse: Tensor) -> Tensor:
    return slope_of(top, coarse).abs().sum(1, keepdim=True)


def largest_logit(top: Top, coarse: Tensor) -> Tensor:
    leaf = coarse.detach().requires_grad_()
    (slope,) = torch.autograd.grad(top(leaf).amax(-1).sum(), leaf)
    return slope.norm(dim=1, keepdim=True)


def not_asked(top: Top, coarse: Tensor) -> Tensor:
    return coarse.norm(dim=1, keepdim=True)


def by_hand(top: Top, coarse: Tensor) -> Tensor:
    leaf = coarse.detach().requires_grad_()
    p = top(leaf).softmax(-1)
    (slope,) = torch.autograd.grad(-(p * p.log()).sum(), leaf)
    return slope.norm(dim=1, keepdim=True)


def over_rows(top: Top, coarse: Tensor) -> Tensor:
    return slope_of(top, coarse).norm(dim=2, keepdim=True)


def down_the_columns(images: Tensor, chosen: Tensor) -> Tensor:
    rows, columns = images.shape[2] // 8, images.shape[3] // 8
    return cut_solution(images, chosen % rows * columns + chosen // rows)


def of_the_first(images: Tensor, chosen: Tensor) -> Tensor:
    return cut_solution(images, chosen[:1].expand_as(chosen))


def in_reading_order(images: Tensor, chosen: Tensor) -> Tensor:
    return cut_solution(images, chosen.sort(1).values)


def from_the_corner(images: Tensor, chosen: Tensor) -> Tensor:
    padded = F.pad(images, [0, 16, 0, 16])
    windows = padded.unfold(2, 24, 8).unfold(3, 24, 8)
    patches = windows.flatten(2, 3).movedim(2, 1)
    return patches[torch.arange(len(images))[:, None], chosen]


def channels_first(images: Tensor, chosen: Tensor) -> Tensor:
    return cut_solution(images, chosen).transpose(1, 2)


def wrong_side(coarse: Tensor, fine: Tensor) -> Tensor:
    return (coarse.detach() - fine).square().sum(1).mean()


def both_sides(coarse: Tensor, fine: Tensor) -> Tensor:
    return (coarse - fine).square().sum(1).mean()


def neither(coarse: Tensor, fine: Tensor) -> Tensor:
    return fixed_hint(coarse, fine).detach()


def averaged(coarse: Tensor, fine: Tensor) -> Tensor:
    return F.mse_loss(coarse, fine.detach())


def rooted(coarse: Tensor, fine: Tensor) -> Tensor:
    return (coarse - fine.detach()).norm(dim=1).mean()


def summed(coarse: Tensor, fine: Tensor) -> Tensor:
    return (coarse - fine.detach()).square().sum()


def x_first(down: float, right: float, height: int, width: int) -> Tensor:
    return offsets_solution(right, down, height, width)


def other_sign(down: float, right: float, height: int, width: int) -> Tensor:
    return -offsets_solution(down, right, height, width)


def in_blocks(down: float, right: float, height: int, width: int) -> Tensor:
    numbers = torch.tensor([down, right]).repeat_interleave(9)
    return numbers.view(1, 18, 1, 1).expand(1, 18, height, width)


def middle_only(down: float, right: float, height: int, width: int) -> Tensor:
    moved = torch.zeros(1, 18, height, width)
    moved[:, 8], moved[:, 9] = down, right
    return moved


def one_pair(down: float, right: float, height: int, width: int) -> Tensor:
    return offsets_solution(down, right, height, width)[:, :2]


def zeros(down: float, right: float, height: int, width: int) -> Tensor:
    return torch.zeros(1, 18, height, width)


def twice(down: float, right: float, height: int, width: int) -> Tensor:
    return 2 * offsets_solution(down, right, height, width)


WRONG = {
    "dynamic_capacity.saliency": [
        (squared, "squares of the norms"),
        (of_the_mean, "the mean entropy"),
        (signed, "with their signs"),
        (absolute, "the 1-norm"),
        (largest_logit, "the largest logit"),
        (not_asked, "the top was not asked"),
        (by_hand, "gives nan"),
        (over_rows, r"shape \(2, 1, 4, 3\), but has \(2, 5, 1, 3\)"),
        (
            lambda top, coarse: saliency_solution(top, 2 * coarse),
            "this is not",
        ),
    ],
    "dynamic_capacity.cut": [
        (down_the_columns, "counted down the columns"),
        (of_the_first, "places of the first"),
        (in_reading_order, "in reading order"),
        (from_the_corner, "begin at their place"),
        (channels_first, r"shape \(3, 4, 2, 24, 24\), but has \(3, 2, 4,"),
        (
            lambda images, chosen: cut_solution(images.roll(1, 2), chosen),
            "oth",
        ),
    ],
    "dynamic_capacity.hint": [
        (wrong_side, "The wrong side is cut off"),
        (both_sides, "reaches both"),
        (neither, "Both sides are cut off"),
        (averaged, "averages over the channels"),
        (rooted, "takes the root"),
        (summed, "averaged over images and places"),
    ],
    "dynamic_capacity.break_even": [
        (41, "the patches alone"),
        (35, "One less"),
        (36, "The saliency is not for nothing"),
        (100, "computed nine times"),
        (8, "do not break even"),
        ("many", "should be a number"),
    ],
    "dynamic_capacity.offsets": [
        (x_first, "along the wrong axis"),
        (other_sign, "The sign is wrong"),
        (in_blocks, "First come all y"),
        (middle_only, "Only some of the nine"),
        (zeros, "All offsets are zero"),
        (one_pair, r"shape \(1, 18, 5, 7\), but has \(1, 2, 5, 7\)"),
        (twice, "does not read"),
    ],
}
