"""Exercises of lesson 7, CBAM."""

from collections.abc import Callable
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

Gate = Callable[[Tensor], Tensor]


def channel_gate_solution(x: Tensor, w0: Tensor, w1: Tensor) -> Tensor:
    """Gates of the channels: (batch, channels)."""
    average, largest = x.mean((2, 3)), x.amax((2, 3))
    hidden = (average @ w0.T).relu() + (largest @ w0.T).relu()
    return (hidden @ w1.T).sigmoid()


@exercise(
    "cbam.channel_gate",
    kind="write",
    solution=channel_gate_solution,
    praise="Both descriptors pass the same two layers, and the sum passes "
    "one sigmoid.",
    hints=(
        "Two descriptors of shape (batch, channels): `x.mean((2, 3))` and "
        "`x.amax((2, 3))`.",
        "The same two matrices serve both. Where does the sum stand, before "
        "or after the sigmoid?",
        "The second layer is linear, so it may be applied once, to the sum "
        "of the two hidden layers.",
    ),
)
def channel_gate(answer: Any) -> None:
    """Judge `answer(x, w0, w1)`."""
    x = torch.randn(3, 8, 5, 7) + torch.randn(3, 8, 1, 1)
    w0, w1 = torch.randn(2, 8), torch.randn(8, 2)
    yours = expect_tensor(answer(x, w0, w1), "The tensor of gates", (3, 8))
    average, largest = x.mean((2, 3)), x.amax((2, 3))

    def scores(descriptor: Tensor) -> Tensor:
        return (descriptor @ w0.T).relu() @ w1.T

    both = scores(average) + scores(largest)
    for wrong, message in (
        (
            both,
            "These are the scores; the sigmoid that brings them between zero "
            "and one is missing.",
        ),
        (
            scores(average).sigmoid() + scores(largest).sigmoid(),
            "The sum comes after the sigmoid, so these gates reach up to "
            "two; add the scores first.",
        ),
        (
            scores(average).sigmoid(),
            "Only the average is used; that is squeeze-and-excitation, and "
            "the maximum is missing.",
        ),
        (
            (2 * scores(average)).sigmoid(),
            "The average is counted twice and the maximum never: look at "
            "what the second descriptor is made of.",
        ),
        (
            scores(largest).sigmoid(),
            "Only the maximum is used; the average is missing.",
        ),
        (
            scores(average + largest).sigmoid(),
            "The descriptors are added before the ReLU; each passes the "
            "hidden layer by itself.",
        ),
        (
            ((average @ w0.T + largest @ w0.T) @ w1.T).sigmoid(),
            "The ReLU of the hidden layer is missing: two linear layers are "
            "one.",
        ),
        (
            both.softmax(1),
            "The channels compete: each row sums to one, because a softmax "
            "stands where the sigmoid belongs.",
        ),
    ):
        if close(yours, wrong):
            raise Mistake(message)
    expect_close(
        yours,
        channel_gate_solution(x, w0, w1),
        "The shape is right, but the numbers are not those of the equation.",
    )


def spatial_gate_solution(x: Tensor, kernel: Tensor) -> Tensor:
    """Gates of the places: (batch, 1, height, width)."""
    average = x.mean(1, keepdim=True)
    largest = x.amax(1, keepdim=True)
    descriptors = torch.cat([average, largest], dim=1)
    padding = kernel.shape[-1] // 2
    return F.conv2d(descriptors, kernel, padding=padding).sigmoid()


@exercise(
    "cbam.spatial_gate",
    kind="write",
    solution=spatial_gate_solution,
    praise="Two numbers for each place, whatever the number of channels, "
    "and a filter that looks at the neighbourhood.",
    hints=(
        "The spatial gate keeps the places and pools the channels. Which "
        "axis disappears?",
        "`keepdim=True` leaves an axis of one, so that mean and maximum can "
        "be joined by `torch.cat` along axis 1, the mean first.",
        "`F.conv2d` with a padding of half the kernel keeps the size; the "
        "sigmoid comes last.",
    ),
)
def spatial_gate(answer: Any) -> None:
    """Judge `answer(x, kernel)`."""
    x = torch.randn(3, 5, 11, 8) + torch.randn(3, 1, 11, 8)
    kernel = torch.randn(1, 2, 7, 7) / 7
    yours = expect_tensor(
        answer(x, kernel), "The tensor of gates", (3, 1, 11, 8)
    )
    average, largest = x.mean(1, keepdim=True), x.amax(1, keepdim=True)

    def scores(*descriptors: Tensor) -> Tensor:
        return F.conv2d(torch.cat(descriptors, dim=1), kernel, padding=3)

    pooled = torch.stack([x.mean((1, 2, 3)), x.amax((1, 2, 3))], dim=1)
    spread = pooled[..., None, None].expand(-1, -1, 11, 8)
    for wrong, message in (
        (
            scores(average, largest),
            "These are the scores; the sigmoid that brings them between zero "
            "and one is missing.",
        ),
        (
            scores(largest, average).sigmoid(),
            "The maximum stands first; the first plane of the kernel belongs "
            "to the mean.",
        ),
        (
            scores(average, average).sigmoid(),
            "The mean stands in both planes and the maximum is missing.",
        ),
        (
            scores(x.sum(1, keepdim=True), largest).sigmoid(),
            "That is the sum over the channels, not their mean: it grows "
            "with the width of the network.",
        ),
        (
            scores(average, largest).flatten(2).softmax(-1).view(3, 1, 11, 8),
            "The places compete: each map sums to one, because a softmax "
            "stands where the sigmoid belongs.",
        ),
        (
            scores(spread).sigmoid(),
            "The descriptors are pooled over the places as well, so they "
            "know nothing about where; pool the channels alone.",
        ),
    ):
        if close(yours, wrong):
            raise Mistake(message)
    expect_close(
        yours,
        spatial_gate_solution(x, kernel),
        "The shape is right, but the numbers are not those of the equation.",
        picture=False,
    )


