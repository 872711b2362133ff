"""Exercises of lesson 13, saliency."""

import math
from typing import Any

import torch
from torch import Tensor

from attncourse.data import ViewedDigits
from attncourse.exercises.exercise import Mistake, exercise
from attncourse.exercises.probes import (
    close,
    expect_choice,
    expect_close,
    expect_number,
    expect_tensor,
)
from attncourse.metrics import correlation, fixation_density

HEIGHT, WIDTH = 11, 13


def draw() -> tuple[Tensor, Tensor]:
    """Draw a map and counts of looks, two of them at one pixel."""
    looks = torch.zeros(HEIGHT * WIDTH, dtype=torch.int64)
    looks[torch.randperm(HEIGHT * WIDTH)[:9]] = 1
    looks[looks.argmax()] = 5
    saliency = 3 + 2 * torch.rand(HEIGHT, WIDTH)
    return saliency, looks.view(HEIGHT, WIDTH)


def nss_solution(saliency: Tensor, fixations: Tensor) -> Tensor:
    """Mean z-score of the map where people looked."""
    z = (saliency - saliency.mean()) / saliency.std(correction=0)
    return (z * fixations).sum() / fixations.sum()


@exercise(
    "saliency.nss",
    kind="write",
    solution=nss_solution,
    praise="A look at an average pixel is worth nothing, one at a pixel "
    "that stands out by a standard deviation is worth one.",
    hints=(
        "First make the map comparable: shift and scale it so that its mean "
        "over all pixels is 0 and its standard deviation 1.",
        "Then take the mean over the looks, not over the pixels: a pixel "
        "that was looked at five times counts five times.",
        "`(z * fixations).sum() / fixations.sum()`, and "
        "`saliency.std(correction=0)` divides by the number of pixels.",
    ),
)
def nss(answer: Any) -> None:
    """Judge `answer(saliency, fixations)`."""
    saliency, looks = draw()
    yours = expect_tensor(answer(saliency, looks), "The score", ())
    target = nss_solution(saliency, looks)
    seen = saliency[looks > 0]
    z = (saliency - saliency.mean()) / saliency.std(correction=0)
    known = {
        "The standard deviation divides by the number of pixels less one "
        "here; pass `correction=0`.": target
        * saliency.std(correction=0)
        / saliency.std(),
        "The map is shifted but not scaled; divide by its standard "
        "deviation.": target * saliency.std(correction=0),
        "The mean runs over all pixels; divide by the number of looks "
        "instead.": (z * looks).mean(),
        "Every fixated pixel counts once here; a pixel that was looked at "
        "five times must count five times.": z[looks > 0].mean(),
        "The map is scaled but not shifted; subtract its mean first.": (
            saliency * looks
        ).sum()
        / looks.sum()
        / saliency.std(correction=0),
        "The mean and the standard deviation are those of the fixated "
        "pixels; take them over the whole map.": (
            ((saliency - seen.mean()) / seen.std(correction=0) * looks).sum()
            / looks.sum()
        ),
    }
    for message, wrong in known.items():
        if close(yours, wrong):
            raise Mistake(message)
    expect_close(
        yours,
        target,
        f"The score is {yours.item():.3f} where {target.item():.3f} is right.",
    )


CHOICES = ("none", "auc", "nss", "kl", "all")


@exercise(
    "saliency.invariance",
    kind="predict",
    solution="auc",
    praise="The area asks only which of two pixels is higher, and the power "
    "keeps the order.",
    hints=(
        "Write down for each score what it uses of a pixel's value: its "
        "size, or only its rank.",
        "Raising to the power 0.3 keeps the order of all values, and "
        "changes every difference.",
    ),
)
def invariance(answer: Any) -> None:
    """Judge the name of the score that does not change."""
    chosen = expect_choice(answer, "The answer", CHOICES)
    reasons = {
        "none": "One of them uses the order of the values only, and a power "
        "keeps the order.",
        "nss": "NSS averages z-scores, and the power changes the distances "
        "between values; high peaks lose.",
        "kl": "KL compares shares of the mass, and the power moves mass from "
        "the peaks to everything else.",
        "all": "Two of the three use the sizes of the values, which the "
        "power changes.",
    }
    if chosen in reasons:
        raise Mistake(reasons[chosen])


