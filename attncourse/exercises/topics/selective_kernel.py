"""Exercises of lesson 6, selective kernels."""

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
)


def mix_solution(maps: Tensor, scores: Tensor) -> Tensor:
    """Mix branches channel by channel: (batch, channels, height, width)."""
    weights = scores.softmax(1)
    return (maps * weights[..., None, None]).sum(1)


@exercise(
    "selective_kernel.mix",
    kind="write",
    solution=mix_solution,
    praise="The branches compete for each channel, and the channels do not "
    "compete.",
    hints=(
        "Which entries of the scores must share one unit of weight? Those of "
        "one image and one channel.",
        "`scores.softmax(1)`: the branches are axis 1.",
        "Give the weights two more axes, multiply, and sum over the branches.",
    ),
)
def mix(answer: Any) -> None:
    """Judge `answer(maps, scores)`."""
    maps, scores = torch.randn(5, 3, 7, 4, 2), torch.randn(5, 3, 7)
    yours = expect_tensor(answer(maps, scores), "The output", (5, 7, 4, 2))
    weights = scores.softmax(1)
    for wrong, message in (
        (
            scores,
            "The branches are multiplied by their scores; the softmax is "
            "missing.",
        ),
        (
            scores.softmax(2),
            "The softmax runs over the channels: they compete inside each "
            "branch, and the branches do not.",
        ),
        (
            scores.softmax(0),
            "The softmax runs over the batch: what an image gets depends on "
            "the images beside it.",
        ),
        (
            scores.flatten(1).softmax(1).view_as(scores),
            "One softmax runs over branches and channels together: the "
            "weights of a channel no longer sum to one.",
        ),
        (
            scores.sigmoid(),
            "Sigmoid gates do not compete: all branches may be open at once.",
        ),
        (
            weights / 3,
            "After the softmax you take the mean over the branches; it has "
            "divided already, so take the sum.",
        ),
        (
            scores.mean(2, keepdim=True).softmax(1).expand_as(scores),
            "All channels share one weight for each branch; here every "
            "channel chooses for itself.",
        ),
    ):
        if close(yours, (maps * wrong[..., None, None]).sum(1)):
            raise Mistake(message)
    expect_close(
        yours,
        mix_solution(maps, scores),
        "The shape is right, but the numbers are not those of the equation.",
    )


@exercise(
    "selective_kernel.reach",
    kind="predict",
    solution=15,
    praise="The dilated kernel spans seven places of the map, six steps of "
    "two pixels, and each place has seen three.",
    hints=(
        "How many places of the map does a 3 x 3 kernel with dilation 3 "
        "span, from its first tap to its last?",
        "Seven places, which are six steps. One step on the map is how many "
        "pixels?",
        "Six steps of two pixels, and the place at the end has seen three "
        "pixels itself.",
    ),
)
def reach(answer: Any) -> None:
    """Judge a number of pixels."""
    yours = expect_number(answer, "The width")
    mistakes = {
        7: "That is the span on the map; each step on the map is two pixels "
        "of the image.",
        3: "The kernel has three taps, but dilation 3 sets them three places "
        "apart.",
        14: "Seven places are six steps, not seven; count the steps between "
        "them, then add what one place has seen.",
        17: "Seven places are only six steps of two pixels; add them to the "
        "three pixels that one place has seen.",
        13: "The centres span 13 pixels; the places at both ends have seen "
        "one pixel more to each side.",
        9: "That leaves out the stride: a step on the map is two pixels.",
        7 * 3: "Widths do not multiply: count steps on the map, and two "
        "pixels for each.",
    }
    if yours in mistakes:
        raise Mistake(mistakes[int(yours)])
    if yours != 15:
        raise Mistake(
            f"Not {yours:g}: take the steps between the outer taps, two "
            "pixels for each, and add the width of one place."
        )


TWINS = (
    "the branch with the larger score wins",
    "the output does not change",
    "the output grows with the scores",
    "the output becomes the mean of the scores",
)


@exercise(
    "selective_kernel.twins",
    kind="predict",
    solution=TWINS[1],
    praise="Weights that sum to one, over equal maps, give back that map. So "
    "the scores get no gradient either.",
    hints=(
        "Write the output for one channel with u in the place of both "
        "branches.",
        "a u + (1 - a) u = ?",
    ),
)
def twins(answer: Any) -> None:
    """Judge a choice."""
    yours = expect_choice(answer, "The answer", TWINS)
    if yours == TWINS[0]:
        raise Mistake(
            "It does win the weight, but what it contributes is the same map "
            "that the other would have contributed."
        )
    if yours == TWINS[2]:
        raise Mistake(
            "The weights come from a softmax, so they sum to one however "
            "large the scores are."
        )
    if yours == TWINS[3]:
        raise Mistake(
            "The scores are never mixed into the output; they only decide "
            "the weights of the maps."
        )


