"""Wrong answers to the exercises of lesson 6, and what each is told."""

import torch
from torch import Tensor

from attncourse.exercises.topics.selective_kernel import (
    TWINS,
    weights_solution,
)


def mixed(maps: Tensor, weights: Tensor) -> Tensor:
    return (maps * weights[..., None, None]).sum(1)


def over_channels(maps: Tensor, scores: Tensor) -> Tensor:
    return mixed(maps, scores.softmax(2))


def over_batch(maps: Tensor, scores: Tensor) -> Tensor:
    return mixed(maps, scores.softmax(0))


def over_both(maps: Tensor, scores: Tensor) -> Tensor:
    return mixed(maps, scores.flatten(1).softmax(1).view_as(scores))


def gated(maps: Tensor, scores: Tensor) -> Tensor:
    return mixed(maps, scores.sigmoid())


def mean_of_branches(maps: Tensor, scores: Tensor) -> Tensor:
    return (maps * scores.softmax(1)[..., None, None]).mean(1)


def one_for_all_channels(maps: Tensor, scores: Tensor) -> Tensor:
    return mixed(maps, scores.mean(2, keepdim=True).softmax(1))


def not_summed(maps: Tensor, scores: Tensor) -> Tensor:
    return maps * scores.softmax(1)[..., None, None]


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


def equal_parts(weights: Tensor) -> Tensor:
    return torch.full_like(weights, 1 / weights.shape[1])


def mean_of_channels(weights: Tensor) -> Tensor:
    return weights.mean(2, keepdim=True).expand_as(weights)


def mean_of_all(weights: Tensor) -> Tensor:
    return weights.mean((0, 2), keepdim=True).expand_as(weights)


def unchanged(weights: Tensor) -> Tensor:
    return weights.clone()


def first_for_all(weights: Tensor) -> Tensor:
    return weights[:1].expand_as(weights)


def doubled(weights: Tensor) -> Tensor:
    return 2 * weights.mean(0, keepdim=True).expand_as(weights)


def not_expanded(weights: Tensor) -> Tensor:
    return weights.mean(0)


WRONG = {
    "selective_kernel.mix": [
        (mixed, "the softmax is missing"),
        (over_channels, "runs over the channels"),
        (over_batch, "runs over the batch"),
        (over_both, "branches and channels together"),
        (gated, "Sigmoid gates do not compete"),
        (mean_of_branches, "you take the mean over the branches"),
        (one_for_all_channels, "All channels share one weight"),
        (not_summed, r"shape \(5, 7, 4, 2\), but has \(5, 3, 7, 4, 2\)"),
    ],
    "selective_kernel.reach": [
        (7, "the span on the map"),
        (3, "three places apart"),
        (14, "not seven"),
        (17, "only six steps"),
        (13, "The centres span"),
        (9, "leaves out the stride"),
        (21, "Widths do not multiply"),
        (40, "the steps between the outer taps"),
    ],
    "selective_kernel.twins": [
        (TWINS[0], "It does win the weight"),
        (TWINS[2], "they sum to one"),
        (TWINS[3], "never mixed into the output"),
        ("something else", "should be one of"),
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
        (equal_parts, "Equal parts also forget"),
        (mean_of_channels, "averages over the channels"),
        (mean_of_all, "averages over images and channels"),
        (unchanged, "Nothing has changed"),
        (first_for_all, "one image's choice"),
        (doubled, "no longer sum to one"),
        (not_expanded, r"shape \(5, 2, 7\), but has \(2, 7\)"),
    ],
}
