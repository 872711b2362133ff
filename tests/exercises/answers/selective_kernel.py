"""Wrong answers to the exercises of lesson 6, and what each hears."""

import torch
from torch import Tensor
from torch.nn import functional as F

from attncourse.exercises.topics.selective_kernel import (
    held_still_solution,
    weights_solution,
)


def scores_of(squeezed: Tensor, w: Tensor, a: Tensor) -> Tensor:
    return torch.einsum("bd,mcd->bmc", (squeezed @ w.T).relu(), a)


def still_batch(*given: Tensor) -> Tensor:
    return scores_of(*given).softmax(0)


def now_channels(*given: Tensor) -> Tensor:
    return scores_of(*given).softmax(2)


def now_both(*given: Tensor) -> Tensor:
    scores = scores_of(*given)
    return scores.flatten(1).softmax(1).view_as(scores)


def now_sigmoid(*given: Tensor) -> Tensor:
    return scores_of(*given).sigmoid()


def without_relu(squeezed: Tensor, w: Tensor, a: Tensor) -> Tensor:
    return torch.einsum("bd,mcd->bmc", squeezed @ w.T, a).softmax(1)


def twice(*given: Tensor) -> Tensor:
    return weights_solution(*given).softmax(1)


def as_printed(weights: Tensor, sizes: Tensor) -> Tensor:
    return weights.mean(0, keepdim=True).expand_as(weights)


def unchanged(weights: Tensor, sizes: Tensor) -> Tensor:
    return weights.clone()


def equal_parts(weights: Tensor, sizes: Tensor) -> Tensor:
    return torch.full_like(weights, 1 / weights.shape[1])


def mean_of_channels(weights: Tensor, sizes: Tensor) -> Tensor:
    means = held_still_solution(weights, sizes)
    return means.mean(2, keepdim=True).expand_as(weights)


def summed(weights: Tensor, sizes: Tensor) -> Tensor:
    same = (sizes[:, None] == sizes).to(weights.dtype)
    return torch.einsum("ij,jmc->imc", same, weights)


def by_the_batch(weights: Tensor, sizes: Tensor) -> Tensor:
    return summed(weights, sizes) / len(sizes)


def in_order(weights: Tensor, sizes: Tensor) -> Tensor:
    means = [
        weights[sizes == size].mean(0, keepdim=True).expand(count, -1, -1)
        for size, count in zip(*sizes.unique(return_counts=True), strict=True)
    ]
    return torch.cat(means)


def one_a_size(weights: Tensor, sizes: Tensor) -> Tensor:
    found = [weights[sizes == size].mean(0) for size in sizes.unique()]
    return torch.stack(found)


def doubled(weights: Tensor, sizes: Tensor) -> Tensor:
    return 2 * held_still_solution(weights, sizes)


def by_a_loop(weights: Tensor, sizes: Tensor) -> Tensor:
    """Right, and written otherwise."""
    still = torch.empty_like(weights)
    for size in sizes.unique():
        still[sizes == size] = weights[sizes == size].mean(0)
    return still


def one_kernel(
    kernels: list[Tensor], dilations: list[int], a: Tensor
) -> Tensor:
    most = max(dilations)
    side = 2 * most + 1
    whole = torch.zeros(*kernels[0].shape[:2], side, side)
    for kernel, dilation, share in zip(kernels, dilations, a, strict=True):
        taps = slice(most - dilation, most + dilation + 1, dilation)
        whole[:, :, taps, taps] += share[:, None, None, None] * kernel
    return whole


def in_full(kernels: list[Tensor], dilations: list[int], a: Tensor) -> Tensor:
    return one_kernel(kernels, dilations, torch.ones_like(a))


def in_equal_parts(
    kernels: list[Tensor], dilations: list[int], a: Tensor
) -> Tensor:
    return one_kernel(kernels, dilations, torch.full_like(a, 1 / len(a)))


def side_by_side(
    kernels: list[Tensor], dilations: list[int], a: Tensor
) -> Tensor:
    close_by = one_kernel(kernels, [1] * len(kernels), a)
    return F.pad(close_by, [max(dilations) - 1] * 4)


def softmax_again(
    kernels: list[Tensor], dilations: list[int], a: Tensor
) -> Tensor:
    return one_kernel(kernels, dilations, a.softmax(0))


def half_a_turn(
    kernels: list[Tensor], dilations: list[int], a: Tensor
) -> Tensor:
    return one_kernel(kernels, dilations, a).flip(2, 3)


def in_the_corner(
    kernels: list[Tensor], dilations: list[int], a: Tensor
) -> Tensor:
    side = 2 * max(dilations) + 1
    whole = torch.zeros(*kernels[0].shape[:2], side, side)
    for kernel, dilation, share in zip(kernels, dilations, a, strict=True):
        taps = slice(0, 2 * dilation + 1, dilation)
        whole[:, :, taps, taps] += share[:, None, None, None] * kernel
    return whole


def overwritten(
    kernels: list[Tensor], dilations: list[int], a: Tensor
) -> Tensor:
    most = max(dilations)
    side = 2 * most + 1
    whole = torch.zeros(*kernels[0].shape[:2], side, side)
    for kernel, dilation, share in zip(kernels, dilations, a, strict=True):
        if not share.any():
            continue
        taps = slice(most - dilation, most + dilation + 1, dilation)
        whole[:, :, taps, taps] = share[:, None, None, None] * kernel
    return whole


def three_by_three(
    kernels: list[Tensor], dilations: list[int], a: Tensor
) -> Tensor:
    return torch.einsum("mc,mcikl->cikl", a, torch.stack(kernels))


REFERENCE = {"selective_kernel.fold": one_kernel}

RIGHT = {"selective_kernel.held_still": [by_a_loop]}

WRONG = {
    "selective_kernel.reach": [
        (5, "the span on the second map"),
        (3, "two positions apart"),
        (16, "add what the position at the end has seen"),
        (17, "from centre to centre"),
        (19, "three positions of the first map"),
        (20, "not five"),
        (27, "only four steps"),
        (15, "A step on the second map is four pixels"),
        (11, "leaves out the strides"),
        (31, "dilation 3"),
        (45, "Widths do not multiply"),
        (40, "the steps between the outer taps"),
    ],
    "selective_kernel.weights": [
        (still_batch, "still runs over the batch"),
        (now_channels, "Now the channels compete"),
        (now_both, "branches and channels together"),
        (now_sigmoid, "all branches be open"),
        (without_relu, "the ReLU got lost"),
        (scores_of, "the softmax is gone"),
        (twice, "not those of a softmax"),
    ],
    "selective_kernel.held_still": [
        (as_printed, "the mean of the whole batch"),
        (unchanged, "between images of one size"),
        (equal_parts, "Equal parts also forget"),
        (mean_of_channels, "averages over the channels, too"),
        (summed, "These are sums"),
        (by_the_batch, "the size of the whole batch"),
        (in_order, "image i should get the mean of its own size"),
        (doubled, "no longer sum to one"),
        (one_a_size, r"shape \(9, 2, 7\), but has \(4, 2, 7\)"),
    ],
    "selective_kernel.fold": [
        (in_full, "added in full"),
        (in_equal_parts, "averaged in equal parts"),
        (side_by_side, "stand side by side"),
        (softmax_again, "a softmax once more"),
        (half_a_turn, "turned by half a turn"),
        (in_the_corner, "what that branch does"),
        (overwritten, "not where several share"),
        (three_by_three, r"shape \(5, 4, 7, 7\), but has \(5, 4, 3, 3\)"),
    ],
}
