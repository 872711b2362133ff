"""Exercises of lesson 11, dynamic capacity networks."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from attncourse.exercises.exercise import Mistake, exercise
from attncourse.exercises.probes import (
    close,
    expect_close,
    expect_number,
    expect_tensor,
    refuse,
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


def _largest(logits: Tensor) -> Tensor:
    return logits.amax(-1)


def _slope(top: Top, coarse: Tensor, score: Score = _entropy) -> Tensor:
    leaf = coarse.detach().requires_grad_()
    (slope,) = torch.autograd.grad(score(top(leaf)).sum(), leaf)
    return slope


def saliency_solution(top: Top, coarse: Tensor) -> Tensor:
    """Norm of the gradient of the entropy at each position."""
    leaf = coarse.detach().requires_grad_()
    log_p = top(leaf).log_softmax(-1)
    entropy = -(log_p.exp() * log_p).sum()
    (slope,) = torch.autograd.grad(entropy, leaf)
    norms: Tensor = slope.norm(dim=1, keepdim=True)
    return norms


def _squared(top: Top, coarse: Tensor) -> Tensor:
    return _slope(top, coarse).square().sum(1, keepdim=True)


def _of_the_mean(top: Top, coarse: Tensor) -> Tensor:
    return saliency_solution(top, coarse) / len(coarse)


def _signed(top: Top, coarse: Tensor) -> Tensor:
    return _slope(top, coarse).sum(1, keepdim=True)


def _signed_mean(top: Top, coarse: Tensor) -> Tensor:
    return _slope(top, coarse).mean(1, keepdim=True)


def _absolute(top: Top, coarse: Tensor) -> Tensor:
    return _slope(top, coarse).abs().sum(1, keepdim=True)


def _largest_logit(top: Top, coarse: Tensor) -> Tensor:
    return _slope(top, coarse, _largest).norm(dim=1, keepdim=True)


def _not_asked(top: Top, coarse: Tensor) -> Tensor:
    return coarse.norm(dim=1, keepdim=True)


CANCEL = (
    "The channels are added up with their signs, so that they cancel; take "
    "the norm over them."
)
SALIENCY_WRONG = (
    (_squared, "These are the squares of the norms; take the root."),
    (
        _of_the_mean,
        "This is the gradient of the mean entropy: the map of an image "
        "shrinks with the batch around it.",
    ),
    (_signed, CANCEL),
    (_signed_mean, CANCEL),
    (
        _absolute,
        "This is the sum of absolute values, the 1-norm; the equation has "
        "the 2-norm.",
    ),
    (
        _largest_logit,
        "This is the gradient of the largest logit: it says what speaks for "
        "the answer, not what could change it.",
    ),
    (
        _not_asked,
        "This is the norm of the coarse vectors; the top was not asked.",
    ),
)


@exercise(
    "dynamic_capacity.saliency",
    kind="write",
    solution=saliency_solution,
    praise="Six lines, no label, and finite where the network is certain.",
    hints=(
        "`torch.autograd.grad(number, leaf)` gives the gradient of a number "
        "by a tensor that requires one.",
        "Add up the entropies of the batch: no image has a share in the "
        "entropy of another, so every image gets its own gradient.",
        "`log_p = top(leaf).log_softmax(-1)`, then `-(log_p.exp() * "
        "log_p).sum()`; at the end the norm over the channels, dim 1.",
    ),
    wrong=SALIENCY_WRONG,
)
def saliency(answer: Any) -> None:
    """Judge `answer(top, coarse)`."""
    top, coarse = _top(), torch.randn(2, 5, 4, 3)
    yours = expect_tensor(answer(top, coarse), "The map", (2, 1, 4, 3))
    refuse(yours, SALIENCY_WRONG, top, coarse)
    expect_close(
        yours,
        saliency_solution(top, coarse),
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
    """Cut 24 x 24 pixels around each chosen position."""
    padded = F.pad(images, [8, 8, 8, 8])
    windows = padded.unfold(2, 24, 8).unfold(3, 24, 8)  # (b, c, r, s, 24, 24)
    patches = windows.flatten(2, 3).movedim(2, 1)  # (b, r s, c, 24, 24)
    sample = torch.arange(len(images))[:, None]
    return patches[sample, chosen]


def _down_the_columns(images: Tensor, chosen: Tensor) -> Tensor:
    rows, columns = images.shape[2] // 8, images.shape[3] // 8
    return cut_solution(images, chosen % rows * columns + chosen // rows)


def _of_the_first(images: Tensor, chosen: Tensor) -> Tensor:
    return cut_solution(images, chosen[:1].expand_as(chosen))


def _in_reading_order(images: Tensor, chosen: Tensor) -> Tensor:
    return cut_solution(images, chosen.sort(1).values)


def _from_the_corner(images: Tensor, chosen: Tensor) -> Tensor:
    """Cut patches that begin at their position."""
    windows = F.pad(images, [0, 16, 0, 16]).unfold(2, 24, 8).unfold(3, 24, 8)
    sample = torch.arange(len(images))[:, None]
    return windows.flatten(2, 3).movedim(2, 1)[sample, chosen]


CUT_WRONG = (
    (
        _down_the_columns,
        "The positions are counted down the columns; position n stands in "
        "row n // columns.",
    ),
    (
        _of_the_first,
        "All images are cut at the positions of the first; each has its own.",
    ),
    (
        _in_reading_order,
        "The patches come in reading order, not in the order of `chosen`.",
    ),
    (
        _from_the_corner,
        "The patches begin at their position instead of having it in the "
        "middle; pad the image by 8 on all sides first.",
    ),
)


@exercise(
    "dynamic_capacity.cut",
    kind="write",
    solution=cut_solution,
    praise="Each image gets its own patches, in the order they were chosen.",
    hints=(
        "Pad the image by 8 on all sides: the patch of position (r, s) then "
        "starts at pixel (8 r, 8 s).",
        "`padded.unfold(2, 24, 8).unfold(3, 24, 8)` holds the patches of all "
        "positions, with shape (b, c, rows, columns, 24, 24), and copies "
        "nothing.",
        "Flatten rows and columns, and index with `[sample, chosen]` where "
        "`sample = torch.arange(b)[:, None]`.",
    ),
    wrong=CUT_WRONG,
)
def cut(answer: Any) -> None:
    """Judge `answer(images, chosen)`."""
    images = torch.rand(3, 2, 40, 56)  # 5 x 7 positions
    chosen = torch.rand(3, 35).argsort(1)[:, :4]
    chosen[0, :2] = torch.tensor([5, 29])  # elsewhere if counted down columns
    yours = expect_tensor(
        answer(images, chosen), "The result", (3, 4, 2, 24, 24)
    )
    refuse(yours, CUT_WRONG, images, chosen)
    expect_close(
        yours,
        cut_solution(images, chosen),
        "The shape is right, but these are other pixels.",
    )


def fixed_hint(coarse: Tensor, fine: Tensor) -> Tensor:
    """Pull the coarse vectors to the fine ones."""
    return (coarse - fine.detach()).square().sum(1).mean()


def _averaged(coarse: Tensor, fine: Tensor) -> Tensor:
    return F.mse_loss(coarse, fine.detach())


def _rooted(coarse: Tensor, fine: Tensor) -> Tensor:
    return (coarse - fine.detach()).norm(dim=1).mean()


HINT_WRONG = (
    (
        _averaged,
        "It averages over the channels too; the equation adds them up.",
    ),
    (_rooted, "It takes the root: the hint is the squared distance."),
)


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
    wrong=HINT_WRONG,
)
def hint_loss(answer: Any) -> None:
    """Judge `answer(coarse, fine)`."""
    coarse = torch.randn(2, 5, 3, requires_grad=True)
    fine = torch.randn(2, 5, 3, requires_grad=True)
    yours = expect_tensor(answer(coarse, fine), "The loss", ())
    refuse(yours.detach(), HINT_WRONG, coarse.detach(), fine.detach())
    gap = (coarse - fine).detach()
    expect_close(
        yours,
        gap.square().sum(1).mean(),
        "The number is not the squared distance, added up over the channels "
        "and averaged over images and positions.",
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
NOT_FREE = (
    "What comes before the first patch is paid for too; count all of it."
)
BREAK_EVEN_WRONG = (
    (
        41,
        "That counts the patches alone; the coarse layers, the top and the "
        "saliency are paid for too.",
    ),
    (
        35,
        "One less: with so many patches it already costs more than the fine "
        "network.",
    ),
    (36, "The saliency is not for nothing: count it."),
    (38, NOT_FREE),
    (
        100,
        "For so many positions every patch is computed by itself, and pixels "
        "that overlap are computed nine times.",
    ),
)


@exercise(
    "dynamic_capacity.break_even",
    kind="predict",
    solution=34,
    praise="Looking closely at a third of the positions uses up the whole "
    "saving: patches overlap, and the convolution over the whole image "
    "computes what they share once.",
    hints=(
        "What does the network spend before it has cut a single patch?",
        "The coarse layers, the top twice and the saliency; the rest of the "
        "budget is for patches.",
        "(4,599,392 - 310,400 - 2 x 102,720 - 205,440) / 112,160, rounded "
        "down.",
    ),
    wrong=BREAK_EVEN_WRONG,
)
def break_even(answer: Any) -> None:
    """Judge the largest number of patches that is cheaper than fine."""
    said = expect_number(answer, "The number of patches")
    refuse(said, BREAK_EVEN_WRONG)
    if said != (FINE - COARSE - 2 * TOP - SALIENCY) // PATCH:
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


def _x_first(down: float, right: float, height: int, width: int) -> Tensor:
    return offsets_solution(right, down, height, width)


def _other_sign(down: float, right: float, height: int, width: int) -> Tensor:
    return -offsets_solution(down, right, height, width)


def _in_blocks(down: float, right: float, height: int, width: int) -> Tensor:
    pairs = torch.tensor([down, right]).repeat_interleave(9)
    return pairs.view(1, 18, 1, 1).expand(1, 18, height, width)


def _zeros(down: float, right: float, height: int, width: int) -> Tensor:
    return torch.zeros(1, 18, height, width)


OFFSETS_WRONG = (
    (
        _x_first,
        "The image moved along the wrong axis: each pair is (y, x), so "
        "`down` comes first.",
    ),
    (
        _other_sign,
        "The sign is wrong: an offset says where a tap reads, so it reads "
        "below if y is positive.",
    ),
    (
        _in_blocks,
        "First come all y and then all x; they should alternate, tap by tap.",
    ),
    (_zeros, "All offsets are zero: this is the ordinary one."),
)


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
    wrong=OFFSETS_WRONG,
)
def offsets(answer: Any) -> None:
    """Judge `answer(down, right, height, width)`."""
    from torchvision.ops import deform_conv2d  # takes seconds, used only here

    height, width = 5, 7
    down, right = (float(n) for n in torch.randperm(3)[:2] + 1)
    size = (down, right, height, width)
    yours = expect_tensor(answer(*size), "The offsets", (1, 18, 5, 7)).float()
    refuse(yours, OFFSETS_WRONG, *size)
    pairs = yours.view(1, 9, 2, 5, 7)
    target = offsets_solution(*size)
    image, weight = torch.rand(1, 1, height, width), torch.rand(1, 1, 3, 3)
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


@exercise(
    "dynamic_capacity.undecided",
    kind="write",
    answer="function",
    hand_in=True,
    praise="The entropy spends the closer looks on the images whose coarse "
    "answer could go either way.",
    hints=(
        "What says how undecided an answer is? The lesson has an equation "
        "for it, and it needs no label.",
        "Take `log_softmax`, so that it stays finite for an image of which "
        "the network is certain.",
        "How many images is that share of the batch, rounded? Pick so many "
        "by their order; a threshold can pick more or fewer.",
    ),
)
def undecided(answer: Any) -> None:
    """Judge `answer(logits, share)` on answers of known order."""
    spread = torch.tensor(
        [
            [0.90, 0.10, 0.0, 0.0, 0.0],
            [0.60, 0.10, 0.10, 0.10, 0.10],
            [0.50, 0.50, 0.0, 0.0, 0.0],
            [1.00, 0.0, 0.0, 0.0, 0.0],
            [0.40, 0.39, 0.21, 0.0, 0.0],
            [0.24, 0.19, 0.19, 0.19, 0.19],
        ]
    )
    known = torch.tensor([5, 1, 4, 2, 0, 3])  # from undecided to certain
    logits = spread.clamp(min=1e-30).log() + 50 * torch.randn(6, 1)
    logits[3] = torch.tensor([500.0, -500.0, -500.0, -500.0, -500.0])
    for share, count in ((0.5, 3), (1 / 3, 2), (0.3, 2), (0.0, 0), (1.0, 6)):
        order = torch.randperm(6)
        yours = expect_tensor(answer(logits[order], share), "The choice", (6,))
        if yours.dtype != torch.bool:
            raise Mistake(
                f"The choice should be boolean, but is {yours.dtype}."
            )
        found = torch.zeros(6, dtype=torch.bool)
        found[order] = yours
        if int(found.sum()) != count:
            raise Mistake(
                f"A share of {share:.2g} of 6 images is {count}, but "
                f"{int(found.sum())} are chosen."
            )
        _expect_undecided(found, known, count)
    same = answer(torch.zeros(4, 3), 0.5)
    if int(expect_tensor(same, "The choice", (4,)).sum()) != 2:
        raise Mistake(
            "Four images with equal logits, a share of one half: two should "
            "be chosen, whichever."
        )


def _expect_undecided(found: Tensor, known: Tensor, count: int) -> None:
    """Say which other order was taken, if it is not that of the entropy."""
    if found[known[:count]].all():
        return
    if count == 3 and found[known[3:]].all():
        raise Mistake("These are the most certain images.")
    if found[2] and not found[1]:
        raise Mistake(
            "An image with two even classes was taken before one whose "
            "answer is spread over five: the largest probability, or the "
            "lead of the first class, is not the entropy."
        )
    raise Mistake(
        "The images that are chosen are not those with the largest entropy."
    )
