"""Wrong answers to the exercises of lesson 1, and what each is told."""

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
}
