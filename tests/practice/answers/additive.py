"""Wrong answers to the exercises of lesson 3, and what each is told."""

from torch import Tensor

from attncourse.practice.exercises.additive import scores_solution


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


WRONG = {
    "additive.scores": [
        (without_tanh, "The tanh is missing"),
        (late_tanh, "The tanh comes too late"),
        (normalised, "before the softmax"),
        (scaled, "not divided by the root"),
        (transposed, r"shape \(5, 7\), but has \(7, 5\)"),
    ],
}
