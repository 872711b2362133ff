import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student

from attncourse.metrics import Interval, crossed_interval, t_interval
from attncourse.trials import rule

UNITS = st.integers(-30, 30).map(float)
MARGINS = st.integers(0, 10).map(float)
GAIN = {
    "supported": lambda low, high, m: low > m,
    "refuted: harmful": lambda low, high, m: high < -m,
    "refuted: no difference worth having": (
        lambda low, high, m: -m < low and high < m
    ),
    "refuted: no gain worth having": (
        lambda low, high, m: low <= -m <= high < m
    ),
    "real, perhaps small": lambda low, high, m: 0 < low <= m <= high,
    "not settled": lambda low, high, m: low <= 0 and m <= high,
}
"""The table of the rule, a line a word."""


def between(low, high):
    return Interval((low + high) / 2, low, high)


@given(UNITS, UNITS, MARGINS)
def test_every_interval_has_one_word_of_the_table(one, other, margin):
    low, high = sorted((one, other))
    holding = [word for word, test in GAIN.items() if test(low, high, margin)]
    assert holding == [rule.gain_word(between(low, high), margin)]


@given(UNITS, UNITS, MARGINS)
def test_no_word_contradicts_a_value_in_the_interval(one, other, margin):
    low, high = sorted((one, other))
    word = rule.gain_word(between(low, high), margin)
    values = np.arange(low, high + 1)
    if word == "supported":
        assert all(value > margin for value in values)
    if rule.refuted(word):
        assert all(value < margin for value in values)
    if word in ("not settled", "real, perhaps small"):
        assert any(value >= margin for value in values)
        assert any(value <= margin for value in values)
    if word == "refuted: no difference worth having":
        assert all(abs(value) < margin for value in values)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.02, 0.05, "supported"),
        (-0.05, -0.02, "refuted: harmful"),
        (-0.005, 0.005, "refuted: no difference worth having"),
        (0.002, 0.008, "refuted: no difference worth having"),
        (-0.05, -0.005, "refuted: no gain worth having"),
        (-0.05, 0.005, "refuted: no gain worth having"),
        (0.005, 0.05, "real, perhaps small"),
        (0.005, 0.01, "real, perhaps small"),
        (-0.005, 0.05, "not settled"),
        (-0.5, 0.5, "not settled"),
    ],
)
def test_the_word_of_a_gain(low, high, word):
    assert rule.gain_word(between(low, high), 0.01) == word


@given(UNITS, UNITS, MARGINS)
def test_no_loss_is_a_gain_over_minus_the_margin(one, other, margin):
    interval = between(*sorted((one, other)))
    word = rule.no_loss_word(interval, margin)
    assert (word == "supported") == (interval.low > -margin)
    assert (word == "refuted: harmful") == (interval.high < -margin)


@given(UNITS, UNITS, UNITS, st.none() | st.integers(1, 9).map(float))
def test_a_threshold(one, other, threshold, below):
    interval = between(*sorted((one, other)))
    nothing = None if below is None else threshold - below
    word = rule.threshold_word(interval, threshold, nothing)
    assert (word == "supported") == (interval.low > threshold)
    assert rule.refuted(word) == (interval.high < threshold)
    real = nothing is not None and interval.low > nothing
    holds = interval.low <= threshold <= interval.high
    assert (word == "real, perhaps small") == (real and holds)


@pytest.mark.parametrize(
    ("words", "widened", "word"),
    [
        (["supported"] * 2, ["supported", "not settled"], "supported"),
        (["supported", "refuted: harmful"], ["supported"] * 2, "not settled"),
        (["supported", "not settled"], ["supported"] * 2, "not settled"),
        (["refuted: harmful"] * 2, ["not settled", "refuted"], "refuted"),
    ],
)
def test_a_claim_of_all_is_decided_by_all(words, widened, word):
    assert rule.word_of_all(words, widened) == word


def test_the_smallest_gain_is_seldom_missed():
    """Three equal gains: each end errs as seldom as that of one alone."""
    random = np.random.default_rng(0)
    level, count, low, high, naive = 0.9, 1500, 0, 0, 0
    wide = rule.widened(level, 3)
    for drawn in random.normal(size=(count, 3, 8)):
        at_level = [t_interval(x, 0 * x, level=level) for x in drawn]
        wider = [t_interval(x, 0 * x, level=wide) for x in drawn]
        found = rule.smallest(at_level, wider)
        low += found.low > 0
        high += found.high < 0
        naive += min(each.high for each in at_level) < 0
    assert low / count < 0.06
    assert high / count < 0.06 < 0.12 < naive / count


