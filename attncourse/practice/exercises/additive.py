"""Exercises of lesson 3, additive attention."""

from typing import Any

import torch
from torch import Tensor

from attncourse.practice.exercise import Mistake, exercise
from attncourse.practice.probes import close, expect_close, expect_tensor


def scores_solution(
    query: Tensor, key: Tensor, w_query: Tensor, w_key: Tensor, u: Tensor
) -> Tensor:
    """Scores of all pairs: (queries, keys)."""
    added = (query @ w_query.T)[:, None] + key @ w_key.T
    return added.tanh() @ u


@exercise(
    "additive.scores",
    kind="write",
    solution=scores_solution,
    praise="Each pair has a hidden layer of its own, and u makes a number "
    "of it.",
    hints=(
        "Project the queries to (queries, hidden) and the keys to "
        "(keys, hidden). What shape must the sum of all pairs have?",
        "Give the projected queries a new axis in the middle: "
        "(queries, 1, hidden) plus (keys, hidden) broadcasts.",
        "Apply the tanh to the sum, then multiply by u with `@`.",
    ),
)
def scores(answer: Any) -> None:
    """Judge `answer(query, key, w_query, w_key, u)`."""
    query, key = torch.randn(5, 3), torch.randn(7, 2)
    w_query, w_key, u = torch.randn(11, 3), torch.randn(11, 2), torch.randn(11)
    yours = expect_tensor(
        answer(query, key, w_query, w_key, u), "The scores", (5, 7)
    )
    target = scores_solution(query, key, w_query, w_key, u)
    linear = (query @ w_query.T @ u)[:, None] + key @ w_key.T @ u
    if close(yours, linear):
        raise Mistake(
            "The tanh is missing: without it the query adds the same number "
            "to all its scores, and the softmax removes it."
        )
    if close(yours, target.softmax(-1)):
        raise Mistake(
            "These are the weights already; return the scores, before the "
            "softmax."
        )
    if close(yours, linear.tanh()):
        raise Mistake(
            "The tanh comes too late: it belongs on the hidden layer, before "
            "the product with u."
        )
    if close(yours, target / 11**0.5):
        raise Mistake(
            "Additive scores are not divided by the root of the width; that "
            "belongs to the dot product."
        )
    expect_close(
        yours,
        target,
        "The shape is right, but the numbers are not those of the equation.",
        picture=True,
    )
