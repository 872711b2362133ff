"""Exercises of lesson 13, saliency."""

import math
from typing import Any

import torch
from torch import Tensor

from attncourse.data import ViewedDigits
from attncourse.exercises.exercise import Mistake, exercise
from attncourse.exercises.probes import (
    expect_close,
    expect_number,
    expect_tensor,
    refuse,
)
from attncourse.metrics import correlation, fixation_density

HEIGHT, WIDTH = 11, 13


def _looks() -> Tensor:
    """Draw counts of looks, five of them at one pixel."""
    looks = torch.zeros(HEIGHT * WIDTH, dtype=torch.int64)
    looks[torch.randperm(HEIGHT * WIDTH)[:9]] = 1
    looks[looks.argmax()] = 5
    return looks.view(HEIGHT, WIDTH)


def gain_solution(saliency: Tensor, middle: Tensor, looks: Tensor) -> Tensor:
    """Bits per look by which one map predicts better than another."""
    ours, theirs = saliency / saliency.sum(), middle / middle.sum()
    return ((ours / theirs).log2() * looks).sum() / looks.sum()


def _not_normalised(saliency: Tensor, middle: Tensor, looks: Tensor) -> Tensor:
    return ((saliency / middle).log2() * looks).sum() / looks.sum()


def _in_nats(saliency: Tensor, middle: Tensor, looks: Tensor) -> Tensor:
    return gain_solution(saliency, middle, looks) * math.log(2)


def _turned(saliency: Tensor, middle: Tensor, looks: Tensor) -> Tensor:
    return gain_solution(middle, saliency, looks)


def _summed(saliency: Tensor, middle: Tensor, looks: Tensor) -> Tensor:
    return gain_solution(saliency, middle, looks) * looks.sum()


def _over_pixels(saliency: Tensor, middle: Tensor, looks: Tensor) -> Tensor:
    return gain_solution(saliency, middle, looks) * looks.sum() / looks.numel()


def _once_each(saliency: Tensor, middle: Tensor, looks: Tensor) -> Tensor:
    return gain_solution(saliency, middle, (looks > 0).long())


def _against_even(saliency: Tensor, middle: Tensor, looks: Tensor) -> Tensor:
    return gain_solution(saliency, torch.ones_like(middle), looks)


GAIN_WRONG = (
    (
        _not_normalised,
        "The maps are not normalised: each has to sum to one before their "
        "probabilities can be compared.",
    ),
    (_in_nats, "This is in nats; bits take the logarithm to the base 2."),
    (
        _turned,
        "The sign is turned: it should be positive where the map gives a "
        "look more probability than the middle does.",
    ),
    (_summed, "This is the sum over the looks; divide by their number."),
    (
        _over_pixels,
        "The mean runs over all pixels; divide by the number of looks.",
    ),
    (
        _once_each,
        "Each fixated pixel counts once here; a pixel that was looked at "
        "five times must count five times.",
    ),
    (
        _against_even,
        "This compares with an even map; compare with the map of the middle.",
    ),
)


@exercise(
    "saliency.gain",
    kind="write",
    solution=gain_solution,
    praise="Information gain: how many bits each look becomes less "
    "surprising than it is to who knows the middle alone.",
    hints=(
        "A map becomes a distribution by its sum. Do that with both.",
        "At one look the gain is the logarithm of a ratio of two "
        "probabilities, to the base 2.",
        "Weigh with the counts, and divide by their sum.",
    ),
    wrong=GAIN_WRONG,
)
def gain(answer: Any) -> None:
    """Judge `answer(saliency, middle, looks)`."""
    saliency = 3 + 2 * torch.rand(HEIGHT, WIDTH)
    middle, looks = torch.rand(HEIGHT, WIDTH) + 0.2, _looks()
    given = (saliency, middle, looks)
    yours = expect_tensor(answer(*given), "The gain", ())
    refuse(yours, GAIN_WRONG, *given)
    target = gain_solution(*given)
    expect_close(
        yours,
        target,
        f"The gain is {yours.item():.3f} where {target.item():.3f} is right.",
    )


