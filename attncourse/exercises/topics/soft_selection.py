"""Exercises of lesson 1, soft selection."""

from typing import Any

import torch
from torch import Tensor

from attncourse.exercises.exercise import Mistake, exercise
from attncourse.exercises.probes import (
    close,
    expect_choice,
    expect_close,
    expect_number,
    expect_tensor,
    refuse,
)

CHANGES = ("the same", "sharper", "flatter", "halved")
WHY = {
    "add": "a constant cancels in each ratio of two exponentials.",
    "double": "twice every score is half the temperature.",
    "twice": "the sum below the fraction doubles, and nothing else changes.",
}


@exercise(
    "soft_selection.three_changes",
    kind="predict",
    solution={"add": "the same", "double": "sharper", "twice": "halved"},
    praise="Only differences of scores count, and every position shares in "
    "one sum.",
    hints=(
        "Write the ratio of two weights as an exponential of a difference.",
        "For the positions listed twice, look at the sum below the fraction.",
    ),
)
def three_changes(answer: Any) -> None:
    """Judge a dictionary with the words for add, double and twice."""
    if not isinstance(answer, dict) or set(answer) != set(WHY):
        raise Mistake(
            "Hand in a dictionary with the keys 'add', 'double' and 'twice'."
        )
    right = {"add": "the same", "double": "sharper", "twice": "halved"}
    for change, words in WHY.items():
        found = expect_choice(answer[change], f"{change!r}", CHANGES)
        if found != right[change]:
            raise Mistake(f"Think again about {change!r}: {words}")


def top_k_solution(scores: Tensor, temperature: float, k: int) -> Tensor:
    """Weights of the k best positions, zero elsewhere."""
    best = scores.topk(k, dim=-1).indices
    allowed = torch.zeros_like(scores, dtype=torch.bool)
    allowed.scatter_(-1, best, True)
    kept = scores.masked_fill(~allowed, -torch.inf)
    return (kept / temperature).softmax(-1)


@exercise(
    "soft_selection.top_k",
    kind="write",
    solution=top_k_solution,
    praise="One mask leads from hard selection to the softmax. The choice of "
    "positions itself is hard: no gradient calls a position in.",
    hints=(
        "A mask does the work. Which positions may be attended?",
        "`scores.topk(k).indices`, then `scatter_` True into a mask of False.",
        "A score of minus infinity gets the weight zero: use `masked_fill` "
        "before the softmax.",
    ),
)
def top_k(answer: Any) -> None:
    """Judge `answer(scores, temperature, k)`."""
    scores = torch.randn(5, 11)
    yours = expect_tensor(answer(scores, 0.3, 4), "The weights", (5, 11))
    target = top_k_solution(scores, 0.3, 4)
    everything = (scores / 0.3).softmax(-1)
    if close(yours, everything):
        raise Mistake("Every position still has a weight; k is not used.")
    if close(yours, everything * (target > 0)):
        raise Mistake(
            "The weights of a row do not sum to one: leave the other "
            "positions out before the softmax, not after it."
        )
    if close(yours, top_k_solution(scores, 1.0, 4)):
        raise Mistake("The temperature is not used.")
    if close(yours, top_k_solution(scores, 1 / 0.3, 4)):
        raise Mistake("Divide the scores by the temperature.")
    if close(yours, top_k_solution(-scores, 0.3, 4)):
        raise Mistake("These are the positions with the lowest scores.")
    expect_close(
        yours,
        target,
        "The weights are not those of a softmax over the 4 highest scores.",
        picture=True,
    )
    one = expect_tensor(answer(scores, 0.3, 1), "With k=1 it", (5, 11))
    if not close(one, top_k_solution(scores, 0.3, 1)):
        raise Mistake("With k=1 it should be hard selection.")


def pool_solution(features: Tensor, scores: Tensor) -> Tensor:
    """Features of the maps, pooled by attention: (b, c)."""
    weights = scores.flatten(2).softmax(-1).view_as(scores)
    return (weights * features).sum((2, 3))


