"""Exercises of lesson 5, squeeze-and-excitation."""

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


def gates_solution(
    x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor
) -> Tensor:
    """Gates of squeeze-and-excitation: (batch, channels)."""
    squeezed = x.mean((2, 3))
    hidden = (squeezed @ w1.T + b1).relu()
    return (hidden @ w2.T + b2).sigmoid()


@exercise(
    "squeeze_excitation.gates",
    kind="write",
    solution=gates_solution,
    praise="One number for each channel of each image, and each is free to "
    "be open whatever the others do.",
    hints=(
        "Squeeze first: one mean for each channel of each image. Which axes "
        "disappear?",
        "`x.mean((2, 3))` has the shape (batch, channels). A layer is then "
        "`z @ w.T + b`.",
        "ReLU between the two layers, sigmoid behind the second.",
    ),
)
def gates(answer: Any) -> None:
    """Judge `answer(x, w1, b1, w2, b2)`."""
    x = torch.randn(3, 8, 8, 8) + torch.randn(3, 8, 1, 1)
    w1, b1, w2, b2 = (
        torch.randn(shape) for shape in [(5, 8), (5,), (8, 5), (8,)]
    )
    yours = expect_tensor(
        answer(x, w1, b1, w2, b2), "The tensor of gates", (3, 8)
    )

    def gates_of(squeezed: Tensor) -> Tensor:
        hidden = (squeezed @ w1.T + b1).relu()
        return hidden @ w2.T + b2

    squeezed = x.mean((2, 3))
    linear = (squeezed @ w1.T + b1) @ w2.T + b2
    for wrong, message in (
        (
            gates_of(squeezed),
            "These are the scores; the sigmoid that brings them between zero "
            "and one is missing.",
        ),
        (
            gates_of(squeezed).softmax(1),
            "The channels compete: each row sums to one, because a softmax "
            "stands where the sigmoid belongs.",
        ),
        (
            linear.sigmoid(),
            "The ReLU between the two layers is missing: two linear layers "
            "are one.",
        ),
        (
            gates_of(x.mean((1, 2))).sigmoid(),
            "The mean runs over channels and rows and leaves columns; it "
            "should run over rows and columns, axes 2 and 3.",
        ),
        (
            gates_of(x.mean((1, 3))).sigmoid(),
            "The mean runs over channels and columns and leaves rows; it "
            "should run over rows and columns, axes 2 and 3.",
        ),
        (
            gates_of(x.sum((2, 3))).sigmoid(),
            "This is the sum over the places, not their mean: a larger image "
            "would open and shut the gates further.",
        ),
        (
            gates_of(x.amax((2, 3))).sigmoid(),
            "The squeeze takes the largest place of each channel; here it is "
            "the mean.",
        ),
    ):
        if close(yours, wrong):
            raise Mistake(message)
    expect_close(
        yours,
        gates_solution(x, w1, b1, w2, b2),
        "The shape is right, but the numbers are not those of the equation.",
    )


@exercise(
    "squeeze_excitation.parameters",
    kind="predict",
    solution=2 * (2 * 512 * 32 + 32 + 512),
    praise="Two matrices of 32 x 512, their biases, and all of it twice. "
    "The last stage alone has three quarters of what the whole network adds.",
    hints=(
        "With reduction 16 the hidden layer has 512 / 16 units.",
        "One gate has a matrix down to 32 units and one back up to 512, each "
        "with a bias.",
        "And the stage has two blocks.",
    ),
)
def parameters(answer: Any) -> None:
    """Judge a number of parameters."""
    yours = expect_number(answer, "The number of parameters")
    whole = 2 * (2 * 512 * 32 + 32 + 512)
    mistakes = {
        whole / 2: "That is one gate; the stage has two blocks, each with a "
        "gate of its own.",
        2 * 2 * 512 * 32: "The biases are missing: 32 for the hidden layer "
        "and 512 for the gates, in both blocks.",
        2 * 512 * 32: "That is two matrices; the stage has two blocks, each "
        "with two matrices and two biases.",
        2 * (512 * 512 + 512): "That is one layer from 512 to 512 in each "
        "block; the bottleneck of 32 units makes two small ones of it.",
        2 * (2 * 512 * 512 + 512 + 512): "That has a hidden layer of 512 "
        "units; the reduction leaves 512 / 16 of them.",
        2 * (512 * 32 + 32): "That is the way down to 32 units alone; the "
        "way back up is missing.",
    }
    if yours in mistakes:
        raise Mistake(mistakes[yours])
    if yours != whole:
        raise Mistake(
            f"Not {yours:g}: count two matrices and two biases for one gate, "
            "then the gates of the stage."
        )