def divergence_solution(saliency: Tensor, density: Tensor) -> Tensor:
    """Nats that the map loses against the density of the looks."""
    s = saliency / saliency.sum()
    q = density / density.sum()
    return (q * (q / s).log()).sum()


@exercise(
    "saliency.divergence",
    kind="find",
    solution=divergence_solution,
    praise="The density of the looks weighs, and both maps have a sum of one.",
    hints=(
        "Feed the function the same map twice, the second time multiplied "
        "by 10. What should come out?",
        "A density sums to one. Do both arguments, inside the function?",
        "Which of the two should weigh the logarithm: the model's map, or "
        "where people really looked?",
    ),
)
def divergence(answer: Any) -> None:
    """Judge the fixed `answer(saliency, density)`."""
    saliency = torch.rand(HEIGHT, WIDTH) + 0.1
    density = torch.rand(HEIGHT, WIDTH) + 0.1
    yours = expect_tensor(answer(saliency, density), "The divergence", ())
    target = divergence_solution(saliency, density)
    s, q = saliency / saliency.sum(), density / density.sum()
    known = {
        "Nothing is normalised yet: divide each map by its sum first.": (
            density * (density / saliency).log()
        ).sum(),
        "The two are swapped: the density of the looks must weigh the "
        "logarithm.": (s * (s / q).log()).sum(),
        "Both faults are still there: neither map sums to one, and the "
        "model's map weighs the logarithm.": (
            saliency * (saliency / density).log()
        ).sum(),
        "The sign is turned: the logarithm is that of density over map.": (
            -target
        ),
        "The sum over the pixels became a mean; that divides by their "
        "number once more.": target / (HEIGHT * WIDTH),
        "This is in bits; take the natural logarithm for nats.": target
        / math.log(2),
    }
    for message, wrong in known.items():
        if close(yours, wrong):
            raise Mistake(message)
    expect_close(
        yours,
        target,
        f"The divergence is {yours.item():.3f} where {target.item():.3f} is "
        "right.",
    )


@exercise(
    "saliency.sigma",
    kind="change",
    solution=4.0,
    praise="Wide enough to fill the gaps between the looks, narrow enough "
    "to keep two objects apart.",
    hints=(
        "Draw `ViewedDigits(60)`, blur the first half of the looks with "
        "`metrics.fixation_density` and score it against the density by "
        "`metrics.correlation`.",
        "Try 0.5, 1, 2, 4, 8 and 16 and take the best; the exact value "
        "hardly matters near it.",
    ),
)
def sigma(answer: Any) -> None:
    """Judge a blur in pixels by the density it gives from 45 looks."""
    given = expect_number(answer, "Your sigma")
    if not 0 < given < 64:
        raise Mistake(
            f"Your sigma is {given:g}; a blur of the 64 pixels must be "
            "between 0 and 64."
        )
    seen = ViewedDigits(20, seed=int(torch.randint(1000, ()))).draw()

    def score(width: float) -> float:
        density = fixation_density(seen.fixations[:, :1], width)
        return correlation(density, seen.density).mean().item()

    yours = score(given)
    best = max(score(width) for width in (3.0, 3.5, 4.0, 4.5, 5.0))
    if yours >= best - 0.03:
        return
    side = (
        "too narrow: most of what it draws is the accident of which pixel "
        "was hit"
        if given < 4
        else "too wide: the objects run together"
    )
    raise Mistake(
        f"That is {side}. It correlates with the density by {yours:.2f}; "
        f"{best:.2f} is possible."
    )
