import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from attncourse.metrics import Interval, paired_bootstrap, t_interval

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
