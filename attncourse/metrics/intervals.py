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
    ours, theirs = _pairs(treatment, control, level)
    difference = ours - theirs
    mean, count = float(difference.mean()), len(difference)
    if np.ptp(difference) == 0:
        return Interval(mean, mean, mean)
    error = difference.std(ddof=1) / count**0.5
    return _student(mean, float(error), count - 1.0, level)


def crossed_interval(
    differences: Numbers | Sequence[Sequence[float]],
    *,
    level: float = 0.95,
) -> Interval:
    r"""Interval of a mean over seeds and test images, both of them random.

    Row i holds a seed and column j a block of test images that all seeds
    have seen, so that a difference has three sources of chance: the seed,
    the images, and what is left of both. With S seeds, B blocks and the mean
    squares :math:`M` of an analysis of variance in two ways, the variance of
    the mean is

    .. math::

        \hat v = \frac{1}{SB}
        \max(M_s + M_b - M_r,\; M_s,\; M_b),

    and the interval is :math:`\bar d \pm t_\nu \sqrt{\hat v}`, where
    Satterthwaite's :math:`\nu` is the square of the sum over the sum of
    :math:`M^2` over the degrees of freedom of each, those of :math:`M_s` or
    :math:`M_b` alone where that is the largest.

    Parameters
    ----------
    differences
        Two numbers or more each way, (seeds, blocks).
    level
        Share of the repetitions whose interval covers the true mean.

    Returns
    -------
    Interval
        The mean difference, and the bounds of its interval.

    Raises
    ------
    ValueError
        If the differences are not a table of finite numbers, two by two at
        least, or ``level`` is out of range.

    Notes
    -----
    What was tried on simulated tables of 5 and of 10 seeds and 20 blocks,
    normal numbers and shares of right answers, the variances in eleven and
    six ratios: a 95 % interval of this kind covered the true mean in at
    least 94 % of the tables. Percentiles of the pigeonhole bootstrap, which
    draws rows and columns anew, covered it in 84 to 100 %, Student's interval
    over the seeds alone in 26 to 96 %: it takes the test images for all there
    are. Not taking :math:`M_r` off widens the interval by about a
    fifth where there is nothing but the rest, and gains nothing elsewhere.

    References
    ----------
    Satterthwaite, "An Approximate Distribution of Estimates of Variance
    Components", Biometrics Bulletin 1946. Owen, "The Pigeonhole Bootstrap",
    Annals of Applied Statistics 2007.
    """
    _check_level(level)
    table = torch.as_tensor(differences, dtype=torch.float64, device="cpu")
    if table.ndim != 2 or min(table.shape) < 2:
        raise ValueError(
            f"differences must be (seeds, blocks), two of each at least, got "
            f"shape {tuple(table.shape)}"
        )
    if not table.isfinite().all():
        raise ValueError("differences must be finite, got NaN or infinity")
    values = table.detach().numpy()
    seeds, blocks = values.shape
    mean = values.mean()
    by_seed, by_block = values.mean(1), values.mean(0)
    rest = values - by_seed[:, None] - by_block + mean
    free = np.array([seeds - 1, blocks - 1, (seeds - 1) * (blocks - 1)])
    squares = np.array(
        [
            blocks * np.square(by_seed - mean).sum(),
            seeds * np.square(by_block - mean).sum(),
            np.square(rest).sum(),
        ]
    )
    squares /= free
    largest = squares[:2].argmax()
    total, freedom = squares[largest], free[largest]
    if (both := squares @ (1, 1, -1)) > total:
        total, freedom = both, both**2 / (squares**2 / free).sum()
    error = float(np.sqrt(total / values.size))
    return _student(float(mean), error, float(freedom), level)


def _student(
    mean: float, error: float, freedom: float, level: float
) -> Interval:
    from scipy.special import stdtrit

    half = float(stdtrit(freedom, (1 + level) / 2) * error)
    return Interval(mean, mean - half, mean + half)


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
    _check_level(level)
    return ours, theirs


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")


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
