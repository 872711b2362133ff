"""Wrong answers to the exercises of lesson 3, and what each is told."""

from torch import Tensor

from attncourse.exercises.topics.additive import (
    scores_solution,
    sharpen_solution,
)


def without_tanh(
    query: Tensor, key: Tensor, w_query: Tensor, w_key: Tensor, u: Tensor
) -> Tensor:
    return ((query @ w_query.T)[:, None] + key @ w_key.T) @ u


def late_tanh(*given: Tensor) -> Tensor:
    return without_tanh(*given).tanh()


def normalised(*given: Tensor) -> Tensor:
    return scores_solution(*given).softmax(-1)


def scaled(*given: Tensor) -> Tensor:
    return scores_solution(*given) / given[-1].numel() ** 0.5


def transposed(*given: Tensor) -> Tensor:
    return scores_solution(*given).T


def weighted(x: Tensor, weights: Tensor) -> Tensor:
    return (x * weights).sum((2, 3))


def always_squared(weights: Tensor, t: float) -> Tensor:
    return sharpen_solution(weights, 2.0)


ALL = ["W", "beta", "u"]

WRONG = {
    "additive.first_step": [
        ({"first": ALL, "second": ALL}, "too many"),
        ({"first": [], "second": ALL}, "Something learns"),
        ({"first": ["W"], "second": ALL}, "leads through u"),
        ({"first": ["u"], "second": ["u"]}, "no longer zero"),
        ({"first": "u", "second": ALL}, "a list of names"),
        ((["u"], ALL), "a dictionary with the keys"),
    ],
    "additive.pool": [
        (
            lambda x, s: weighted(x, s.flatten().softmax(0).view_as(s)),
            "compete for one unit",
        ),
        (lambda x, s: weighted(x, s.softmax(0)), "over the batch"),
        (lambda x, s: weighted(x, s.softmax(1)), "a single entry"),
        (lambda x, s: weighted(x, s.softmax(2)), "each column sums to one"),
        (lambda x, s: weighted(x, s.softmax(3)), "each row sums to one"),
        (
            lambda x, s: weighted(
                x, s.flatten(2).softmax(-1).view_as(s) / len(x)
            ),
            "over the batch size",
        ),
        (lambda x, s: x.mean((2, 3)), "not the weighted mean"),
    ],
    "additive.sharpen": [
        (lambda w, t: w, "use t"),
        (lambda w, t: w**t, "sum is no longer one"),
        (lambda w, t: w**t / (w**t).sum(), "the whole batch"),
        (lambda w, t: w**t / (w**t).sum(2, keepdim=True), "Each column"),
        (lambda w, t: w**t / (w**t).sum(3, keepdim=True), "Each row"),
        (
            lambda w, t: (w * t).flatten(2).softmax(-1).view_as(w),
            "a softmax of the weights",
        ),
        (lambda w, t: sharpen_solution(w, 1 / t), "this one flattens"),
        (lambda w, t: sharpen_solution(w, t + 1), "not that of"),
        (always_squared, "With t = 1"),
    ],
    "additive.scores": [
        (without_tanh, "The tanh is missing"),
        (late_tanh, "The tanh comes too late"),
        (normalised, "before the softmax"),
        (scaled, "not divided by the root"),
        (transposed, r"shape \(5, 7\), but has \(7, 5\)"),
    ],
}
