"""Exercises of lesson 14, which attention to take."""

from math import ceil
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


def delete_solution(images: Tensor, maps: Tensor, side: int) -> Tensor:
    """Black out the window that holds most of each map."""
    height, width = maps.shape[2:]
    sums = F.avg_pool2d(maps, side, stride=1)
    best = sums.flatten(1).argmax(1)
    top, left = best // sums.shape[3], best % sums.shape[3]
    row = torch.arange(height) - top[:, None]
    column = torch.arange(width) - left[:, None]
    rows, columns = (n.ge(0) & n.lt(side) for n in (row, column))
    return images.masked_fill(
        rows[:, None, :, None] & columns[:, None, None], 0
    )


def _black(images: Tensor, top: Tensor, left: Tensor, side: int) -> Tensor:
    changed = images.clone()
    for i in range(len(images)):
        changed[i, :, top[i] : top[i] + side, left[i] : left[i] + side] = 0
    return changed


@exercise(
    "which_attention.delete",
    kind="write",
    solution=delete_solution,
    praise="This test asks the same of every map, whatever made it.",
    hints=(
        "`F.avg_pool2d(maps, side, stride=1)` has one number for each window: "
        "its mean.",
        "Flatten it and take the arg-max of each image; divided by the number "
        "of columns it gives the top row, and the rest is the left column.",
        "A loop over the images may set `changed[i, :, top:top + side, "
        "left:left + side] = 0`, on a clone.",
    ),
)
def delete(answer: Any) -> None:
    """Judge `answer(images, maps, side)`."""
    side, height, width = 4, 11, 13
    maps = torch.rand(3, 1, height, width).pow(4)
    # A lonely peak, so that peak and mass are two positions.
    maps[:, :, 3, 2] = 1.5
    maps[:, :, 6:, 7:] += 0.2 * torch.rand(3, 1, 5, 6)
    images = 1 + torch.rand(3, 1, height, width)
    yours = expect_tensor(
        answer(images, maps, side), "The result", (3, 1, height, width)
    )
    sums = F.avg_pool2d(maps, side, stride=1)
    columns = sums.shape[3]
    best, worst = (s.flatten(1).argmax(1) for s in (sums, -sums))
    peak = maps.flatten(1).argmax(1)
    row, column = peak // width, peak % width
    wrong = (
        (
            _black(
                images,
                (best[:1] // columns).expand(3),
                (best[:1] % columns).expand(3),
                side,
            ),
            "All images lose the window of the first; each has its own.",
        ),
        (
            _black(images, worst // columns, worst % columns, side),
            "This is the window with least of the map; take that with most.",
        ),
        (
            _black(
                images,
                (row - side // 2).clamp(0, height - side),
                (column - side // 2).clamp(0, width - side),
                side,
            ),
            "The window is laid around the highest pixel; take the one whose "
            "sum is largest.",
        ),
        (
            _black(images, row, column, side),
            "The window begins at the highest pixel; take the one whose sum "
            "is largest.",
        ),
        (
            _black(images, best // width, best % width, side),
            "The number of the window is split by the columns of the image; "
            "there are fewer windows in a row.",
        ),
    )
    target = delete_solution(images, maps, side)
    refuse(yours, wrong)
    if close(yours, images - target):
        raise Mistake(
            "Only the window is left; it should be black and the rest stay."
        )
    if not (yours == 0).any():
        raise Mistake("Nothing is black.")
    expect_close(
        yours,
        target,
        "Something else than the window with most of the map is black.",
    )


CHANNELS, NARROW = 32, 16


@exercise(
    "which_attention.pairs",
    kind="predict",
    solution=65,
    praise="Twice the channels: beyond a map of 8 x 8 the pairs are the "
    "larger part; with twice the side there are sixteen times as many.",
    hints=(
        "Set the two parts equal: 4 N C d for the convolutions and 2 N² d "
        "for the pairs.",
        "N and 2 d are in both parts; what is left says N > 2 C.",
    ),
)
def pairs(answer: Any) -> None:
    """Judge the smallest number of positions at which pairs cost more."""
    said = expect_number(answer, "The number of positions")
    reasons = {
        2 * CHANNELS: "At 64 positions both parts cost the same; the pairs "
        "should cost more.",
        CHANNELS
        + 1: "At 33 positions the convolutions still cost about twice "
        "as much: the four of them take 4 N C d and the two products 2 N² d.",
        4 * CHANNELS + 1: "There are two products of pairs, one for the "
        "scores and one for the mixing; each takes N² d.",
        9: "That is a side of the map; the question is for the number of "
        "positions.",
    }
    if said in reasons:
        raise Mistake(reasons[int(said)])
    if said != 2 * CHANNELS + 1:
        convolutions = 4 * said * CHANNELS * NARROW
        products = 2 * said**2 * NARROW
        raise Mistake(
            f"With {said:g} positions the convolutions take "
            f"{convolutions:,.0f} and the pairs {products:,.0f}; find where "
            f"this first turns round."
        )


def honest_gain(scores: Tensor, control: Tensor) -> Tensor:
    """Choose on the first half of the seeds, report on the second."""
    half = scores.shape[1] // 2
    best = scores[:, :half].mean(1).argmax()
    return (scores[best, half:] - control[half:]).mean()


@exercise(
    "which_attention.gain",
    kind="find",
    solution=honest_gain,
    praise="The seeds that chose the winner do not praise it.",
    hints=(
        "Which numbers choose the winner, and which numbers measure its gain?",
        "Let the first half of the seeds choose, and measure the gain on the "
        "others.",
    ),
)
def gain(answer: Any) -> None:
    """Judge `answer(scores, control)`."""
    for _ in range(200):  # until the known mistakes choose differently
        scores, control = torch.rand(6, 8), torch.rand(8)
        first, second = scores[:, :4].mean(1), scores[:, 4:].mean(1)
        winners = {
            int(scores.mean(1).argmax()),
            int(first.argmax()),
            int(second.argmax()),
        }
        if len(winners) == 3:
            break
    yours = expect_tensor(answer(scores, control), "The gain", ())
    target = honest_gain(scores, control)
    whole = scores.mean(1).argmax()
    known = {
        "The same seeds choose the winner and measure it; of several equal "
        "networks this always finds a better one.": (
            scores[whole] - control
        ).mean(),
        "All seeds choose, so that those which measure have chosen as well.": (
            scores[whole, 4:] - control[4:]
        ).mean(),
        "The second half of the seeds chooses and measures; let the first "
        "half choose.": (scores[second.argmax(), 4:] - control[4:]).mean(),
        "The first half of the seeds chooses and measures; measure on the "
        "second half.": (scores[first.argmax(), :4] - control[:4]).mean(),
        "All seeds measure, and half of them have chosen before.": (
            scores[first.argmax()] - control
        ).mean(),
        "A winner is chosen for each seed anew, with the answer in sight; "
        "choose one for all.": (scores.amax(0) - control).mean(),
        "This compares seeds of the winner with other seeds of the control; "
        "take the same ones.": (
            scores[first.argmax(), 4:].mean() - control.mean()
        ),
    }
    for message, wrong in known.items():
        if close(yours, wrong) and not close(target, wrong):
            raise Mistake(message)
    expect_close(
        yours,
        target,
        "This is not the mean paired gain on the second half of the seeds.",
    )


PARAMETERS, WORK = 300, 28_810  # of one channel more on a 10 x 10 map


def last_width_solution(parameters: int, multiply_adds: int) -> int:
    """Smallest width that costs no less in either."""
    more = max(ceil(parameters / PARAMETERS), ceil(multiply_adds / WORK))
    return CHANNELS + more


@exercise(
    "which_attention.width",
    kind="change",
    solution=last_width_solution,
    praise="A control should be able to lose only for want of attention, "
    "not for want of parameters or work.",
    hints=(
        "How many channels more would pay for the multiply-adds alone, and "
        "how many for the parameters alone?",
        "Round each number up, and take the larger one.",
    ),
)
def width(answer: Any) -> None:
    """Judge `answer(parameters, multiply_adds)`."""
    few = int(torch.randint(1, 5, ()))
    many = int(torch.randint(9, 20, ()))
    cases = [  # (parameters, multiply-adds) that a mechanism adds
        (few * PARAMETERS + 7, many * WORK + 11),
        (many * PARAMETERS + 7, few * WORK + 11),
        (few * PARAMETERS, few * WORK),
    ]
    for parameters, work in cases:
        said = expect_number(answer(parameters, work), "The width")
        right = last_width_solution(parameters, work)
        more = said - CHANNELS
        if said == right:
            continue
        case = f"{parameters:,} parameters and {work:,} multiply-adds"
        if said == right - CHANNELS:
            raise Mistake(
                "That is the number of channels to add; hand in the width, "
                "which is 32 more."
            )
        if said != int(said):
            raise Mistake(
                f"For {case} it says {said:.2f}, but a width is a whole "
                f"number; round up."
            )
        if more == max(parameters // PARAMETERS, work // WORK):
            raise Mistake(
                f"For {case} it says {said:.0f}, and that control is a little "
                f"cheaper; round up, not down."
            )
        if more * WORK < work and more * PARAMETERS >= parameters:
            raise Mistake(
                f"For {case} it says {said:.0f}: the parameters are matched, "
                f"but the control has fewer multiply-adds."
            )
        if more * PARAMETERS < parameters and more * WORK >= work:
            raise Mistake(
                f"For {case} it says {said:.0f}: the multiply-adds are "
                f"matched, but the control has fewer parameters."
            )
        if said < right:
            raise Mistake(
                f"For {case} it says {said:.0f}, and that control is cheaper "
                f"in both."
            )
        raise Mistake(
            f"For {case} it says {said:.0f}, which is more than needed: "
            f"{right} is enough for both."
        )


@exercise(
    "which_attention.fair",
    kind="write",
    answer="function",
    hand_in=True,
    own_work=False,
    praise="Each mechanism against the control that costs no less, seed by "
    "seed.",
    hints=(
        "The difference of a seed comes first, and the mean over the seeds "
        "after it.",
        "`(differences > 0)` counts who is ahead; what does a difference of "
        "zero count?",
        "Go through `controls`: its keys are the mechanisms, its values name "
        "their controls.",
    ),
)
def fair(answer: Any) -> None:
    """Judge `answer(accuracy, controls)`."""
    seeds = int(torch.randint(5, 9, ()))
    names = ("plain", "wide", "gate", "pairs", "pooled")
    accuracy = {name: torch.randint(80, 99, (seeds,)) / 100 for name in names}
    accuracy["gate"][:2] = accuracy["plain"][:2]  # ties
    accuracy["pairs"] = accuracy["pairs"].flip(0) - 0.05
    controls = {"gate": "plain", "pairs": "wide", "pooled": "wide"}
    yours = answer(accuracy, controls)
    if not isinstance(yours, dict):
        raise Mistake(
            f"It returns a {type(yours).__name__}; a dictionary from each "
            f"mechanism to its pair is needed."
        )
    extra = sorted(set(yours) & set(controls.values()))
    if extra:
        raise Mistake(
            f"The control {extra[0]!r} has an entry; only mechanisms, the "
            f"keys of `controls`, should have one."
        )
    missing = sorted(set(controls) - set(yours))
    if missing:
        raise Mistake(f"The mechanism {missing[0]!r} has no entry.")
    for name, control in controls.items():
        _judge_pair(name, yours[name], accuracy, control)


def _judge_pair(
    name: str, pair: Any, accuracy: dict[str, Tensor], control: str
) -> None:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise Mistake(
            f"The entry of {name!r} should be a pair of floats, the mean "
            f"difference and the share of seeds ahead."
        )
    mean = float(expect_number(pair[0], "The mean difference"))
    share = float(expect_number(pair[1], "The share of seeds"))
    differences = accuracy[name] - accuracy[control]
    right = float(differences.mean())
    ahead = float((differences > 0).float().mean())
    ties = float((differences == 0).float().mean())
    others = {
        str(float((accuracy[name] - accuracy[other]).mean()))
        for other in accuracy
        if other not in (name, control)
    }
    if abs(mean + right) < 1e-6 and abs(right) > 1e-6:
        raise Mistake(
            "The difference is turned round: a mechanism that is ahead has "
            "a positive one."
        )
    if abs(mean - right) > 1e-6:
        near = any(abs(mean - float(each)) < 1e-6 for each in others)
        raise Mistake(
            "This compares with another network than the mechanism's own "
            "control."
            if near
            else f"The mean difference of {name!r} is not that of the "
            f"equation."
        )
    if abs(share - (ahead + ties / 2)) < 1e-6:
        return
    if abs(share - ahead) < 1e-6:
        raise Mistake("A tie counts nothing here; it should count one half.")
    if abs(share - ahead - ties) < 1e-6:
        raise Mistake("A tie counts as ahead; it should count one half.")
    if share > 1:
        raise Mistake("This is a number of seeds; divide it by all seeds.")
    raise Mistake(f"{name!r} is ahead in another share of the seeds.")