FLAT_WRONG = (
    (0.25, "That is SIM, the mass that the two share."),
    (2.0, "That is in bits; the logarithm of the lesson is the natural one."),
    (
        -math.log(4),
        "The sign is turned: the density is higher than the map where "
        "people looked.",
    ),
    (
        math.log(4) / 4,
        "The logarithm is weighed by the map here; the density weighs it.",
    ),
    (
        math.inf,
        "That is the other direction: here no look falls on a pixel that "
        "the map calls impossible.",
    ),
    (
        math.log(4 / 3),
        "The logarithm belongs to the pixels where people looked, a quarter "
        "of all, not to the others.",
    ),
    (0.0, "It would be zero if the two were equal."),
)


@exercise(
    "saliency.flat",
    kind="predict",
    solution=math.log(4),
    praise="The flat map spreads over four times as many pixels as it "
    "should, and the logarithm of four is what that costs.",
    hints=(
        "With n pixels the flat map is 1 / n everywhere. What is the density "
        "on its quarter?",
        "The ratio of the two is the same on each pixel that counts.",
    ),
    wrong=FLAT_WRONG,
)
def flat(answer: Any) -> None:
    """Judge the divergence of a flat map."""
    given = expect_number(answer, "The divergence")
    refuse(given, FLAT_WRONG)
    if abs(given - math.log(4)) > 0.005:
        raise Mistake(
            f"It is not {given:g}: by what factor does the density exceed "
            "the map where people looked?"
        )


def shuffled_solution(saliency: Tensor, own: Tensor, others: Tensor) -> Tensor:
    """Area under the curve of own looks against those at other scenes."""
    values = saliency.flatten()
    pairs = own.flatten()[:, None] * others.flatten()
    won = (values[:, None] > values) + (values[:, None] == values) / 2
    return (pairs * won).sum() / pairs.sum()


def _as_printed(saliency: Tensor, own: Tensor, others: Tensor) -> Tensor:
    positive, negative = saliency[own > 0], saliency[others > 0]
    return (positive[:, None] > negative).float().mean()


def _ties_alone(saliency: Tensor, own: Tensor, others: Tensor) -> Tensor:
    return shuffled_solution(saliency, (own > 0).long(), (others > 0).long())


def _counts_alone(saliency: Tensor, own: Tensor, others: Tensor) -> Tensor:
    values = saliency.flatten()
    pairs = own.flatten()[:, None] * others.flatten()
    return (pairs * (values[:, None] > values)).sum() / pairs.sum()


def _ties_won(saliency: Tensor, own: Tensor, others: Tensor) -> Tensor:
    values = saliency.flatten()
    pairs = own.flatten()[:, None] * others.flatten()
    return (pairs * (values[:, None] >= values)).sum() / pairs.sum()


def _own_counts_alone(saliency: Tensor, own: Tensor, others: Tensor) -> Tensor:
    return shuffled_solution(saliency, own, (others > 0).long())


def _sides_swapped(saliency: Tensor, own: Tensor, others: Tensor) -> Tensor:
    return shuffled_solution(saliency, others, own)


def _all_pixels(saliency: Tensor, own: Tensor, others: Tensor) -> Tensor:
    return shuffled_solution(saliency, own, (own == 0).long())


SHUFFLED_WRONG = (
    (_as_printed, "Nothing has changed yet."),
    (
        _ties_alone,
        "Ties are right now, but each pixel still counts once, however often "
        "it was looked at.",
    ),
    (
        _counts_alone,
        "The counts are right now, but a tie is still counted as lost.",
    ),
    (_ties_won, "A tie is counted as won here; it should count one half."),
    (
        _own_counts_alone,
        "The own looks are counted now, and those at other scenes are not.",
    ),
    (
        _sides_swapped,
        "The sides are swapped: the own looks should be the higher ones.",
    ),
    (
        _all_pixels,
        "The negatives are all pixels without a look here; that is the plain "
        "AUC.",
    ),
)


@exercise(
    "saliency.shuffled",
    kind="find",
    solution=shuffled_solution,
    praise="A map of the middle scores one half now, and so does a flat one.",
    hints=(
        "Give it a flat map. What should come out, and what does?",
        "Give it a map, and let the five looks at one pixel become one. Does "
        "the score change?",
        "Weigh each pair of pixels with the product of its two counts, and "
        "let a tie be worth one half.",
    ),
    wrong=SHUFFLED_WRONG,
)
def shuffled(answer: Any) -> None:
    """Judge the fixed `answer(saliency, own, others)`."""
    saliency = torch.randint(0, 6, (HEIGHT, WIDTH)).float()
    given = (saliency, _looks(), _looks() + _looks())
    yours = expect_tensor(answer(*given), "The score", ())
    refuse(yours, SHUFFLED_WRONG, *given)
    target = shuffled_solution(*given)
    expect_close(
        yours,
        target,
        f"The score is {yours.item():.3f} where {target.item():.3f} is right.",
    )


