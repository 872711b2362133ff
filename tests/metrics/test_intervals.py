from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from attncourse.metrics import (
    Interval,
    crossed_interval,
    paired_bootstrap,
    t_interval,
)

NUMBERS = st.floats(-100, 100, allow_nan=False)
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=13)


def normal(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=count)


@settings(deadline=None)
@given(pairs=PAIRS)
def test_the_interval_spans_means_of_the_differences(
    pairs: list[tuple[float, float]],
) -> None:
    ours, theirs = zip(*pairs, strict=True)
    difference = np.subtract(ours, theirs)
    found = paired_bootstrap(ours, theirs, resamples=97)
    assert_allclose(found.mean, difference.mean(), atol=1e-9)
    assert difference.min() - 1e-9 <= found.low <= found.high
    assert found.high <= difference.max() + 1e-9


@settings(deadline=None)
@given(pairs=PAIRS)
def test_swapping_the_variants_mirrors_the_interval(
    pairs: list[tuple[float, float]],
) -> None:
    ours, theirs = zip(*pairs, strict=True)
    there = paired_bootstrap(ours, theirs, resamples=97)
    back = paired_bootstrap(theirs, ours, resamples=97)
    mirrored = [-back.mean, -back.high, -back.low]
    assert_allclose(there, mirrored, atol=1e-9)


def test_agrees_with_scipy() -> None:
    difference = normal(31, seed=1)
    expected = stats.bootstrap(
        (difference,),
        np.mean,
        method="percentile",
        confidence_level=0.9,
        n_resamples=20_011,
        rng=2,
    ).confidence_interval
    found = paired_bootstrap(
        difference + 5, np.full(31, 5.0), level=0.9, resamples=20_011
    )
    assert_allclose(found[1:], expected, atol=0.01)


def test_pairs_cancel_what_the_variants_share() -> None:
    """Hard and easy seeds do not widen the interval of the difference."""
    difficulty = 100 * normal(11, seed=3)
    found = paired_bootstrap(difficulty + 1, difficulty)
    assert_allclose(found, [1, 1, 1], atol=1e-9)


def test_a_higher_level_is_wider() -> None:
    ours, theirs = normal(13, seed=4), normal(13, seed=5)
    wide = paired_bootstrap(ours, theirs, level=0.99)
    narrow = paired_bootstrap(ours, theirs, level=0.5)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_seed_decides() -> None:
    ours, theirs = normal(7, seed=6), normal(7, seed=7)
    first = paired_bootstrap(ours, theirs)
    np.random.seed(0)
    assert first == paired_bootstrap(ours, theirs, seed=0)
    assert first != paired_bootstrap(ours, theirs, seed=1)


def test_lists_arrays_and_tensors_are_alike() -> None:
    ours, theirs = [1, 2, 4, 7.5], [0.5, 2, 3, 8]
    expected = paired_bootstrap(ours, theirs)
    assert expected == paired_bootstrap(np.array(ours), np.array(theirs))
    tensor = torch.tensor(ours, requires_grad=True)
    assert expected == paired_bootstrap(tensor, torch.tensor(theirs))


@pytest.mark.parametrize(
    ("ours", "theirs", "message"),
    [
        ([1.0, 2.0], [1.0, 2.0, 3.0], "equally long, got 2 and 3"),
        ([1.0], [2.0], "treatment needs at least 2 pairs, got 1"),
        ([], [], "treatment needs at least 2 pairs, got 0"),
        ([1.0, float("nan")], [1.0, 2.0], "treatment must be finite"),
        ([1.0, 2.0], [1.0, float("inf")], "control must be finite"),
        (np.ones((3, 2)), np.ones((3, 2)), r"treatment must be.*\(3, 2\)"),
    ],
)
def test_bad_pairs_are_refused(
    ours: list[float], theirs: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        paired_bootstrap(ours, theirs)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 95.0, float("nan")])
def test_a_level_out_of_range_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        paired_bootstrap([1.0, 2.0], [2.0, 1.0], level=level)


def test_no_resamples_are_refused() -> None:
    with pytest.raises(ValueError, match="resamples must be at least 1"):
        paired_bootstrap([1.0, 2.0], [2.0, 1.0], resamples=0)


def test_the_repr_is_short() -> None:
    found = Interval(1 / 3, -0.0123456, 2)
    assert repr(found) == "Interval(mean=0.3333, low=-0.01235, high=2)"


def test_students_interval_is_his_formula() -> None:
    difference = normal(7, seed=3)
    mean, spread = difference.mean(), difference.std(ddof=1)
    half = stats.t.ppf(0.995, 6) * spread / 7**0.5
    found = t_interval(difference + 2, np.full(7, 2.0), level=0.99)
    assert_allclose(found, [mean, mean - half, mean + half], atol=1e-12)


def test_students_interval_covers_what_it_says_with_five_pairs() -> None:
    sets = np.random.default_rng(5).normal(size=(3000, 5))
    zeros = np.zeros(5)
    for method, low, high in (t_interval, 0.94, 0.96), (short, 0.8, 0.86):
        found = [method(each, zeros) for each in sets]
        covered = np.mean([each.low < 0 < each.high for each in found])
        assert low < covered < high


def short(ours: np.ndarray, theirs: np.ndarray) -> Interval:
    return paired_bootstrap(ours, theirs, resamples=500)


