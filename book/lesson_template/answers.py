"""Answers to the exercises of TITLE.

`WRONG` holds those that no table of the exercises holds, each with the words
it has to hear; `REFERENCE` proves the check of a task to hand in.
"""

from torch import Tensor


def inside(weights: Tensor, mask: Tensor) -> Tensor:
    return (weights * mask).sum((1, 2)) / weights.sum((1, 2))


def of_the_batch(weights: Tensor, mask: Tensor) -> Tensor:
    share = (weights * mask).sum() / weights.sum()
    return share.expand(len(weights))


WRONG = {
    "TOPIC.weights": [
        (lambda scores: scores.flatten(1).softmax(1), r"shape \(5, 3, 4\)"),
    ],
    "TOPIC.even": [
        ("much", "should be a number"),
        (0.5, "Not 0.5"),
    ],
    "TOPIC.inside": [
        (lambda w, mask: inside(w, mask).sum(), r"shape \(5,\)"),
        (lambda w, mask: (w * mask).sum((1, 2)), "is the whole map"),
        (lambda w, mask: inside(w, ~mask), "is the whole map"),
        (lambda w, mask: mask.float().mean((1, 2)), "does not rise"),
        (of_the_batch, "share of the area"),
        (lambda w, mask: inside(w**2, mask), "a quarter is inside"),
    ],
}

REFERENCE = {"TOPIC.inside": inside}