@exercise(
    "saliency.sigma",
    kind="change",
    solution=5.0,
    praise="Fewer looks need more blur: the gaps between them are wider.",
    hints=(
        "Draw `ViewedDigits(60, looks=10)`, blur the first half of the looks "
        "with `metrics.fixation_density` and score it against the density by "
        "`metrics.correlation`.",
        "Try 1, 2, 3, and so on up to 10 and take the best; the exact value "
        "hardly matters near it.",
    ),
)
def sigma(answer: Any) -> None:
    """Judge a blur in pixels by the density it gives from ten looks."""
    given = expect_number(answer, "Your sigma")
    if not 0 < given < 64:
        raise Mistake(
            f"Your sigma is {given:g}; a blur of the 64 pixels must be "
            "between 0 and 64."
        )
    draw = int(torch.randint(1000, ()))
    seen = ViewedDigits(40, looks=10, seed=draw).draw()

    def score(width: float) -> float:
        density = fixation_density(seen.fixations[:, :1], width)
        return correlation(density, seen.density).mean().item()

    yours = score(given)
    best = max(score(width) for width in (4.0, 5.0, 6.0))
    if yours >= best - 0.02:
        return
    if 2.5 <= given <= 3.5:
        raise Mistake(
            "That blur suits 45 looks better than ten: the gaps between ten "
            "looks are wider."
        )
    side = (
        "too narrow: most of what it draws is the accident of which pixel "
        "was hit"
        if given < 5
        else "too wide: the objects run together"
    )
    raise Mistake(
        f"That is {side}. It correlates with the density by {yours:.2f}; "
        f"{best:.2f} is possible."
    )


def _area(maps: Tensor, own: Tensor, others: Tensor) -> Tensor:
    values = maps.flatten()
    won = (values[:, None] > values) + (values[:, None] == values) / 2
    return own.flatten() @ won.to(own) @ others.flatten()


@exercise(
    "saliency.unbiased",
    kind="write",
    answer="function",
    hand_in=True,
    praise="No map scores higher by the shuffled AUC, and few are further "
    "from the true density: a score is a question.",
    hints=(
        "Which of two pixels should stand higher: the one where more looks "
        "fall at this scene, or the one that stands out against the others?",
        "Try it with two pixels. Write down the chance that a look at this "
        "scene lands on the higher one and a look at another scene on the "
        "lower one, for both orders.",
        "Only the order of the pixels counts, so there are many right maps.",
    ),
)
def unbiased(answer: Any) -> None:
    """Judge `answer(density, others)` by the area that it reaches."""
    density, others = torch.rand(2, HEIGHT, WIDTH, dtype=torch.float64) + 0.05
    others[3:8, 3:9] += 2  # a crowd in the middle
    density = density + others / 2
    density, others = density / density.sum(), others / others.sum()
    maps = answer(density.clone(), others.clone())
    yours = expect_tensor(maps, "The map", (HEIGHT, WIDTH)).double()
    reached = _area(yours, density, others)
    cross = density.flatten()[:, None] * others.flatten()
    most = 0.5 + (cross - cross.T).abs().sum() / 4
    if reached > most - 1e-6:
        return
    shown = f"Its shuffled AUC is {reached:.3f}; {most:.3f} is possible."
    if reached < 1 - most + 1e-6:
        raise Mistake(f"The order is turned round. {shown}")
    if abs(reached - 0.5) < 1e-9:
        raise Mistake(f"It does not tell this scene from the others. {shown}")
    for map_, message in (
        (density, "The density itself is best for the plain AUC."),
        (others, "This is where people look in other scenes."),
        (
            density - others,
            "A difference favours pixels where both are large.",
        ),
    ):
        if abs(reached - _area(map_, density, others)) < 1e-9:
            raise Mistake(f"{message} {shown}")
    raise Mistake(f"Another order of the pixels scores higher. {shown}")
