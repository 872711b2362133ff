"""The rule: what an interval says of a claim, and what it costs to settle it.

The rule in plain words, with its date, is the page `book/rule.md`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import atanh, log, sqrt, tanh
from statistics import NormalDist
from typing import Final, Literal

import numpy as np

from attncourse.metrics import Interval

Word = Literal[
    "supported",
    "refuted: harmful",
    "refuted: no gain worth having",
    "refuted: no difference worth having",
    "refuted: below what was needed",
    "refuted",
    "real, perhaps small",
    "not settled",
    "no verdict: still learning",
]
"""Everything that a verdict can be."""

Kind = Literal["number", "correlation", "share"]

FAMILY: Final = 25
"""Intervals that decide in the run of December 2026: the 22 claims of the
course and three on real images. Fixed before any of them is run, so that a
claim that is added later, or given up, moves no verdict."""

CHANCE: Final = 0.8
"""How probable a price makes it that a new trial is settled, if the true
difference and spread are those recorded."""

MOST_SEEDS: Final = 1000
"""Where a price gives up."""


def gain_word(interval: Interval, margin: float) -> Word:
    """What an interval (l, u) says of a gain that has to exceed a margin m.

    =========================  ===================================
    supported                  l > m
    harmful                    u < -m
    no difference worth having -m < l and u < m
    no gain worth having       l <= -m and -m <= u < m
    real, perhaps small        0 < l <= m <= u
    not settled                l <= 0 and m <= u
    =========================  ===================================

    The fourth line is not in the list that the course began with. An
    interval such as (-0.05, -0.005), with a margin of 0.01, leaves out every
    gain worth having and nothing of the harm: the claim is refuted, and what
    is known is less than in the second and the third line. An interval whose
    end is the margin itself leaves the margin possible.
    """
    low, high = interval.low, interval.high
    if low > margin:
        return "supported"
    if high < -margin:
        return "refuted: harmful"
    if high < margin:
        if low > -margin:
            return "refuted: no difference worth having"
        return "refuted: no gain worth having"
    return "real, perhaps small" if low > 0 else "not settled"


def no_loss_word(interval: Interval, margin: float) -> Word:
    """What an interval says of "it loses less than the margin".

    Supported if the whole interval lies above minus the margin, refuted if
    it lies below. That zero is inside decides nothing.
    """
    if interval.low > -margin:
        return "supported"
    return "refuted: harmful" if interval.high < -margin else "not settled"


def threshold_word(
    interval: Interval, threshold: float, nothing: float | None = None
) -> Word:
    """What an interval says of "it is above the threshold".

    `nothing` is the value without any effect, below the threshold, if there
    is one: an interval above it that reaches to both sides of the threshold
    is of something real.
    """
    if interval.low > threshold:
        return "supported"
    if interval.high < threshold:
        return "refuted: below what was needed"
    if nothing is not None and interval.low > nothing:
        return "real, perhaps small"
    return "not settled"


def word_of_all(at_level: Sequence[Word], widened: Sequence[Word]) -> Word:
    """What the words of all its members say of a claim of all of them.

    Supported if each member is at the level of the claim: a claim that is
    wrong has a wrong member, and only that one has to be caught, so that no
    further correction is needed (an intersection-union test). Refuted if one
    member is at the level widened for their number (:func:`widened`): a
    claim that is right has many members, and each is a chance to be refuted
    by luck. Else not settled.
    """
    if all(word == "supported" for word in at_level):
        return "supported"
    if any(refuted(word) for word in widened):
        return "refuted"
    return "not settled"


def learning(plateau: bool | None, word: Word) -> Word:
    """Withhold the word where longer training would still have helped.

    `plateau` is None where nobody asked.
    """
    return "no verdict: still learning" if plateau is False else word


def refuted(word: Word) -> bool:
    """Whether a verdict is a refutation, of whatever kind."""
    return word.startswith("refuted")


def widened(level: float, members: int) -> float:
    """Level at which one of several members may refute the claim of all."""
    return 1 - (1 - level) / members


def smallest(
    at_level: Sequence[Interval], wider: Sequence[Interval]
) -> Interval:
    """Interval of the smallest of several quantities.

    Against the strongest of several baselines a gain is the smallest of the
    gains. Its lower bound is the smallest lower bound at the level, for that
    of the truly smallest is one of them; its upper bound is the smallest
    upper bound at the widened level, for any of them may come out too small.
    """
    return Interval(
        min(each.mean for each in at_level),
        min(each.low for each in at_level),
        min(each.high for each in wider),
    )


def on_scale(
    interval: Interval, kind: Kind, *, level: float, cases: int | None
) -> Interval:
    """Keep an interval inside the range of a correlation or a share.

    A correlation is taken to Fisher's z, a share to its logit. The error of
    the mean goes there by the slope at the mean, and the bounds come back:
    the mean stays the mean over the seeds, and a seed of exactly 0 or 1 does
    no harm. If all of them are 0 or 1 nothing seems to vary; so half a case
    is added on either side, and the error is at least that of `cases`
    independent cases, the test scenes of a seed.
    """
    if kind == "number":
        return interval
    mean, half = interval.mean, interval.high - interval.mean
    scale: Callable[[float], float]
    back: Callable[[float], float]
    if kind == "correlation":
        inside = min(max(mean, -1 + 1e-9), 1 - 1e-9)
        scale, back, slope = atanh, tanh, 1 / (1 - inside**2)
    else:
        if cases is None:
            raise ValueError(
                "cases must be the test scenes of a seed, got None"
            )
        inside = (mean * cases + 0.5) / (cases + 1)
        scale, back, slope = _logit, _logistic, 1 / (inside * (1 - inside))
        quantile = NormalDist().inv_cdf((1 + level) / 2)
        half = max(half, quantile / sqrt(slope * cases))
    centre, reach = scale(inside), half * slope
    low, high = back(centre - reach), back(centre + reach)
    return Interval(mean, min(low, mean), max(high, mean))


def _logit(share: float) -> float:
    return log(share / (1 - share))


def _logistic(logit: float) -> float:
    return (1 + tanh(logit / 2)) / 2


@dataclass(frozen=True)
class Price:
    """What it would take to settle a statement by a new trial.

    Attributes
    ----------
    seeds
        How many each variant needs, or None if no number up to
        ``MOST_SEEDS`` is enough.
    minutes
        Of one thread, for the variants that decide.
    images
        Whether more seeds alone would not do, because the test images are
        too few.
    """

    seeds: int | None
    minutes: float | None
    images: bool = False


def price(
    table: np.ndarray, distance: float, *, level: float, seconds: float
) -> Price:
    """Price of settling a statement, from what its trial recorded.

    Parameters
    ----------
    table
        Values or differences, (seeds, blocks), or (seeds, 1) where the test
        images are not told apart.
    distance
        Of the recorded mean from the nearest bound that decides.
    level
        Of the interval.
    seconds
        That a seed takes, for all variants that decide.
    """
    found = seeds_needed(table, distance, level=level)
    if found is not None:
        return Price(found, found * seconds / 60)
    many = half_width(table, MOST_SEEDS, level=level)
    alone = half_width(table.mean(1, keepdims=True), MOST_SEEDS, level=level)
    return Price(None, None, images=alone < distance <= many)


def seeds_needed(
    table: np.ndarray, distance: float, *, level: float
) -> int | None:
    """Fewest seeds whose interval would be narrow enough, or None.

    Narrow enough is a half-width that leaves out what is `distance` away
    from the true mean in ``CHANCE`` of all trials. The number that a pilot
    gives its trial is that of ``pilots.seeds_for``.
    """
    for seeds in range(3, MOST_SEEDS + 1):
        if half_width(table, seeds, level=level, chance=CHANCE) < distance:
            return seeds
    return None


def half_width(
    table: np.ndarray, seeds: int, *, level: float, chance: float = 0.5
) -> float:
    """Half-width to expect of the interval with another number of seeds.

    The variances of seeds, images and the rest are those of the table, the
    blocks of images as many. With a chance above one half the interval is
    wider by what the mean of a new trial may err.
    """
    count, blocks = table.shape
    by_seed = blocks * table.mean(1).var(ddof=1)
    if blocks == 1:
        squares, free = np.array([by_seed]), np.array([seeds - 1.0])
    else:
        rest = table - table.mean(1, keepdims=True) - table.mean(0)
        rest = (rest + table.mean()) / sqrt((count - 1) * (blocks - 1))
        left = np.square(rest).sum()
        excess = max(0.0, table.mean(0).var(ddof=1) - left / count)
        squares = np.array([max(by_seed, left), seeds * excess])
        free = np.array([seeds - 1.0, blocks - 1.0])
    total = squares.sum()
    if total == 0:
        return 0.0
    freedom = total**2 / (squares**2 / free).sum()
    from scipy.special import stdtrit

    quantile = stdtrit(freedom, (1 + level) / 2)
    quantile += NormalDist().inv_cdf(chance)
    return float(quantile * sqrt(total / (seeds * blocks)))