def test_equal_differences_leave_nothing_open() -> None:
    found = t_interval([1.5, 2.5, 3.5], [1.0, 2.0, 3.0], level=0.999)
    assert found == Interval(0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("ours", "theirs", "level", "message"),
    [
        ([1.0], [1.0], 0.95, "at least 2 pairs, got 1"),
        ([1.0, 2.0], [1.0], 0.95, "equally long, got 2 and 1"),
        ([1.0, np.nan], [1.0, 2.0], 0.95, "treatment must be finite"),
        ([1.0, 2.0], [1.0, 2.0], 1.0, "between 0 and 1, got 1.0"),
    ],
)
def test_students_interval_refuses_what_it_cannot_use(
    ours: list[float], theirs: list[float], level: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        t_interval(ours, theirs, level=level)


def normal_tables(
    seeds: int, blocks: int, variances: tuple[float, float, float]
) -> np.ndarray:
    """Tables of differences whose true mean is 0."""
    draw = np.random.default_rng(11).normal
    roots = np.sqrt(variances)
    parts = [(seeds, 1), (1, blocks), (seeds, blocks)]
    return sum(
        root * draw(size=(1500, *part))
        for root, part in zip(roots, parts, strict=True)
    )


def tables_of_answers(
    seeds: int, blocks: int, spreads: tuple[float, float]
) -> np.ndarray:
    """Shares of right answers of two equal variants, one minus the other.

    A block has five digits and each digit 15 scenes; how hard a digit is and
    how good a seed is differ by variant.
    """
    rng = np.random.default_rng(12)
    of_seeds, of_digits = spreads
    good = of_seeds * rng.normal(size=(600, seeds, 1, 2))
    easy = of_digits * rng.normal(size=(600, 1, 5 * blocks, 2))
    chance = 1 / (1 + np.exp(-1.5 - good - easy))
    shares = rng.binomial(15, chance) / 15
    return (
        (shares[..., 0] - shares[..., 1])
        .reshape(600, seeds, blocks, 5)
        .mean(-1)
    )


NORMAL = [
    (1, 0, 0.01), (1, 0, 20), (1, 1, 1), (1, 4, 1), (0.25, 1, 5),
    (0.05, 1, 0.01), (0, 1, 5), (0, 0, 1),
]  # fmt: skip
BINARY = [(0.0, 0.0), (0.3, 0.0), (0.0, 1.0), (0.3, 1.0), (0.1, 2.0)]


@pytest.mark.parametrize("seeds", [5, 10])
@pytest.mark.parametrize(
    ("tables", "spreads"),
    [(normal_tables, each) for each in NORMAL]
    + [(tables_of_answers, each) for each in BINARY],
)
def test_crossed_interval_covers_what_it_says(
    tables: Callable[..., np.ndarray], spreads: tuple[float, ...], seeds: int
) -> None:
    found = [crossed_interval(each) for each in tables(seeds, 20, spreads)]
    covered = np.mean([each.low <= 0 <= each.high for each in found])
    assert covered >= 0.93


def test_seeds_alone_take_the_test_images_for_all_there_are() -> None:
    tables = normal_tables(10, 20, (1, 4, 1))
    found = [t_interval(each.mean(1), np.zeros(10)) for each in tables]
    assert np.mean([each.low <= 0 <= each.high for each in found]) < 0.85


def test_crossed_interval_is_the_formula() -> None:
    table = np.array([[1.0, 2, 4], [3, 8, 9]])
    by_seed = 3 * ((7 / 3 - 4.5) ** 2 + (20 / 3 - 4.5) ** 2)
    by_block = 2 * (2.5**2 + 0.5**2 + 2**2) / 2
    rest = (np.square(table - 4.5).sum() - by_seed - 2 * by_block) / 2
    total = by_seed + by_block - rest
    freedom = total**2 / (by_seed**2 + by_block**2 / 2 + rest**2 / 2)
    half = stats.t.ppf(0.95, freedom) * (total / 6) ** 0.5
    found = crossed_interval(table.tolist(), level=0.9)
    assert_allclose(found, [4.5, 4.5 - half, 4.5 + half])
    turned = crossed_interval(torch.tensor(table).T, level=0.9)
    assert_allclose(turned, found)


def test_crossed_interval_is_never_below_that_of_the_seeds() -> None:
    """Blocks that differ less than chance would have it take nothing off."""
    table = np.outer(normal(6, seed=1), np.ones(4))
    table += np.outer(normal(6, seed=2), [1, -1, 1, -1])
    found = crossed_interval(table)
    seeds = t_interval(table.mean(1), np.zeros(6))
    assert_allclose(found, seeds)


def test_equal_tables_leave_nothing_open() -> None:
    assert crossed_interval(np.full((3, 4), 0.5)) == Interval(0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("table", "level", "message"),
    [
        ([1.0, 2.0], 0.95, r"\(seeds, blocks\).*got shape \(2,\)"),
        ([[1.0, 2.0]], 0.95, r"two of each at least, got shape \(1, 2\)"),
        ([[1.0], [2.0]], 0.95, r"got shape \(2, 1\)"),
        ([[1.0, np.nan], [1.0, 2.0]], 0.95, "differences must be finite"),
        ([[1.0, 2.0], [1.0, 2.0]], 1.0, "between 0 and 1, got 1.0"),
    ],
)
def test_crossed_interval_refuses_what_it_cannot_use(
    table: list[list[float]], level: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        crossed_interval(table, level=level)