@exercise(
    "soft_selection.pool",
    kind="find",
    solution=pool_solution,
    praise="One softmax over all positions of one image; the images of a "
    "batch do not know of each other.",
    hints=(
        "Over which axes does the last line sum? Over which should the "
        "weights sum to one?",
        "What are the weights if you pass a single image?",
        "Join the two axes of the map with `flatten(2)`, and give the weights "
        "their shape back with `view_as`.",
    ),
)
def pool(answer: Any) -> None:
    """Judge `answer(features, scores)`."""
    features, scores = torch.randn(5, 3, 7, 11), torch.randn(5, 1, 7, 11)
    yours = expect_tensor(answer(features, scores), "The result", (5, 3))
    wrong = {
        "The softmax still runs over the batch: the images compete with each "
        "other at every position.": scores.softmax(0),
        "The softmax runs over dim 2: each column sums to one, not the whole "
        "map.": scores.softmax(2),
        "The softmax runs over dim 3: each row sums to one, not the whole "
        "map.": scores.softmax(3),
        "The softmax runs over the channel axis, which holds one entry: all "
        "weights are one.": scores.softmax(1),
        "One softmax runs over the whole batch: `flatten()` joins the images "
        "too.": scores.flatten().softmax(0).view_as(scores),
        "The weights are the scores themselves; a softmax is missing.": scores,
    }
    for message, weights in wrong.items():
        if close(yours, (weights * features).sum((2, 3))):
            raise Mistake(message)
    target = pool_solution(features, scores)
    if close(yours * 77, target):
        raise Mistake(
            "The weights sum to one already; take the sum over the positions, "
            "not the mean."
        )
    expect_close(yours, target, "The result is not the weighted mean.")


FOUR = (0.5, -1.0, 2.0, 0.0)


@exercise(
    "soft_selection.temperature",
    kind="change",
    solution=0.8,
    praise="Below it fewer positions count, above it more; the temperature is "
    "a choice of how many.",
    hints=(
        "Try 1 first, and read how many positions that makes.",
        "A lower temperature sharpens: fewer positions share the weight.",
        "Halve the interval: the effective number grows with the temperature "
        "all the way.",
    ),
)
def temperature(answer: Any) -> None:
    """Judge a temperature at which two positions count."""
    tau = expect_number(answer, "The temperature")
    if tau <= 0:
        raise Mistake("A temperature must be larger than zero.")
    weights = (torch.tensor(FOUR).double() / tau).softmax(0)
    positions = torch.special.entr(weights).sum().exp().item()
    if positions < 1.01:
        raise Mistake(
            "That is hard selection: one position has everything. Go up a lot."
        )
    if positions > 3.9:
        raise Mistake(
            "That is nearly a plain average: all four count. Go down a lot."
        )
    if abs(positions - 2) > 0.02:
        way = "lower" if positions > 2 else "higher"
        raise Mistake(
            f"It makes {positions:.2f} positions; the temperature should be "
            f"{way}."
        )


@exercise(
    "soft_selection.soft_argmax",
    kind="write",
    answer="function",
    hand_in=True,
    praise="A position that gradients can reach: the values of this attention "
    "are the coordinates themselves.",
    hints=(
        "Which vector is the value of a position here?",
        "The mean column needs only the sum of the weights in each column.",
    ),
)
def soft_argmax(answer: Any) -> None:
    """Judge `answer(scores, temperature)` on maps with two peaks."""
    height, width, rise, tau = 5, 8, 0.7, 0.4
    high, low = torch.tensor([6.0, 1.0]), torch.tensor([2.0, 4.0])  # x, y
    scores = torch.full((2, 1, height, width), -1e4)
    scores[..., 1, 6], scores[..., 4, 2] = rise, 0.0
    scores[1] += 1  # a constant, which changes nothing
    yours = expect_tensor(answer(scores, tau), "The position", (2, 2))

    def between(sharpness: float) -> Tensor:
        share = torch.sigmoid(torch.tensor(rise * sharpness))
        return (low + share * (high - low)).expand(2, 2)

    target, corner = between(1 / tau), torch.tensor([width - 1, height - 1])
    rows = [8 + 3 * (width - 1) / 2, height * (height - 1) / 2]
    wrong = (
        (target.flip(1), "x and y are swapped: the column comes first."),
        (target + 1, "The pixels are counted from 1; the first one is 0."),
        (between(1), "The temperature is not used."),
        (between(tau), "Divide the scores by the temperature."),
        (
            torch.tensor(rows).expand(2, 2),
            "Each row of the map has a softmax of its own; one softmax should "
            "run over the whole map.",
        ),
        (
            high.expand(2, 2),
            "This is the position of the highest score, which no gradient "
            "can move.",
        ),
        (target / corner, "It runs from 0 to 1; it should be in pixels."),
        (
            2 * target / corner - 1,
            "It runs from -1 to 1; it should be in pixels.",
        ),
    )
    refuse(yours.float(), wrong)
    if close((yours / target).sum(0), torch.ones(2)):
        raise Mistake(
            "One softmax runs over the whole batch; each image needs its own."
        )
    expect_close(
        yours, target, "It is not the mean position under the weights."
    )
    scores.requires_grad_()
    if not answer(scores, tau).requires_grad:
        raise Mistake(
            "No gradient reaches the scores; use tensors throughout."
        )