@given(
    st.floats(-1, 1),
    st.floats(0, 2),
    st.sampled_from(["correlation", "share"]),
)
def test_bounds_stay_in_their_range(mean, half, kind):
    lowest = -1 if kind == "correlation" else 0
    mean = max(mean, lowest)
    interval = Interval(mean, mean - half, mean + half)
    found = rule.on_scale(interval, kind, level=0.95, cases=1000)
    assert lowest <= found.low <= found.mean == mean <= found.high <= 1


def test_bounds_far_from_the_ends_are_students():
    interval = Interval(0.5, 0.49, 0.51)
    for kind in "share", "correlation":
        found = rule.on_scale(interval, kind, level=0.95, cases=10**9)
        assert found == pytest.approx(interval, abs=1e-4)
    assert (
        rule.on_scale(interval, "number", level=0.95, cases=None) == interval
    )


def test_a_share_that_never_varies_is_not_certain():
    found = rule.on_scale(
        Interval(1.0, 1.0, 1.0), "share", level=0.95, cases=200
    )
    assert 0.95 < found.low < 0.995
    assert found.high == 1.0
    with pytest.raises(ValueError, match=r"cases must be .* got None"):
        rule.on_scale(found, "share", level=0.95, cases=None)


def shares(random, seeds, cases):
    """Shares of right answers in seeds that differ."""
    return random.binomial(cases, random.beta(18, 2, seeds)) / cases


def test_the_interval_of_a_share_covers():
    random, hits, count = np.random.default_rng(1), 0, 1000
    for _ in range(count):
        drawn = shares(random, 10, 200)
        plain = t_interval(drawn, 0 * drawn)
        found = rule.on_scale(plain, "share", level=0.95, cases=200)
        hits += found.low < 0.9 < found.high
    assert hits / count > 0.93


def simulated(random, seeds, blocks, by_seed, by_block, rest):
    return (
        random.normal(0, by_seed, (seeds, 1))
        + random.normal(0, by_block, blocks)
        + random.normal(0, rest, (seeds, blocks))
    )


def test_the_expected_half_width_is_that_of_more_seeds():
    random = np.random.default_rng(2)
    spread = {"by_seed": 0.02, "by_block": 0.01, "rest": 0.03}
    pilot = [simulated(random, 10, 20, **spread) for _ in range(200)]
    more = [simulated(random, 30, 20, **spread) for _ in range(200)]
    expected = np.mean([rule.half_width(x, 30, level=0.95) for x in pilot])
    found = np.mean([(i := crossed_interval(x)).high - i.mean for x in more])
    assert expected == pytest.approx(found, rel=0.1)
    same = rule.half_width(more[0], 30, level=0.95)
    interval = crossed_interval(more[0])
    assert same == pytest.approx(interval.high - interval.mean, rel=0.1)


def test_the_half_width_of_seeds_alone_is_students():
    table = np.array([[0.1], [0.2], [0.4]])
    quantile = student.ppf(0.975, 8)
    assert rule.half_width(table, 9, level=0.95) == pytest.approx(
        quantile * table.std(ddof=1) / 3
    )


def test_that_many_seeds_settle_it_in_four_trials_of_five():
    random = np.random.default_rng(3)
    table = np.linspace(-1, 1, 10)[:, None]
    table *= 0.02 / table.std(ddof=1)
    seeds = rule.seeds_needed(table, 0.01, level=0.95)
    drawn = random.normal(0.01, 0.02, (2000, seeds))
    settled = [t_interval(each, 0 * each).low > 0 for each in drawn]
    assert np.mean(settled) == pytest.approx(rule.CHANCE, abs=0.03)


def test_a_price():
    table = np.linspace(-0.01, 0.01, 10)[:, None]
    found = rule.price(table, 0.005, level=0.95, seconds=30.0)
    assert found.seeds == rule.seeds_needed(table, 0.005, level=0.95)
    assert math.isclose(found.minutes, found.seeds / 2)
    assert rule.price(table, 1e-6, level=0.95, seconds=30.0) == rule.Price(
        None, None
    )
    few_images = np.tile(np.linspace(-0.1, 0.1, 20), (5, 1))
    few_images += table[:5]
    found = rule.price(few_images, 0.01, level=0.95, seconds=30.0)
    assert found == rule.Price(None, None, images=True)
