"""Intervals for the difference between two variants of an experiment."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

Numbers = Sequence[float | int] | np.ndarray | Tensor


class Interval(NamedTuple):
    """A mean difference and the bounds of its interval."""

    mean: float
    low: float
    high: float

    def __repr__(self) -> str:
        """Four significant digits."""
        return (
            f"Interval(mean={self.mean:.4g}, low={self.low:.4g}, "
            f"high={self.high:.4g})"
        )


def paired_bootstrap(
    treatment: Numbers,
    control: Numbers,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of the mean paired difference.

    Pair i holds the two results that share seed i (or image i). Pairs are
    drawn with replacement, and the interval spans the middle ``level`` of
    the means of ``treatment - control``.

    Parameters
    ----------
    treatment, control
        Results of the two variants, in the same order.
    level
        Share of the resampled means inside the interval.
    resamples
        Sets of pairs drawn.
    seed
        Of the draw; the same seed gives the same interval.

    Returns
    -------
    Interval
        The mean difference, and the bounds of its interval.

    Raises
    ------
    ValueError
        If the two are not lists of equally many finite numbers, at least
        two, or ``level`` or ``resamples`` is out of range.

    Notes
    -----
    With few pairs the interval is too narrow. On 20,000 sets of normal
    differences, a 95 % interval covered the true mean for 75 % of the sets
    of 3 pairs, 83 % of 5, 90 % of 10 and 93 % of 20.

    References
    ----------
    Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of
    Statistics 1979.
    """
    ours, theirs = _pairs(treatment, control, level)
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, got {resamples}")
    difference = ours - theirs
    drawn = np.random.default_rng(seed).choice(
        difference, (resamples, len(difference))
    )
    tail = (1 - level) / 2
    low, high = np.quantile(drawn.mean(1), (tail, 1 - tail))
    return Interval(float(difference.mean()), float(low), float(high))


def t_interval(
    treatment: Numbers, control: Numbers, *, level: float = 0.95
) -> Interval:
    r"""Student's interval of the mean paired difference.

    .. math:: \bar d \pm t_{n-1} \, \frac{s_d}{\sqrt n}

    Pair i holds the two results that share seed i; :math:`\bar d` and
    :math:`s_d` are mean and standard deviation of the n differences, and
    :math:`t_{n-1}` is the quantile of Student's distribution that leaves
    ``(1 - level) / 2`` above it. It assumes differences that are about
    normal, and in return covers what it says with few pairs, where
    :func:`paired_bootstrap` does not.

    Parameters
    ----------
    treatment, control
        Results of the two variants, in the same order.
    level
        Share of the repetitions whose interval covers the true mean.

    Returns
    -------
    Interval
        The mean difference, and the bounds of its interval.

    Raises
    ------
    ValueError
        If the two are not lists of equally many finite numbers, at least
        two, or ``level`` is out of range.

    References
    ----------
    Student, "The Probable Error of a Mean", Biometrika 1908.
    """
    from scipy.stats import ttest_rel

    ours, theirs = _pairs(treatment, control, level)
    difference = ours - theirs
    mean = float(difference.mean())
    if np.ptp(difference) == 0:
        return Interval(mean, mean, mean)
    low, high = ttest_rel(ours, theirs).confidence_interval(level)
    return Interval(mean, float(low), float(high))


def _pairs(
    treatment: Numbers, control: Numbers, level: float
) -> tuple[np.ndarray, np.ndarray]:
    ours = _numbers(treatment, "treatment")
    theirs = _numbers(control, "control")
    if len(ours) != len(theirs):
        raise ValueError(
            f"treatment and control must be equally long, got {len(ours)} "
            f"and {len(theirs)}"
        )
    if len(ours) < 2:
        raise ValueError(f"treatment needs at least 2 pairs, got {len(ours)}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    return ours, theirs


def _numbers(values: Numbers, name: str) -> np.ndarray:
    numbers = torch.as_tensor(values, dtype=torch.float64, device="cpu")
    if numbers.ndim != 1:
        raise ValueError(
            f"{name} must be a list of numbers, got shape "
            f"{tuple(numbers.shape)}"
        )
    if not numbers.isfinite().all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    return numbers.detach().numpy()
