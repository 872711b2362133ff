"""Exercises of lesson 3, additive attention."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from attncourse.exercises.exercise import Mistake, exercise
from attncourse.exercises.probes import close, expect_close, expect_tensor


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
            "Additive scores are not divided by the root of the dimension; "
            "that belongs to the dot product."
        )
    expect_close(
        yours,
        target,
        "The shape is right, but the numbers are not those of the equation.",
        picture=True,
    )


@exercise(
    "additive.first_step",
    kind="predict",
    solution={"first": ["u"], "second": ["W", "beta", "u"]},
    praise="One factor at zero is safe as long as the other factor of the "
    "product is not.",
    hints=(
        "Follow the chain rule from the score back to W. Which factor must "
        "it pass?",
        "The derivative of a score by u is the tanh of the hidden layer. Is "
        "that zero?",
        "After the first step u is no longer zero. What does that open?",
    ),
)
def first_step(answer: Any) -> None:
    """Judge a dictionary with the names that learn in steps one and two."""
    if not isinstance(answer, dict) or set(answer) != {"first", "second"}:
        raise Mistake(
            "Hand in a dictionary with the keys 'first' and 'second'."
        )
    sets = {}
    for step, names in answer.items():
        known = {"W", "beta", "u"}
        if (
            not isinstance(names, list | tuple | set)
            or not set(names) <= known
        ):
            raise Mistake(
                f"{step!r} should be a list of names among 'W', 'beta' and "
                "'u'."
            )
        sets[step] = set(names)
    if not sets["first"]:
        raise Mistake(
            "Something learns in the first step: the tanh behind u is not "
            "zero."
        )
    if "u" not in sets["first"]:
        raise Mistake(
            "In the first step the way back to W and beta leads through u, "
            "which is zero."
        )
    if len(sets["first"]) > 1:
        raise Mistake(
            "'first' holds too many: the gradients of W and beta have the "
            "factor u, and u is zero."
        )
    if sets["second"] != {"W", "beta", "u"}:
        raise Mistake(
            "After the first step u is no longer zero, so nothing is in the "
            "way of the others in the second."
        )


def pool_solution(x: Tensor, scores: Tensor) -> Tensor:
    """Features pooled image by image: (b, c)."""
    weights = scores.flatten(2).softmax(-1).view_as(scores)
    return (x * weights).sum((2, 3))


@exercise(
    "additive.pool",
    kind="find",
    solution=pool_solution,
    praise="An image gets the same answer alone and in a batch, and that is "
    "the two-line test.",
    hints=(
        "Over what does the softmax run? Count its entries.",
        "Which sum is one: that of each map, or that of the batch?",
        "`flatten(2)` joins the positions of a map and leaves the images "
        "apart.",
    ),
)
def pool(answer: Any) -> None:
    """Judge `answer(x, scores)`."""
    x, scores = torch.randn(5, 3, 7, 11), torch.randn(5, 1, 7, 11)
    yours = expect_tensor(answer(x, scores), "The result", (5, 3))
    flat = scores.flatten(2)
    wrong = {
        "The images of the batch still compete for one unit of weight.": (
            scores.flatten().softmax(0).view_as(scores)
        ),
        "The softmax runs over the images: each position of the map sums to "
        "one over the batch.": scores.softmax(0),
        "This softmax runs over a single entry, so all weights are one.": (
            flat.softmax(1).view_as(scores)
        ),
        "The softmax runs over the columns of the map one by one: each "
        "column sums to one.": scores.softmax(2),
        "The softmax runs over the rows of the map one by one: each row sums "
        "to one.": scores.softmax(3),
        "The images no longer compete, but the weights of each image sum to "
        "one over the batch size.": flat.softmax(-1).view_as(scores) / 5,
    }
    for message, weights in wrong.items():
        if close(yours, (x * weights).sum((2, 3))):
            raise Mistake(message)
    expect_close(
        yours,
        pool_solution(x, scores),
        "The result is not the weighted mean of each image.",
    )


def sharpen_solution(weights: Tensor, t: float) -> Tensor:
    """Weights raised to the power t, of sum one again: (b, 1, h, w)."""
    raised = weights**t
    return raised / raised.sum((2, 3), keepdim=True)


@exercise(
    "additive.sharpen",
    kind="change",
    solution=sharpen_solution,
    praise="This is a softmax at the temperature 1/t, made without the "
    "scores.",
    hints=(
        "Raise the weights to the power t. What is their sum then?",
        "Divide by the sum over both axes of the map, image by image.",
        "`keepdim=True` leaves the sum in the shape (b, 1, 1, 1).",
    ),
)
def sharpen(answer: Any) -> None:
    """Judge `answer(weights, t)`."""
    scores = torch.randn(5, 1, 7, 11)
    weights = scores.flatten(2).softmax(-1).view_as(scores)
    target = sharpen_solution(weights, 2.0)
    yours = expect_tensor(answer(weights, 2.0), "The map", (5, 1, 7, 11))
    raised = weights**2
    if close(yours / 1e-3, raised / 1e-3):
        raise Mistake("The sum is no longer one: divide by it.")
    wrong = {
        "The map has not changed: t has to be the power, for as a factor it "
        "cancels in the division.": weights,
        "The sum runs over the whole batch, not over each map.": (
            raised / raised.sum()
        ),
        "Each column sums to one, not the whole map: sum over both of its "
        "axes.": raised / raised.sum(2, keepdim=True),
        "Each row sums to one, not the whole map: sum over both of its "
        "axes.": raised / raised.sum(3, keepdim=True),
        "That is a softmax of the weights; raise them to the power t.": (
            (weights * 2).flatten(2).softmax(-1).view_as(weights)
        ),
        "A larger t should sharpen the map; this one flattens it.": (
            sharpen_solution(weights, 0.5)
        ),
    }
    for message, each in wrong.items():
        if close(100 * yours, 100 * each):
            raise Mistake(message)
    expect_close(
        100 * yours,
        100 * target,
        "The map is not that of the equation.",
    )
    if not close(answer(weights, 1.0), weights):
        raise Mistake("With t = 1 the map should stay as it is.")


@exercise(
    "additive.gated",
    kind="write",
    answer="function",
    hand_in=True,
    praise="Each hidden unit has a gate of its own, which can close it at "
    "one position and open it at the next.",
    hints=(
        "The tanh part is that of the lesson. The gate is made from the same "
        "x by a second matrix, with another squashing function.",
        "A matrix applied at every position is a 1 x 1 convolution: "
        "`F.conv2d(x, W[:, :, None, None], beta)`.",
        "Multiply the two maps of (b, r, h, w) before u sums over the r "
        "units.",
    ),
)
def gated(answer: Any) -> None:
    """Judge `answer(x, W, beta, W_gate, beta_gate, u)` by its properties."""
    x, u = torch.randn(2, 3, 5, 7) / 2, torch.randn(4)
    matrix, bias = torch.randn(4, 3), torch.randn(4)
    gate, shift = torch.randn(4, 3) / 2, torch.randn(4) / 2
    shape = (2, 1, 5, 7)

    def scored(bias: Tensor, gate: Tensor, shift: Tensor, u: Tensor) -> Tensor:
        found = answer(x, matrix, bias, gate, shift, u)
        return expect_tensor(found, "The scores", shape)

    def plain(u: Tensor) -> Tensor:
        hidden = F.conv2d(x, matrix[:, :, None, None], bias).tanh()
        return F.conv2d(hidden, u[None, :, None, None])

    yours, far, zero = scored(bias, gate, shift, u), 60 * torch.ones(4), 0 * u
    if close(yours, plain(u)):
        raise Mistake("The gate is missing: these are the plain scores.")
    if close(yours.sum((2, 3)), torch.ones(2, 1)):
        raise Mistake(
            "These are the weights already; return the scores, before the "
            "softmax."
        )
    if close(scored(-far, gate, shift, u), 0 * yours):
        raise Mistake(
            "The two matrices have changed roles: W and beta belong inside "
            "the tanh, W_gate and beta_gate inside the sigmoid."
        )
    if not close(scored(bias, gate, -far, u), 0 * yours):
        raise Mistake(
            "With beta_gate at -60 every gate is shut and all scores should "
            "be 0; yours are not."
        )
    if not close(scored(bias, gate, far, u), plain(u)):
        raise Mistake(
            "With beta_gate at 60 every gate is open, and the scores should "
            "be those without a gate; yours are not."
        )
    if not close(scored(bias, 0 * gate, zero, u), plain(u) / 2):
        raise Mistake(
            "With W_gate and beta_gate at 0 the sigmoid is 1/2, so the "
            "scores should be half of the plain ones; yours are not."
        )
    total = torch.zeros(shape)
    for unit in torch.eye(4):
        alone = scored(bias, gate, shift, unit)
        total += (u @ unit) * alone
        _expect_sigmoid(alone / plain(unit), x, unit @ gate, unit @ shift)
    expect_close(yours, total, "u should sum up the gated units, no more.")


def _expect_sigmoid(
    opened: Tensor, x: Tensor, weights: Tensor, shift: Tensor
) -> None:
    """Say so if a unit is opened by another share than its gate says."""
    asked = torch.einsum("bchw,c->bhw", x, weights)[:, None]
    found = opened.logit()
    if torch.allclose(found, asked, atol=0.02):
        raise Mistake("beta_gate is not used.")
    if not torch.allclose(found, asked + shift, atol=0.02):
        raise Mistake(
            "A unit should be opened by the sigmoid of its own row of "
            "W_gate x + beta_gate, at each position; yours is opened by "
            "something else."
        )
