"""Exercises of TITLE."""

from typing import Any

import torch
from torch import Tensor

from attncourse.exercises.exercise import Mistake, exercise
from attncourse.exercises.probes import (
    expect_close,
    expect_number,
    expect_tensor,
    refuse,
)


def weights_solution(scores: Tensor) -> Tensor:
    """Softmax over all positions of each map."""
    return scores.flatten(1).softmax(1).view_as(scores)


WEIGHTS_WRONG = (
    (
        lambda scores: scores.softmax(-1),
        "Each row sums to one: the softmax runs over the columns alone.",
    ),
    (
        lambda scores: scores.softmax(-2),
        "Each column sums to one: the softmax runs over the rows alone.",
    ),
    (
        lambda scores: scores.softmax(0),
        "The softmax runs over the batch, and joins the images.",
    ),
    (
        lambda scores: scores.flatten(1).exp().view_as(scores),
        "These are the exponentials; they are not divided by their sum.",
    ),
)


@exercise(
    "TOPIC.weights",
    kind="write",
    solution=weights_solution,
    praise="All positions of a map share one unit of weight.",
    hints=(
        "Which axes does one map have?",
        "`flatten(1)` makes one axis of rows and columns.",
    ),
    wrong=WEIGHTS_WRONG,
)
def weights(answer: Any) -> None:
    """Judge `answer(scores)`."""
    scores = torch.randn(5, 3, 4)
    yours = expect_tensor(answer(scores), "The weights", (5, 3, 4))
    refuse(yours, WEIGHTS_WRONG, scores)
    expect_close(
        yours, weights_solution(scores), "These are not softmax weights."
    )


EVEN_WRONG = (
    (1.0, "Then the 64 weights would sum to 64."),
    (64.0, "That is the number of positions; what is the share of one?"),
    (1 / 8, "That is a share of one row; the map has 8 of them."),
    (0.0, "The weights sum to one, so they cannot all be zero."),
)


@exercise(
    "TOPIC.even",
    kind="predict",
    solution=1 / 64,
    praise="Equal scores share equally, whatever they are.",
    hints=("How many positions are there?", "They sum to one."),
    wrong=EVEN_WRONG,
)
def even(answer: Any) -> None:
    """Judge one weight."""
    yours = expect_number(answer, "The weight")
    refuse(yours, EVEN_WRONG)
    if abs(yours - 1 / 64) > 1e-3:
        raise Mistake(f"Not {yours:g}: 64 equal weights sum to one.")


def sharper_solution(scores: Tensor, temperature: float) -> Tensor:
    """Softmax at a temperature: the lower, the sharper."""
    return (scores / temperature).softmax(-1)


SHARPER_WRONG = (
    (
        lambda scores, temperature: (scores * temperature).softmax(-1),
        "Nothing has changed yet: a low temperature shrinks the scores.",
    ),
    (
        lambda scores, temperature: scores.softmax(-1),
        "The temperature is not used.",
    ),
    (
        lambda scores, temperature: scores.softmax(-1) / temperature,
        "The weights do not sum to one: divide the scores, not the weights.",
    ),
    (
        lambda scores, temperature: (-scores / temperature).softmax(-1),
        "The lowest score has the largest weight.",
    ),
)


@exercise(
    "TOPIC.sharper",
    kind="find",
    solution=sharper_solution,
    praise="Divided by a small number, scores lie further apart.",
    hints=(
        "What does a temperature of 0.1 do to the scores in the code?",
        "Scores that lie further apart give sharper weights.",
    ),
    wrong=SHARPER_WRONG,
)
def sharper(answer: Any) -> None:
    """Judge `answer(scores, temperature)`."""
    scores, temperature = torch.randn(5, 7), 0.3
    yours = expect_tensor(answer(scores, temperature), "The weights", (5, 7))
    refuse(yours, SHARPER_WRONG, scores, temperature)
    expect_close(
        yours,
        sharper_solution(scores, temperature),
        "These are not the softmax of the scores at this temperature.",
    )


@exercise(
    "TOPIC.inside",
    kind="write",
    answer="function",
    hand_in=True,
    praise="The share is that of each map, whatever its sum.",
    hints=(
        "What is the weight inside, and what is all of it?",
        "A boolean mask times weights leaves those inside.",
    ),
)
def inside(answer: Any) -> None:
    """Judge `answer(weights, mask)` by its properties."""
    given, mask = torch.rand(5, 3, 4) + 0.1, torch.rand(5, 3, 4) < 0.5
    mask[:, 0, 0], mask[:, 2, 3] = True, False
    yours = expect_tensor(answer(given, mask), "The share", (5,))
    every = expect_tensor(
        answer(given, torch.ones_like(mask)), "The share", (5,)
    )
    expect_close(
        every, torch.ones(5), "Where the mask is the whole map, it is one."
    )
    expect_close(
        answer(3 * given, mask), yours, "It changes with the sum of a map."
    )
    rest = expect_tensor(answer(given, ~mask), "The share", (5,))
    expect_close(
        yours + rest, torch.ones(5), "Inside and outside do not sum to one."
    )
    more = given + mask
    if not (answer(more, mask) > yours).all():
        raise Mistake("With more weight inside, the share does not rise.")
    even = torch.ones_like(given)
    expect_close(
        answer(even, mask),
        mask.float().mean((1, 2)),
        "Where the weights are equal, it is the mask's share of the area.",
    )
    two = torch.zeros_like(given)
    two[:, 0, 0], two[:, 2, 3] = 1, 3
    expect_close(
        answer(two, mask),
        torch.full((5,), 0.25),
        "Of two weights, 1 inside and 3 outside, a quarter is inside.",
    )