@exercise(
    "squeeze_excitation.ceiling",
    kind="predict",
    solution=0.625,
    praise="A quarter of the scenes need no cue, and of the others half are "
    "answered for the wrong dot.",
    hints=(
        "In which share of the scenes do texture and tint name the same "
        "class?",
        "There the dot does not matter. In the others the network gives the "
        "same answer for both dots.",
        "1/4 + 3/4 x 1/2.",
    ),
)
def ceiling(answer: Any) -> None:
    """Judge an accuracy."""
    yours = expect_number(answer, "The accuracy")
    mistakes = {
        62.5: "Give a share between zero and one.",
        2 / 3: "That is the value for three classes; with four, texture and "
        "tint agree less often.",
        0.5: "Where texture and tint name the same class, the network is "
        "right whatever the dot says; count those scenes too.",
        0.25: "That is guessing among four classes; the network does see "
        "texture and tint.",
        0.75: "Of the scenes where texture and tint disagree, it is right "
        "for one of the two dots, not for none or all.",
        1.0: "The network would have to give another answer for the other "
        "dot, and its loss is smallest when it does not.",
    }
    for wrong, message in mistakes.items():
        if abs(yours - wrong) < 0.002:
            raise Mistake(message)
    if not abs(yours - 0.625) < 0.002:
        raise Mistake(
            f"Not {yours:g}: add up the scenes where texture and tint agree "
            "and half of those where they do not."
        )


def eca_solution(x: Tensor, taps: Tensor) -> Tensor:
    """Efficient channel attention: the filter runs along the channels."""
    squeezed = x.mean((2, 3))
    scores = F.conv1d(squeezed[:, None], taps[None, None], padding=1)
    return x * scores[:, 0].sigmoid()[..., None, None]


@exercise(
    "squeeze_excitation.eca",
    kind="find",
    solution=eca_solution,
    praise="`conv1d` slides along its last axis, and now that is the axis "
    "of the channels.",
    hints=(
        "Change one image of the batch. Which outputs change?",
        "`F.conv1d` takes (batch, channels in, length) and slides along the "
        "length. What is the length in the printed code?",
        "Give it (batch, 1, channels): `squeezed[:, None]`.",
    ),
)
def eca(answer: Any) -> None:
    """Judge `answer(x, taps)`, the fixed code."""
    x, taps = torch.randn(5, 7, 3, 2), torch.randn(3)
    yours = expect_tensor(answer(x, taps), "The output", (5, 7, 3, 2))
    other = torch.cat([x[:1], torch.randn(4, 7, 3, 2)])
    again = expect_tensor(answer(other, taps), "The output", (5, 7, 3, 2))
    if not close(yours[0], again[0]):
        raise Mistake(
            "The first image gets another answer when the others change: the "
            "filter still runs along the batch."
        )
    squeezed = x.mean((2, 3))
    scores = F.conv1d(squeezed[:, None], taps[None, None], padding=1)[:, 0]
    ring = F.pad(squeezed[:, None], (1, 1), mode="circular")
    for factors, message in (
        (
            scores,
            "The map is multiplied by the scores; the sigmoid is missing.",
        ),
        (
            scores.softmax(1),
            "The channels compete now; the gates are sigmoids.",
        ),
        (
            F.conv1d(ring, taps[None, None])[:, 0].sigmoid(),
            "The channels are closed to a ring; at the ends the printed code "
            "pads with zeros.",
        ),
        (
            F.conv1d(squeezed[:, None], taps.flip(0)[None, None], padding=1)[
                :, 0
            ].sigmoid(),
            "The filter is turned round; `conv1d` does not flip its taps.",
        ),
    ):
        if close(yours, x * factors[..., None, None]):
            raise Mistake(message)
    expect_close(
        yours,
        eca_solution(x, taps),
        "Each image is on its own now, but the numbers are not those of the "
        "filter along the channels.",
    )


def neutral_solution(x: Tensor, scores: Tensor) -> Tensor:
    """Softmax gates that leave the map as it is where scores are equal."""
    shares = scores.softmax(1)
    return x * (x.shape[1] * shares)[..., None, None]


@exercise(
    "squeeze_excitation.neutral",
    kind="change",
    solution=neutral_solution,
    praise="The mean gate is one now, whatever the number of channels.",
    hints=(
        "What is every softmax weight when all scores are equal?",
        "It is 1 / C. By what must you multiply to get one?",
    ),
)
def neutral(answer: Any) -> None:
    """Judge `answer(x, scores)`."""
    channels = int(torch.randint(5, 12, ()))
    x, scores = torch.randn(3, channels, 4, 2), torch.randn(3, channels)
    shape = (3, channels, 4, 2)
    yours = expect_tensor(answer(x, scores), "The output", shape)
    shares = scores.softmax(1)
    top = shares.amax(1, keepdim=True)
    for factors, message in (
        (
            shares,
            "Nothing has changed yet: with equal scores the map still "
            "shrinks to one part in C.",
        ),
        (
            channels**0.5 * shares,
            "The root of C is not enough: with equal scores the map shrinks "
            "by the other root.",
        ),
        (
            shares / top,
            "Dividing by the largest weight lets equal scores pass, but now "
            "no channel can be raised, and the mean gate depends on the "
            "scores.",
        ),
        (
            2 * scores.sigmoid(),
            "Equal scores of zero pass, but these are sigmoid gates: they do "
            "not compete any more.",
        ),
        (
            1 + shares,
            "One plus the weights raises every channel: with equal scores "
            "the map grows.",
        ),
        (
            3 * scores.softmax(0),
            "The softmax runs over the batch: images compete, not channels.",
        ),
    ):
        if close(yours, x * factors[..., None, None]):
            raise Mistake(message)
    even = expect_tensor(
        answer(x, torch.zeros_like(scores)), "The output", shape
    )
    expect_close(
        even, x, "With equal scores the map should come out as it is."
    )
    expect_close(
        yours,
        neutral_solution(x, scores),
        "Equal scores pass, but the gates are no longer in the proportions "
        "of the softmax.",
    )