def weights_solution(squeezed: Tensor, w: Tensor, a: Tensor) -> Tensor:
    """Weights of the branches: (batch, branches, channels)."""
    hidden = (squeezed @ w.T).relu()
    scores = torch.einsum("bd,mcd->bmc", hidden, a)
    return scores.softmax(1)


@exercise(
    "selective_kernel.weights",
    kind="find",
    solution=weights_solution,
    praise="An image alone and the same image in a batch get the same "
    "weights now.",
    hints=(
        "Compute the weights of one image alone, and within a batch. Are "
        "they equal?",
        "Over which axis of (batch, branches, channels) does each softmax "
        "sum to one?",
        "Axis 0 is the batch; the branches are axis 1.",
    ),
)
def weights(answer: Any) -> None:
    """Judge `answer(squeezed, w, a)`, the fixed code."""
    squeezed = torch.randn(5, 7)
    w, a = torch.randn(11, 7), torch.randn(3, 7, 11)
    name = "The tensor of weights"
    yours = expect_tensor(answer(squeezed, w, a), name, (5, 3, 7))
    alone = expect_tensor(answer(squeezed[:1], w, a), name, (1, 3, 7))
    if not close(yours[:1], alone):
        raise Mistake(
            "The first image gets other weights alone than in a batch: the "
            "softmax still runs over the batch."
        )
    scores = torch.einsum("bd,mcd->bmc", (squeezed @ w.T).relu(), a)
    linear = torch.einsum("bd,mcd->bmc", squeezed @ w.T, a)
    for wrong, message in (
        (
            scores.softmax(2),
            "Now the channels compete; for each channel it should be the "
            "branches.",
        ),
        (
            scores.flatten(1).softmax(1).view_as(scores),
            "One softmax runs over branches and channels together; each "
            "channel needs one of its own.",
        ),
        (
            scores.sigmoid(),
            "The sigmoid lets all branches be open; the weights of a channel "
            "should sum to one.",
        ),
        (
            linear.softmax(1),
            "The axis is right, but the ReLU got lost on the way.",
        ),
        (scores, "These are the scores; the softmax is gone."),
    ):
        if close(yours, wrong):
            raise Mistake(message)
    expect_close(
        yours,
        weights_solution(squeezed, w, a),
        "Each image is on its own now, but the numbers are not those of a "
        "softmax over the branches.",
    )


def held_still_solution(weights: Tensor) -> Tensor:
    """Give every image the mean weights of all images."""
    return weights.mean(0, keepdim=True).expand_as(weights)


@exercise(
    "selective_kernel.held_still",
    kind="change",
    solution=held_still_solution,
    praise="Each branch keeps what it has on average, and nothing follows "
    "the image any more.",
    hints=(
        "What should stay: the mean weight of each branch in each channel. "
        "What should go: the differences between images.",
        "`weights.mean(0, keepdim=True)`, and then as many copies as there "
        "are images.",
    ),
)
def held_still(answer: Any) -> None:
    """Judge `answer(weights)`."""
    given = torch.randn(5, 2, 7).mul(3).softmax(1)
    yours = expect_tensor(answer(given), "The result", (5, 2, 7))
    for wrong, message in (
        (
            torch.full_like(given, 0.5),
            "Equal parts also forget what each channel prefers on average; "
            "keep that, and remove only what differs between images.",
        ),
        (
            given.mean(2, keepdim=True).expand_as(given),
            "This averages over the channels; images still differ.",
        ),
        (
            given.mean((0, 2), keepdim=True).expand_as(given),
            "This averages over images and channels; each channel should "
            "keep its own mean.",
        ),
        (
            given,
            "Nothing has changed: the weights still differ between images.",
        ),
        (
            given[:1].expand_as(given),
            "Every image gets the weights of the first; that is one image's "
            "choice, not the mean.",
        ),
    ):
        if close(yours, wrong):
            raise Mistake(message)
    if not close(yours.sum(1), torch.ones(5, 7)):
        raise Mistake(
            "The weights of a channel no longer sum to one over the branches."
        )
    expect_close(
        yours,
        held_still_solution(given),
        "The weights should be the means over the batch, in each branch and "
        "channel.",
    )
