"""Exercises of lesson 6, selective kernels."""

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
    refuse,
)


@exercise(
    "selective_kernel.reach",
    kind="predict",
    solution=23,
    praise="Four steps of four pixels, and the seven pixels that one "
    "position of the second map has seen.",
    hints=(
        "How many positions of the second map does a 3 x 3 kernel with "
        "dilation 2 span, from its first tap to its last?",
        "Five positions, which are four steps. One step on the second map is "
        "how many pixels of the image?",
        "How many pixels has one position of the second map seen? Three "
        "positions of the first, two pixels apart, each of which has seen "
        "three pixels.",
    ),
)
def reach(answer: Any) -> None:
    """Judge a number of pixels."""
    yours = expect_number(answer, "The width")
    mistakes = {
        5: "That is the span on the second map; a step there is more than "
        "one pixel of the image.",
        3: "The kernel has three taps, but dilation 2 sets them two "
        "positions apart.",
        16: "Four steps of four pixels are right; add what the position at "
        "the end has seen.",
        17: "That counts from centre to centre; each position of the second "
        "map has seen more than its centre.",
        19: "A position of the second map has seen more than three pixels: "
        "it has seen three positions of the first map.",
        20: "Five positions are four steps, not five, and the position at "
        "the end has seen more than one step.",
        27: "Five positions are only four steps of four pixels; add them to "
        "what one position has seen.",
        15: "A step on the second map is four pixels, since both "
        "convolutions have stride 2.",
        11: "That leaves out the strides: a step on the second map is four "
        "pixels.",
        31: "That has dilation 3; here the taps stand two positions apart.",
        45: "Widths do not multiply: count steps on the map, and pixels for "
        "each.",
        35: "Widths do not multiply: count steps on the map, and pixels for "
        "each.",
    }
    if yours in mistakes:
        raise Mistake(mistakes[int(yours)])
    if yours != 23:
        raise Mistake(
            f"Not {yours:g}: take the steps between the outer taps, four "
            "pixels for each, and add what one position has seen."
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
    wrong = (
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
    )
    refuse(yours, wrong)
    expect_close(
        yours,
        weights_solution(squeezed, w, a),
        "Each image is on its own now, but the numbers are not those of a "
        "softmax over the branches.",
    )


def held_still_solution(weights: Tensor, sizes: Tensor) -> Tensor:
    """Give every image the mean weights of the images of its size."""
    same = (sizes[:, None] == sizes).to(weights.dtype)
    means = same / same.sum(1, keepdim=True)
    return torch.einsum("ij,jmc->imc", means, weights)


@exercise(
    "selective_kernel.held_still",
    kind="change",
    solution=held_still_solution,
    praise="Each branch keeps what it has on average at a size, and nothing "
    "follows the single image any more.",
    hints=(
        "What should stay: the mean over the images of one size, for each "
        "branch and channel. What should go: the differences among them.",
        "`sizes == size` picks the images of a size; `sizes.unique()` lists "
        "the sizes.",
        "`sizes[:, None] == sizes` is a matrix that says which images share "
        "a size; divided by its row sums it takes means.",
    ),
)
def held_still(answer: Any) -> None:
    """Judge `answer(weights, sizes)`."""
    given = torch.randn(9, 2, 7).mul(3).softmax(1)
    sizes = torch.tensor([10, 26, 10, 18, 26, 10, 10, 26, 14])
    sizes = sizes[torch.randperm(9)]
    yours = expect_tensor(answer(given, sizes), "The result", (9, 2, 7))
    ordered = sizes.sort(stable=True).indices
    target = held_still_solution(given, sizes)
    same = (sizes[:, None] == sizes).to(given.dtype)
    sums = torch.einsum("ij,jmc->imc", same, given)
    wrong = (
        (
            given.mean(0, keepdim=True).expand_as(given),
            "Nothing has changed: every image still gets the mean of the "
            "whole batch, whatever its size.",
        ),
        (
            given,
            "The weights still differ between images of one size.",
        ),
        (
            torch.full_like(given, 0.5),
            "Equal parts also forget what each channel prefers on average; "
            "keep that, and remove only what differs within a size.",
        ),
        (
            target.mean(2, keepdim=True).expand_as(given),
            "This averages over the channels, too; each channel should keep "
            "its own mean.",
        ),
        (
            sums,
            "These are sums over the images of a size; divide by how many "
            "there are.",
        ),
        (
            sums / len(sizes),
            "The sum over the images of a size is divided by the size of the "
            "whole batch; divide by how many images share the size.",
        ),
        (
            target[ordered],
            "The means are right but stand in the order of the sizes; image "
            "i should get the mean of its own size.",
        ),
        (
            target[ordered.argsort()],
            "The means are right but stand at other images; image i should "
            "get the mean of its own size.",
        ),
    )
    refuse(yours, wrong)
    if not close(yours.sum(1), torch.ones(9, 7)):
        raise Mistake(
            "The weights of a channel no longer sum to one over the branches."
        )
    expect_close(
        yours,
        target,
        "The weights of an image should be the means over the images of its "
        "size, in each branch and channel.",
    )


@exercise(
    "selective_kernel.fold",
    kind="write",
    answer="function",
    hand_in=True,
    praise="Fixed weights need no branches: the unit was one convolution "
    "all along.",
    hints=(
        "A convolution is linear in its kernel. What does a sum of maps, "
        "each times a number for each channel, do to the kernels?",
        "Where do the nine taps of a kernel with dilation 2 stand in a "
        "kernel of side 7, if both have the same centre?",
        "A slice with a step writes nine taps at once; the weight of a "
        "channel belongs to the first axis of the kernel.",
    ),
)
def fold(answer: Any) -> None:
    """Judge `answer(kernels, dilations, a)` by what the kernel does."""
    dilations = [1, 3, 2] if torch.rand(()) < 0.5 else [2, 1, 3]
    kernels = [torch.randn(5, 4, 3, 3) for _ in dilations]
    a = torch.randn(3, 5).mul(2).softmax(0)
    result = answer(list(kernels), list(dilations), a.clone())
    yours = expect_tensor(result, "The kernel", (5, 4, 7, 7))
    x = torch.randn(2, 4, 11, 9)
    maps = [
        F.conv2d(x, kernel, padding=d, dilation=d)
        for kernel, d in zip(kernels, dilations, strict=True)
    ]
    close_by = [F.conv2d(x, kernel, padding=1) for kernel in kernels]
    found = F.conv2d(x, yours, padding=3)

    def mixed(parts: list[Tensor], shares: Tensor) -> Tensor:
        return torch.einsum("mc,mbchw->bchw", shares, torch.stack(parts))

    turned = F.conv2d(x, yours.flip(2, 3), padding=3)
    wrong = (
        (
            mixed(maps, torch.ones_like(a)),
            "The branches are added in full; each channel of a branch should "
            "count with its weight.",
        ),
        (
            mixed(maps, torch.full_like(a, 1 / 3)),
            "The branches are averaged in equal parts; each channel of a "
            "branch should count with its weight.",
        ),
        (
            mixed(close_by, a),
            "The taps stand side by side; those of a branch should stand as "
            "far apart as its dilation says.",
        ),
        (
            mixed(maps, a.softmax(0)),
            "The weights pass a softmax once more; they sum to one already.",
        ),
    )
    refuse(found, wrong)
    if close(turned, mixed(maps, a)):
        raise Mistake("The kernel is turned by half a turn.")
    one = torch.zeros_like(a)
    one[0] = 1
    alone = expect_tensor(
        answer(list(kernels), list(dilations), one), "The kernel", (5, 4, 7, 7)
    )
    if not close(F.conv2d(x, alone, padding=3), maps[0]):
        raise Mistake(
            "Give all weight to one branch, and the kernel should do what "
            "that branch does; this one does not."
        )
    expect_close(
        found,
        mixed(maps, a),
        "With one branch alone it is right, but not where several share: "
        "look at how the weights meet the kernels.",
    )
