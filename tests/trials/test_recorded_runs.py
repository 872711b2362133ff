"""Recorded runs are repeated, and must land where the record says.

All of them would take hours, so every day another sample is drawn, one variant
and one seed of each claim in it. To repeat a failure on another day set
``ATTNCOURSE_SAMPLE`` to its date.
"""

import os
import random
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial

import pytest

from attncourse.trials import Series, claim, claims, load
from attncourse.trials.local import attempt
from attncourse.trials.record import recorded

DAY = os.environ.get("ATTNCOURSE_SAMPLE") or str(datetime.now(UTC).date())
SIZE = 5
SECONDS = 30.0
"""Of the record, on a machine that may have been busy."""


@cache
def quick_runs() -> dict[str, list[tuple[str, int]]]:
    """Variants and seeds of every record that are quick enough to repeat."""
    known = recorded()
    records = {name: load(name) for name in claims() if name in known}
    return {
        name: [
            (variant, seed)
            for variant, result in record.variants.items()
            for seed, seconds in zip(record.seeds, result.seconds, strict=True)
            if seconds < SECONDS
        ]
        for name, record in records.items()
    }


def sample(day: str) -> list[tuple[str, str, int]]:
    """Draw claims, and of each a variant that is quick enough and a seed."""
    draw = random.Random(day)
    runs = {name: jobs for name, jobs in quick_runs().items() if jobs}
    drawn = draw.sample(list(runs), min(SIZE, len(runs)))
    return [(name, *draw.choice(runs[name])) for name in drawn]


def within(value: float, series: Series) -> bool:
    """Whether a value lies in the recorded spread.

    That is the range of the seeds, widened by their standard deviation, and
    by a thousandth for metrics that hardly vary.
    """
    margin = max(series.std, 0.001)
    return min(series) - margin <= value <= max(series) + margin


def test_the_spread_has_two_sides():
    series = Series([0.5, 0.6, 0.7])
    assert within(0.41, series)
    assert within(0.79, series)
    assert not within(0.39, series)
    assert not within(0.81, series)


def test_the_sample_depends_on_the_day_only():
    assert sample("2026-11-21") == sample("2026-11-21")


def test_every_claim_is_drawn_within_two_months():
    days = [sample(f"day {day}") for day in range(60)]
    assert {len(day) for day in days} == {SIZE}
    assert {name for day in days for name, _, _ in day} == set(recorded())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "variant", "seed"), sample(DAY))
def test_a_recorded_run_repeats(name, variant, seed):
    case, record = claim(name), load(name)
    budget = replace(
        case.profile(record.profile).budget,
        **record.variants[variant].settings,
    )
    again = attempt(partial(case.run, budget=budget), variant, seed)
    for metric in case.metrics:
        if metric in again.metrics:
            series = record.variants[variant].metrics[metric]
            assert within(again.metrics[metric], series), metric
