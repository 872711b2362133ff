"""Exercises of lesson 11, dynamic capacity networks."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import deform_conv2d

from attncourse.exercises.exercise import Mistake, exercise
from attncourse.exercises.probes import (
    close,
    expect_close,
    expect_number,
    expect_tensor,
)

Top = Callable[[Tensor], Tensor]
Score = Callable[[Tensor], Tensor]


def _top(scale: float = 0.2) -> Top:
    """Draw a top: 1 x 1 convolution, ReLU, maximum, one layer."""
    hidden, classifier = torch.randn(7, 5, 1, 1), scale * torch.randn(3, 7)

    def top(maps: Tensor) -> Tensor:
        strongest = F.conv2d(maps, hidden).relu().amax((2, 3))
        logits: Tensor = strongest @ classifier.T
        return logits

    return top


def _entropy(logits: Tensor) -> Tensor:
    log_p = logits.log_softmax(-1)
    return -(log_p.exp() * log_p).sum(-1)


def _slope(top: Top, coarse: Tensor, score: Score) -> Tensor:
    leaf = coarse.detach().requires_grad_()
    (slope,) = torch.autograd.grad(score(top(leaf)).sum(), leaf)
    return slope


def saliency_solution(top: Top, coarse: Tensor) -> Tensor:
    """Norm of the gradient of the entropy at each place."""
    leaf = coarse.detach().requires_grad_()
    log_p = top(leaf).log_softmax(-1)
    entropy = -(log_p.exp() * log_p).sum()
    (slope,) = torch.autograd.grad(entropy, leaf)
    norms: Tensor = slope.norm(dim=1, keepdim=True)
    return norms


@exercise(
    "dynamic_capacity.saliency",
    kind="write",
    solution=saliency_solution,
    praise="Six lines, no label, and finite where the network is certain.",
    hints=(
        "`torch.autograd.grad(number, leaf)` gives the gradient of a number "
        "by a tensor that requires one.",
        "Add up the entropies of the batch: no image reaches another one's "
        "entropy, so every image gets its own gradient.",
        "`log_p = top(leaf).log_softmax(-1)`, then `-(log_p.exp() * "
        "log_p).sum()`; at the end the norm over the channels, dim 1.",
    ),
)
def saliency(answer: Any) -> None:
    """Judge `answer(top, coarse)`."""
    top, coarse = _top(), torch.randn(2, 5, 4, 3)
    yours = expect_tensor(answer(top, coarse), "The map", (2, 1, 4, 3))
    slope = _slope(top, coarse, _entropy)
    target = slope.norm(dim=1, keepdim=True)
    if close(yours, target.square()):
        raise Mistake("These are the squares of the norms; take the root.")
    if close(yours, target / len(coarse)):
        raise Mistake(
            "This is the gradient of the mean entropy: the map of an image "
            "shrinks with the batch around it."
        )
    if close(yours, slope.sum(1, keepdim=True)) or close(
        yours, slope.mean(1, keepdim=True)
    ):
        raise Mistake(
            "The channels are added up with their signs, so that they cancel; "
            "take the norm over them."
        )
    if close(yours, slope.abs().sum(1, keepdim=True)):
        raise Mistake(
            "This is the sum of absolute values, the 1-norm; the equation has "
            "the 2-norm."
        )
    largest = _slope(top, coarse, lambda logits: logits.amax(-1))
    if close(yours, largest.norm(dim=1, keepdim=True)):
        raise Mistake(
            "This is the gradient of the largest logit: it says what speaks "
            "for the answer, not what could change it."
        )
    if close(yours, coarse.norm(dim=1, keepdim=True)):
        raise Mistake(
            "This is the norm of the coarse vectors; the top was not asked."
        )
    expect_close(
        yours,
        target,
        "The shape is right, but this is not the norm of the gradient of the "
        "entropy.",
    )
    sure = answer(_top(1000.0), coarse)
    if isinstance(sure, Tensor) and not torch.isfinite(sure).all():
        raise Mistake(
            "Where the network is certain it gives nan: there p is 0 and log "
            "p minus infinity, so take `log_softmax` instead of `log`."
        )
    expect_tensor(sure, "The map of a certain network", (2, 1, 4, 3))


def cut_solution(images: Tensor, chosen: Tensor) -> Tensor:
    """Cut 24 x 24 pixels around each chosen place."""
    padded = F.pad(images, [8, 8, 8, 8])
    windows = padded.unfold(2, 24, 8).unfold(3, 24, 8)  # (b, c, r, s, 24, 24)
    patches = windows.flatten(2, 3).movedim(2, 1)  # (b, places, c, 24, 24)
    sample = torch.arange(len(images))[:, None]
    return patches[sample, chosen]


def _from_the_corner(images: Tensor, chosen: Tensor) -> Tensor:
    """Cut patches that begin at their place."""
    windows = F.pad(images, [0, 16, 0, 16]).unfold(2, 24, 8).unfold(3, 24, 8)
    sample = torch.arange(len(images))[:, None]
    return windows.flatten(2, 3).movedim(2, 1)[sample, chosen]


@exercise(
    "dynamic_capacity.cut",
    kind="write",
    solution=cut_solution,
    praise="Each image gets its own patches, in the order they were chosen.",
    hints=(
        "Pad the image by 8 on all sides: the patch of place (r, s) then "
        "starts at pixel (8 r, 8 s).",
        "`padded.unfold(2, 24, 8).unfold(3, 24, 8)` holds the patches of all "
        "places, with shape (b, c, rows, columns, 24, 24), and copies "
        "nothing.",
        "Flatten rows and columns, and index with `[sample, chosen]` where "
        "`sample = torch.arange(b)[:, None]`.",
    ),
)
def cut(answer: Any) -> None:
    """Judge `answer(images, chosen)`."""
    images = torch.rand(3, 2, 40, 56)
    rows, columns = 5, 7
    chosen = torch.rand(3, rows * columns).argsort(1)[:, :4]
    chosen[0, :2] = torch.tensor([5, 29])  # elsewhere if counted down columns
    yours = expect_tensor(
        answer(images, chosen), "The result", (3, 4, 2, 24, 24)
    )
    target = cut_solution(images, chosen)
    down = (chosen % rows) * columns + chosen // rows
    if close(yours, cut_solution(images, down)):
        raise Mistake(
            "The places are counted down the columns; place n stands in row "
            "n // columns."
        )
    if close(yours, cut_solution(images, chosen[:1].expand(3, -1))):
        raise Mistake(
            "All images are cut at the places of the first; each has its own."
        )
    if close(yours, cut_solution(images, chosen.sort(1).values)):
        raise Mistake(
            "The patches come in reading order, not in the order of `chosen`."
        )
    if close(yours, _from_the_corner(images, chosen)):
        raise Mistake(
            "The patches begin at their place instead of having it in the "
            "middle; pad the image by 8 on all sides first."
        )
    expect_close(
        yours, target, "The shape is right, but these are other pixels."
    )


def fixed_hint(coarse: Tensor, fine: Tensor) -> Tensor:
    """Pull the coarse vectors to the fine ones."""
    return (coarse - fine.detach()).square().sum(1).mean()


@exercise(
    "dynamic_capacity.hint",
    kind="find",
    solution=fixed_hint,
    praise="The coarse network learns from the fine one, and not the other "
    "way round.",
    hints=(
        "Which of the two networks should learn from the other? Ask both "
        "inputs for their gradients.",
        "`detach` cuts the gradient of what stands before it.",
    ),
)
def hint_loss(answer: Any) -> None:
    """Judge `answer(coarse, fine)`."""
    coarse = torch.randn(2, 5, 3, requires_grad=True)
    fine = torch.randn(2, 5, 3, requires_grad=True)
    yours = expect_tensor(answer(coarse, fine), "The loss", ())
    gap = (coarse - fine).detach()
    if close(yours, gap.square().mean()):
        raise Mistake(
            "It averages over the channels too; the equation adds them up."
        )
    if close(yours, gap.norm(dim=1).mean()):
        raise Mistake("It takes the root: the hint is the squared distance.")
    expect_close(
        yours,
        gap.square().sum(1).mean(),
        "The number is not the squared distance, added up over the channels "
        "and averaged over images and places.",
    )
    if not yours.requires_grad:
        raise Mistake(
            "Both sides are cut off, so that nothing learns from it at all."
        )
    slopes = torch.autograd.grad(yours, (coarse, fine), allow_unused=True)
    reached = [each is not None and bool(each.any()) for each in slopes]
    if reached == [False, True]:
        raise Mistake(
            "The wrong side is cut off: the fine vectors are pulled to the "
            "coarse ones, and the coarse network gets no gradient."
        )
    if reached == [True, True]:
        raise Mistake(
            "The gradient reaches both: the fine network is paid for becoming "
            "as coarse as the other."
        )
    assert slopes[0] is not None
    expect_close(
        slopes[0],
        2 * gap / 6,
        "The number is right but its gradient is not that of the squared "
        "distance.",
    )


FINE, COARSE, TOP, SALIENCY, PATCH = 4599392, 310400, 102720, 205440, 112160


@exercise(
    "dynamic_capacity.break_even",
    kind="predict",
    solution=34,
    praise="A third of the places eats up the whole saving: patches overlap, "
    "and the convolution over the whole image computes what they share once.",
    hints=(
        "What does the network spend before it has cut a single patch?",
        "The coarse layers, the top twice and the saliency; the rest of the "
        "budget is for patches.",
        "(4,599,392 - 310,400 - 2 x 102,720 - 205,440) / 112,160, rounded "
        "down.",
    ),
)
def break_even(answer: Any) -> None:
    """Judge the largest number of patches that is cheaper than fine."""
    said = expect_number(answer, "The number of patches")
    right = (FINE - COARSE - 2 * TOP - SALIENCY) // PATCH
    if said == FINE // PATCH:
        raise Mistake(
            "That counts the patches alone; the coarse layers, the top and "
            "the saliency are paid for too."
        )
    if said == right + 1:
        raise Mistake(
            "One less: with so many patches it already costs more than the "
            "fine network."
        )
    if said == (FINE - COARSE - 2 * TOP) // PATCH:
        raise Mistake("The saliency is not for nothing: count it.")
    if said >= 99:
        raise Mistake(
            "At so many places every patch is computed by itself, and pixels "
            "that overlap are computed nine times."
        )
    if said != right:
        raise Mistake(
            f"With {said:g} patches the two do not break even: what one patch "
            f"costs, times their number, must just fit into what is left."
        )


def offsets_solution(
    down: float, right: float, height: int, width: int
) -> Tensor:
    """Move all nine taps alike."""
    return torch.tensor([down, right]).repeat(9).view(
        1, 18, 1, 1
    ) * torch.ones(1, 1, height, width)


@exercise(
    "dynamic_capacity.offsets",
    kind="change",
    solution=offsets_solution,
    praise="y before x, tap by tap; the signature does not say so, a test "
    "does.",
    hints=(
        "Nine taps, two numbers each: 18 channels. First the two of tap 1, "
        "then the two of tap 2, and so on.",
        "The number along the rows (y, down) comes before the one along the "
        "columns (x, right).",
        "`torch.tensor([down, right]).repeat(9)` has the 18 numbers; view it "
        "as (1, 18, 1, 1) and expand it.",
    ),
    own_work=True,
)
def offsets(answer: Any) -> None:
    """Judge `answer(down, right, height, width)`."""
    height, width = 5, 7
    down, right = (float(n) for n in torch.randperm(3)[:2] + 1)
    yours = expect_tensor(
        answer(down, right, height, width), "The offsets", (1, 18, 5, 7)
    ).float()
    pairs = yours.view(1, 9, 2, 5, 7)
    target = offsets_solution(down, right, height, width)
    image, weight = torch.rand(1, 1, height, width), torch.rand(1, 1, 3, 3)
    if close(yours, offsets_solution(right, down, height, width)):
        raise Mistake(
            "The image moved along the wrong axis: each pair is (y, x), so "
            "`down` comes first."
        )
    if close(yours, -target):
        raise Mistake(
            "The sign is wrong: an offset says where a tap reads, so it reads "
            "below if y is positive."
        )
    blocks = torch.tensor([down, right]).repeat_interleave(9)
    if close(yours, blocks.view(1, 18, 1, 1).expand_as(yours)):
        raise Mistake(
            "First come all y and then all x; they should alternate, tap by "
            "tap."
        )
    if not yours.any():
        raise Mistake("All offsets are zero: this is the ordinary one.")
    if not pairs[:, 1:].any() or close(
        pairs[:, 4], target.view_as(pairs)[:, 4]
    ) != close(pairs[:, 0], target.view_as(pairs)[:, 0]):
        raise Mistake("Only some of the nine taps are moved.")
    expect_close(
        deform_conv2d(image, yours, weight, padding=1),
        deform_conv2d(image, target, weight, padding=1),
        "A convolution with these offsets does not read `down` rows below "
        "and `right` columns to the right.",
    )
    expect_close(yours, target, "Some offsets differ from those asked for.")