@exercise(
    "cbam.constant",
    kind="predict",
    solution=0.36 / (0.36 + 0.16),
    praise="On a flat map average and maximum are equal, so the score "
    "doubles, and the gate moves away from one half.",
    hints=(
        "What is the maximum of a channel that is the same at all places?",
        "The two scores are added before the sigmoid. So which score has "
        "the gate now?",
        "A gate of 0.6 has the score log(0.6 / 0.4). Double it and apply "
        "the sigmoid.",
    ),
)
def constant(answer: Any) -> None:
    """Judge a gate."""
    yours = expect_number(answer, "The gate")
    mistakes = {
        0.6: "The maximum does not leave the gate as it was: its score is "
        "added to that of the average.",
        1.2: "That adds two gates, after the sigmoid; a gate of CBAM cannot "
        "be larger than one.",
        0.36: "That multiplies two gates; it is the scores that are added.",
        0.5: "The scores do not cancel; they are equal, with one sign.",
        0.3: "Nothing is halved; the scores are added, not averaged.",
    }
    for wrong, message in mistakes.items():
        if abs(yours - wrong) < 0.004:
            raise Mistake(message)
    if not abs(yours - 0.36 / 0.52) < 0.006:
        raise Mistake(
            f"Not {yours:g}: turn 0.6 into its score, double the score and "
            "turn it back into a gate."
        )


def order_solution(x: Tensor, channel: Gate, spatial: Gate) -> Tensor:
    """Gate the channels, then the places of what is left."""
    x = x * channel(x)[..., None, None]
    return x * spatial(x)


@exercise(
    "cbam.order",
    kind="find",
    solution=order_solution,
    praise="The second gate now sees what the first one left; the printed "
    "code computed both from the input.",
    hints=(
        "Which map does each of the two gates look at in the printed code?",
        "The spatial gate should look at the map behind the channel gate.",
        "Keep the gated map under a name, and hand that to `spatial`.",
    ),
)
def order(answer: Any) -> None:
    """Judge `answer(x, channel, spatial)`."""
    x = torch.randn(3, 5, 7, 6)
    mix, kernel = torch.randn(5, 5), torch.randn(1, 2, 3, 3)

    def channel(x: Tensor) -> Tensor:
        return (x.mean((2, 3)) @ mix + x.amax((2, 3))).sigmoid()

    def spatial(x: Tensor) -> Tensor:
        return spatial_gate_solution(x, kernel)

    yours = expect_tensor(
        answer(x, channel, spatial), "The gated map", (3, 5, 7, 6)
    )
    target = order_solution(x, channel, spatial)
    places = x * spatial(x)
    for wrong, message in (
        (
            places * channel(x)[..., None, None],
            "Both gates still look at the input: the spatial gate should see "
            "what the channel gate left.",
        ),
        (
            places * channel(places)[..., None, None],
            "That gates the places first; in CBAM the channels come first.",
        ),
        (
            x + target,
            "The gates are right, but the input is added; CBAM itself has no "
            "shortcut, the residual block around it has.",
        ),
        (
            x * spatial(x * channel(x)[..., None, None]),
            "The spatial gate is right, but it multiplies the input: the "
            "channel gate has been lost on the way.",
        ),
        (
            x * channel(x)[..., None, None],
            "Only the channels are gated; the gate of the places is missing.",
        ),
    ):
        if close(yours, wrong):
            raise Mistake(message)
    expect_close(
        yours, target, "The shape is right, but this is not x'' = M_s M_c x."
    )
