"""Exercises of lesson 9, residual attention and attention over scales."""

from collections.abc import Callable
from functools import partial
from math import exp
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

Network = Callable[[Tensor], Tensor]


def contrast_solution(masks: Tensor) -> Tensor:
    """Largest product of the factors over the smallest one."""
    amplified = (1 + masks).prod(0)
    return amplified.max() / amplified.min()


@exercise(
    "residual_attention.contrast",
    kind="write",
    solution=contrast_solution,
    praise="With n layers it stays below two to the power of n, however the "
    "masks look.",
    hints=(
        "By which factor does one layer amplify a position, and what becomes "
        "of the factors of several layers?",
        "They multiply: one map of products over the layers.",
        "`(1 + masks).prod(0)`, and of that the largest over the smallest.",
    ),
)
def contrast(answer: Any) -> None:
    """Judge `answer(masks)`."""
    masks = torch.rand(8, 5, 7)
    yours = expect_number(answer(masks), "The contrast")
    factors = 1 + masks
    products, naive = factors.prod(0), masks.prod(0)
    highest, lowest = factors.amax((1, 2)), factors.amin((1, 2))
    right = contrast_solution(masks).item()
    for wrong, message in (
        (
            naive.max() / naive.min(),
            "That is the naive form: the factor of a residual layer is one "
            "plus its mask.",
        ),
        (
            (1 + naive).max() / (1 + naive).min(),
            "The one belongs to each layer, not to the product of all.",
        ),
        (
            factors.sum(0).max() / factors.sum(0).min(),
            "The factors of a position multiply from layer to layer; these "
            "are sums.",
        ),
        (
            products.max() / products.mean(),
            "That compares with the mean position; the least amplified one "
            "is asked for.",
        ),
        (
            products.max(),
            "That is the largest factor; divide it by that of the least "
            "amplified position.",
        ),
        (
            products.max() - products.min(),
            "That is the difference of the two factors; how many times more "
            "is asked for.",
        ),
        (
            (highest / lowest).prod(),
            "That takes the best and the worst position of each layer by "
            "itself; the same two positions go through all layers.",
        ),
        (
            (highest / lowest).max(),
            "That is the layer with the largest contrast; a position meets "
            "all layers.",
        ),
        (
            1 / torch.tensor(right),
            "That is the least amplified position over the most amplified "
            "one.",
        ),
    ):
        if abs(yours - float(wrong)) <= 1e-4 * abs(float(wrong)):
            raise Mistake(message)
    if abs(yours - right) > 1e-4 * right:
        raise Mistake(
            f"For 8 random masks it should be {right:.3f}, but is {yours:.3f}."
        )
    flat = expect_number(answer(torch.full((3, 4, 4), 0.3)), "The contrast")
    if abs(flat - 1) > 1e-4:
        raise Mistake(f"For flat masks it should be 1, but is {flat:.3f}.")


MASK = 1 / (1 + exp(4))  # of the layer of the next exercise, at x = 1
SLOPE = MASK * (1 - MASK)


@exercise(
    "residual_attention.below_one",
    kind="predict",
    solution=1 + MASK - 4 * SLOPE,
    praise="The layer amplifies its signal and weakens its gradient: what "
    "holds for the one is not promised for the other.",
    hints=(
        "The mask depends on x, so this is a product of two functions of x.",
        "The derivative of the sigmoid is M (1 - M), and inside it stands "
        "-4 x.",
        "1 + M + x dM/dx, with M = 0.018 and x = 1.",
    ),
)
def below_one(answer: Any) -> None:
    """Judge a number; one percent off is close enough."""
    yours = expect_number(answer, "The gradient")
    mistakes = {
        1 + MASK: "That holds the mask fixed; it is computed from x, too.",
        1 + MASK + 4 * SLOPE: "The sign of the last term: the mask falls "
        "where x rises.",
        1 + MASK - SLOPE: "The inner derivative is missing: inside the "
        "sigmoid stands -4 x.",
        MASK - 4 * SLOPE: "That is the naive layer; the one is missing.",
        MASK: "That is the mask; the gradient of the layer is asked for.",
        -4 * SLOPE: "That is what the mask adds; 1 + M belongs to it.",
        1 - 4 * SLOPE: "The mask itself is missing: 1 + M, and then what its "
        "dependence on x adds.",
    }
    right = 1 + MASK - 4 * SLOPE
    for wrong, message in mistakes.items():
        if abs(yours - wrong) <= 0.005 * abs(wrong):
            raise Mistake(message)
    if abs(yours - right) > 0.01 * right:
        raise Mistake(
            f"Not {yours:g}: it is 1 + M + x dM/dx, with M = sigmoid(-4)."
        )


