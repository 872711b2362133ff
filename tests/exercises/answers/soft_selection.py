"""Wrong answers to the exercises of lesson 1, and what each is told."""

import torch
from torch import Tensor

from attncourse.exercises.topics.soft_selection import top_k_solution

CHANGES = {"add": "the same", "double": "sharper", "twice": "halved"}


def zeroed_after(scores: Tensor, temperature: float, k: int) -> Tensor:
    kept = top_k_solution(scores, temperature, k) > 0
    return (scores / temperature).softmax(-1) * kept


def only_the_best(scores: Tensor, temperature: float, k: int) -> Tensor:
    return (scores.topk(k).values / temperature).softmax(-1)


def fixed_k(scores: Tensor, temperature: float, k: int) -> Tensor:
    return top_k_solution(scores, temperature, 4)


def weighted(features: Tensor, weights: Tensor) -> Tensor:
    return (features * weights).sum((2, 3))


def softmax_of(scores: Tensor, temperature: float) -> Tensor:
    return (scores / temperature).flatten(2).softmax(-1).view_as(scores)


def mean_position(weights: Tensor) -> Tensor:
    y = torch.arange(weights.shape[2], dtype=weights.dtype)
    x = torch.arange(weights.shape[3], dtype=weights.dtype)
    columns, rows = weights.sum((1, 2)), weights.sum((1, 3))
    return torch.stack([columns @ x, rows @ y], -1)


def y_first(scores: Tensor, temperature: float) -> Tensor:
    return mean_position(softmax_of(scores, temperature)).flip(-1)


def from_one(scores: Tensor, temperature: float) -> Tensor:
    return mean_position(softmax_of(scores, temperature)) + 1


def no_temperature(scores: Tensor, temperature: float) -> Tensor:
    return mean_position(softmax_of(scores, 1))


def times_temperature(scores: Tensor, temperature: float) -> Tensor:
    return mean_position(softmax_of(scores, 1 / temperature))


def by_row(scores: Tensor, temperature: float) -> Tensor:
    return mean_position((scores / temperature).softmax(-1))


def over_batch(scores: Tensor, temperature: float) -> Tensor:
    weights = (scores / temperature).flatten().softmax(0)
    return mean_position(weights.view_as(scores))


def hard(scores: Tensor, temperature: float) -> Tensor:
    best = scores.flatten(2).argmax(-1)
    weights = torch.zeros_like(scores.flatten(2)).scatter(
        -1, best[..., None], 1
    )
    return mean_position(weights.view_as(scores))


def up_to_one(scores: Tensor, temperature: float) -> Tensor:
    last = torch.tensor([scores.shape[3] - 1, scores.shape[2] - 1])
    return mean_position(softmax_of(scores, temperature)) / last


def centred(scores: Tensor, temperature: float) -> Tensor:
    return 2 * up_to_one(scores, temperature) - 1


def soft_argmax(scores: Tensor, temperature: float) -> Tensor:
    return mean_position(softmax_of(scores, temperature))


WRONG = {
    "soft_selection.three_changes": [
        (CHANGES | {"add": "sharper"}, "'add': a constant cancels"),
        (CHANGES | {"double": "flatter"}, "'double': .*half the temperature"),
        (CHANGES | {"twice": "the same"}, "'twice': the sum"),
        (CHANGES | {"twice": "smaller"}, "one of 'the same'"),
        (("the same", "sharper", "halved"), "a dictionary with the keys"),
    ],
    "soft_selection.top_k": [
        (lambda s, t, k: (s / t).softmax(-1), "k is not used"),
        (zeroed_after, "do not sum to one"),
        (only_the_best, r"shape \(5, 11\), but has \(5, 4\)"),
        (lambda s, t, k: top_k_solution(s, 1, k), "temperature is not used"),
        (lambda s, t, k: top_k_solution(s, 1 / t, k), "Divide the scores"),
        (lambda s, t, k: top_k_solution(-s, t, k), "lowest scores"),
        (fixed_k, "With k=1"),
        (lambda s, t, k: top_k_solution(s, t, k) ** 2, "not those of a"),
    ],
    "soft_selection.pool": [
        (lambda f, s: weighted(f, s.softmax(0)), "over the batch"),
        (lambda f, s: weighted(f, s.softmax(1)), "all weights are one"),
        (lambda f, s: weighted(f, s.softmax(2)), "each column sums to one"),
        (lambda f, s: weighted(f, s.softmax(3)), "each row sums to one"),
        (
            lambda f, s: weighted(f, s.flatten().softmax(0).view_as(s)),
            "joins the images",
        ),
        (lambda f, s: weighted(f, s), "softmax is missing"),
        (
            lambda f, s: (f * s.flatten(2).softmax(-1).view_as(s)).mean(
                (2, 3)
            ),
            "not the mean",
        ),
        (lambda f, s: f.mean((2, 3)), "not the weighted mean"),
    ],
    "soft_selection.temperature": [
        (0.01, "hard selection"),
        (50, "nearly a plain average"),
        (0.5, "should be higher"),
        (1, "should be lower"),
        (-1.0, "larger than zero"),
        ("warm", "should be a number"),
    ],
    "soft_selection.soft_argmax": [
        (y_first, "x and y are swapped"),
        (from_one, "counted from 1"),
        (no_temperature, "temperature is not used"),
        (times_temperature, "Divide the scores"),
        (by_row, "Each row of the map"),
        (over_batch, "over the whole batch"),
        (hard, "which no gradient can move"),
        (up_to_one, "from 0 to 1"),
        (centred, "from -1 to 1"),
        (lambda s, t: soft_argmax(s, t).detach(), "No gradient"),
        (lambda s, t: soft_argmax(s, t) ** 2, "not the mean position"),
    ],
}

REFERENCE = {"soft_selection.soft_argmax": soft_argmax}
