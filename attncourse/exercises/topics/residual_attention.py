"""Exercises of lesson 9, residual attention and attention over scales."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from attncourse.exercises.exercise import Mistake, exercise
from attncourse.exercises.probes import (
    close,
    expect_close,
    expect_number,
    expect_tensor,
)

Network = Callable[[Tensor], Tensor]


def attended_solution(trunk: Tensor, scores: Tensor) -> Tensor:
    """Amplify the trunk: (batch, channels, height, width)."""
    return (1 + scores.sigmoid()) * trunk


@exercise(
    "residual_attention.attended",
    kind="write",
    solution=attended_solution,
    praise="A mask of zero leaves the trunk as it is, and a mask can never "
    "shut it.",
    hints=(
        "The mask is the sigmoid of the scores. What should come out where "
        "the mask is zero?",
        "The trunk, unchanged. So the factor is one where the mask is zero.",
        "`(1 + mask) * trunk`.",
    ),
)
def attended(answer: Any) -> None:
    """Judge `answer(trunk, scores)`."""
    trunk, scores = torch.randn(2, 3, 5, 7), torch.randn(2, 3, 5, 7)
    yours = expect_tensor(
        answer(trunk, scores), "The attended map", (2, 3, 5, 7)
    )
    mask = scores.sigmoid()
    for wrong, message in (
        (
            mask * trunk,
            "That is the naive product: a mask of one half everywhere halves "
            "the signal in each layer.",
        ),
        (
            (1 + scores) * trunk,
            "The sigmoid is missing: scores of any size and sign multiply "
            "the trunk.",
        ),
        (
            1 + mask * trunk,
            "The one is added to the product; it belongs to the mask, so "
            "that the trunk itself comes through.",
        ),
        (
            mask + trunk,
            "That adds the mask; it should scale the trunk.",
        ),
        (
            (1 + scores.flatten(2).softmax(-1).view_as(scores)) * trunk,
            "The mask is a softmax over the places here, so almost every "
            "factor is one; each value gets a sigmoid of its own.",
        ),
        (
            (1 - mask) * trunk,
            "That shuts the trunk where the mask is high; the mask should "
            "amplify.",
        ),
    ):
        if close(yours, wrong):
            raise Mistake(message)
    expect_close(
        yours,
        attended_solution(trunk, scores),
        "The shape is right, but the numbers are not those of the equation.",
    )


@exercise(
    "residual_attention.stacked",
    kind="predict",
    solution=0.5**6,
    praise="One half for each layer, and the same factor once more for the "
    "gradient on its way back.",
    hints=(
        "A fresh sigmoid is near one half. What does one layer do to the "
        "signal?",
        "Each of the six layers multiplies by the same number.",
        "One half to the power of six.",
    ),
)
def stacked(answer: Any) -> None:
    """Judge a factor."""
    yours = expect_number(answer, "The factor")
    mistakes = {
        0.5 * 6: "The layers multiply, they do not add.",
        0.5 / 6: "That divides by the number of layers; each of them halves "
        "what the one before left.",
        1.5**6: "That is 1 + M; the question is about M alone.",
        0.5: "That is a single layer; there are six.",
        0.5**5: "That is five layers; there are six.",
        0.5**12: "That is twelve layers: the way there and back. The "
        "question is about the signal alone.",
        64: "That is how many times smaller it becomes; the factor is one "
        "over it.",
    }
    for wrong, message in mistakes.items():
        if abs(yours - wrong) <= 0.01 * wrong:
            raise Mistake(message)
    if not abs(yours - 0.5**6) <= 0.02 * 0.5**6:
        raise Mistake(
            f"Not {yours:g}: multiply one half by itself, once for each of "
            "the six layers."
        )


def mixed_solution(views: Tensor, scores: Tensor) -> Tensor:
    """Mix the views place by place: (batch, channels, height, width)."""
    shares = scores.softmax(0)
    return (shares.unsqueeze(2) * views).sum(0)


@exercise(
    "residual_attention.mixed",
    kind="write",
    solution=mixed_solution,
    praise="The scales compete for each place, and the places do not compete "
    "at all.",
    hints=(
        "Which axis should the shares sum to one over?",
        "The scales are axis 0. Give the shares an axis for the channels.",
        "`shares.unsqueeze(2) * views`, then the sum over axis 0.",
    ),
)
def mixed(answer: Any) -> None:
    """Judge `answer(views, scores)`."""
    views = torch.randn(3, 2, 4, 5, 7)  # scales, batch, channels, h, w
    scores = torch.randn(3, 2, 5, 7)
    yours = expect_tensor(answer(views, scores), "The mixture", (2, 4, 5, 7))

    def by(shares: Tensor) -> Tensor:
        return (shares.unsqueeze(2) * views).sum(0)

    for wrong, message in (
        (
            by(scores.flatten(2).softmax(-1).view_as(scores)),
            "The softmax runs over the places of each scale; it should run "
            "over the scales at each place, axis 0.",
        ),
        (
            by(scores.softmax(1)),
            "The softmax runs over the batch, so the images compete; the "
            "scales are axis 0.",
        ),
        (
            by(scores.softmax(2)),
            "The softmax runs over the rows; the scales are axis 0.",
        ),
        (
            by(scores.softmax(3)),
            "The softmax runs over the columns; the scales are axis 0.",
        ),
        (
            by(scores),
            "The scores multiply the views as they are; a softmax over the "
            "scales makes shares of them.",
        ),
        (
            by(scores.sigmoid()),
            "These are sigmoids, and their sum may be anything; the shares "
            "of a place sum to one over the scales.",
        ),
        (
            by(scores.softmax(0)) / 3,
            "That is the mean over the scales; the shares have divided "
            "already, so sum.",
        ),
        (
            views.mean(0),
            "That is the plain mean of the views; the scores are not used.",
        ),
    ):
        if close(yours, wrong):
            raise Mistake(message)
    expect_close(
        yours,
        mixed_solution(views, scores),
        "The shape is right, but the numbers are not those of the equation.",
    )


def brought_back_solution(x: Tensor, network: Network) -> Tensor:
    """See the map at half its size; return what was seen at full size."""
    height, width = x.shape[2:]
    half = F.adaptive_avg_pool2d(x, ((height + 1) // 2, (width + 1) // 2))
    return F.interpolate(
        network(half),
        size=(height, width),
        mode="bilinear",
        align_corners=False,
    )


@exercise(
    "residual_attention.brought_back",
    kind="find",
    solution=brought_back_solution,
    praise="The size is taken from the map itself, so odd sides come back "
    "as they were.",
    hints=(
        "Try a map of 6 x 8 places, then one of 7 x 9. Which of them fails?",
        "Half of 7, rounded up, is 4, and twice that is 8. What knows the "
        "size that is needed?",
        "`F.interpolate` takes `size=x.shape[2:]` in place of a scale factor.",
    ),
)
def brought_back(answer: Any) -> None:
    """Judge `answer(x, network)`."""
    weight = torch.randn(4, 4, 3, 3)

    def network(x: Tensor) -> Tensor:
        return F.conv2d(x, weight, padding=1)

    for height, width in ((6, 8), (7, 9)):
        x = torch.randn(2, 4, height, width)
        yours = answer(x, network)
        given = tuple(getattr(yours, "shape", ()))
        if (
            given
            == (2, 4, height + height % 2, width + width % 2)
            != (
                2,
                4,
                height,
                width,
            )
        ):
            raise Mistake(
                f"A map of {height} x {width} comes back as {given[2]} x "
                f"{given[3]}: twice the half is one too many for odd sides."
            )
        yours = expect_tensor(yours, "What comes back", (2, 4, height, width))
        half = F.adaptive_avg_pool2d(x, ((height + 1) // 2, (width + 1) // 2))
        resized = partial(F.interpolate, size=(height, width), mode="bilinear")
        for wrong, message in (
            (
                network(x),
                "The network sees the map at full size; it should see it at "
                "half the size.",
            ),
            (
                resized(half),
                "The network is never called; it should look at the smaller "
                "map.",
            ),
            (
                network(resized(half)),
                "The network runs after the map has been made large again, "
                "so it sees a blurred map at full cost.",
            ),
            (
                resized(network(half), align_corners=True),
                "With `align_corners=True` the outer places are pinned to "
                "the corners and all others shift; write `False`.",
            ),
            (
                F.interpolate(network(half), size=(height, width)),
                "The views come back as blocks; interpolate bilinearly.",
            ),
        ):
            if close(yours, wrong):
                raise Mistake(message)
        expect_close(
            yours,
            brought_back_solution(x, network),
            "The size is right, but the numbers are not those of the fixed "
            "code.",
        )