def full_size(view: Tensor, height: int, width: int) -> Tensor:
    """Bring a map to a size: (batch, channels, height, width)."""
    return F.interpolate(
        view, size=(height, width), mode="bilinear", align_corners=False
    )


def mixed_solution(views: list[Tensor], scores: list[Tensor]) -> Tensor:
    """Bring all to the size of the first, then let the scales compete."""
    height, width = views[0].shape[2:]
    maps = torch.stack([full_size(view, height, width) for view in views])
    raw = torch.stack(
        [full_size(each.unsqueeze(1), height, width) for each in scores]
    )  # (scales, batch, 1, height, width)
    return (raw.softmax(0) * maps).sum(0)


@exercise(
    "residual_attention.mixed",
    kind="write",
    solution=mixed_solution,
    praise="The scales compete for each position, and the positions do not "
    "compete at all.",
    hints=(
        "`F.interpolate` wants (batch, channels, height, width). Give the "
        "scores an axis of one for the channels.",
        "Bring scores to the full size before the softmax: which axis of "
        "the stack should the shares sum to one over?",
        "Stack views and scores, `scores.softmax(0)`, multiply, and sum over "
        "axis 0.",
    ),
)
def mixed(answer: Any) -> None:
    """Judge `answer(views, scores)`."""
    sides = (8, 6), (4, 3), (2, 2)
    views = [torch.randn(2, 3, *side) for side in sides]
    scores = [2 * torch.randn(2, *side) for side in sides]
    yours = expect_tensor(answer(views, scores), "The mixture", (2, 3, 8, 6))
    maps = torch.stack([full_size(view, 8, 6) for view in views])
    raw = torch.stack([full_size(each.unsqueeze(1), 8, 6) for each in scores])
    pinned = partial(
        F.interpolate, size=(8, 6), mode="bilinear", align_corners=True
    )
    blocks = partial(F.interpolate, size=(8, 6))

    def by(shares: Tensor, views: Tensor = maps) -> Tensor:
        return (shares * views).sum(0)

    def resized(resize: Callable[[Tensor], Tensor]) -> Tensor:
        stacked = torch.stack([resize(each.unsqueeze(1)) for each in scores])
        return by(stacked.softmax(0), torch.stack([resize(v) for v in views]))

    wrong = (
        (
            by(raw.flatten(3).softmax(-1).view_as(raw)),
            "The softmax runs over the positions of each scale; it should "
            "run over the scales at each position.",
        ),
        (
            by(raw.softmax(1)),
            "The softmax runs over the batch, so the images compete; the "
            "scales should.",
        ),
        (
            by(raw),
            "The scores multiply the views as they are; a softmax over the "
            "scales makes shares of them.",
        ),
        (
            by(raw.sigmoid()),
            "These are sigmoids, and their sum may be anything; the shares "
            "of a position sum to one over the scales.",
        ),
        (
            by(raw.softmax(0)) / 3,
            "That is the mean over the scales; the shares have divided "
            "already, so sum.",
        ),
        (
            maps.mean(0),
            "That is the plain mean of the views; the scores are not used.",
        ),
        (
            resized(pinned),
            "With `align_corners=True` the outer positions are pinned to the "
            "corners and all others shift; write `False`.",
        ),
        (
            resized(blocks),
            "The views come back as blocks; interpolate bilinearly.",
        ),
    )
    refuse(yours, wrong)
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
        "Try a map of 6 x 8 positions, then one of 7 x 9. Which of them "
        "fails?",
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
        right = brought_back_solution(x, network)
        half = F.adaptive_avg_pool2d(x, ((height + 1) // 2, (width + 1) // 2))
        doubled = F.interpolate(network(half), scale_factor=2, mode="bilinear")
        resized = partial(F.interpolate, size=(height, width), mode="bilinear")
        for wrong, message in (
            (
                doubled[..., :height, :width],
                "The size is cut to fit, but the interpolation still doubles "
                "the map, so that all positions are shifted; ask it for the "
                "size that is needed.",
            ),
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
                "With `align_corners=True` the outer positions are pinned to "
                "the corners and all others shift; write `False`.",
            ),
            (
                F.interpolate(network(half), size=(height, width)),
                "The views come back as blocks; interpolate bilinearly.",
            ),
        ):
            if close(yours, wrong) and not close(yours, right):
                raise Mistake(message)
        expect_close(
            yours,
            right,
            "The size is right, but the numbers are not those of the fixed "
            "code.",
        )


@exercise(
    "residual_attention.supervised",
    kind="write",
    answer="function",
    hand_in=True,
    praise="Each view has to give the answer by itself, so that none of them "
    "is left behind.",
    hints=(
        "Which axis do the scales compete on? The shares of an image sum to "
        "one over the scales.",
        "Mix the logits, not the probabilities: `F.cross_entropy` takes "
        "logits and does the rest.",
        "One cross-entropy for the mixture, one for each view, all with the "
        "same labels; nothing is detached.",
    ),
)
def supervised(answer: Any) -> None:
    """Judge `answer(views, scores, labels)` by cases and gradients."""
    labels = torch.tensor([0, 3, 1, 2])
    views = torch.randn(3, 4, 5, requires_grad=True)
    scores = torch.randn(3, 4, requires_grad=True)
    yours = expect_number(answer(views, scores, labels), "The loss")
    single = [F.cross_entropy(view, labels).item() for view in views]
    alone = views[:1].detach()  # one view is its own mixture
    once = answer(alone, torch.zeros(1, 4), labels)
    if abs(expect_number(once, "The loss") - 2 * single[0]) > 1e-4:
        if abs(float(once) - single[0]) <= 1e-4:
            raise Mistake(
                "With one scale the loss should count twice, once for the "
                "mixture and once for the view; here it counts once."
            )
        raise Mistake(
            "With one scale, mixture and view are the same logits: the loss "
            f"should be {2 * single[0]:.3f}, but is {float(once):.3f}."
        )
    rest = yours - sum(single)  # what is left for the mixture
    first = views.detach()[:1].expand(3, -1, -1)  # all views say the same
    same = expect_number(answer(first, scores.detach(), labels), "The loss")
    if abs(same - 4 * single[0]) > 1e-4:
        if abs(same - 2 * single[0]) <= 1e-4:
            raise Mistake(
                "The cross-entropies of the views should be summed; these "
                "are averaged."
            )
        raise Mistake(
            "Three equal views mix to the same logits, whatever the scores: "
            f"the loss should be {4 * single[0]:.3f}, but is {same:.3f}."
        )
    sure = torch.tensor([[40.0], [0.0], [0.0]]).expand(3, 4)
    led = expect_number(answer(views.detach(), sure, labels), "The loss")
    if abs(led - single[0] - sum(single)) > 1e-3:
        raise Mistake(
            "Where one scale has nearly the whole share, the mixture should "
            "be that view: mix by a softmax of the scores over the scales."
        )
    even = torch.zeros(3, 4)
    middle = expect_number(answer(views.detach(), even, labels), "The loss")
    halfway = F.cross_entropy(views.detach().mean(0), labels).item()
    if abs(middle - halfway - sum(single)) > 1e-4:
        raise Mistake(
            "With equal scores the mixture should be the cross-entropy of "
            "the mean of the logits; mix logits, not losses or "
            "probabilities."
        )
    total = answer(views, scores, labels)
    if not isinstance(total, Tensor) or not total.requires_grad:
        raise Mistake("The loss has no gradient; nothing may be detached.")
    parts = torch.autograd.grad(total, (views, scores), allow_unused=True)
    if any(part is None or not part.any() for part in parts):
        raise Mistake(
            "The loss does not move views and scores; nothing may be detached."
        )
    if rest < 0:
        raise Mistake("The part of the mixture should not be below zero.")
