import json
from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from attncourse.trials import Pilot, record
from attncourse.trials.pilots import (
    best,
    pilot_file,
    plateau,
    read_pilot,
    save_pilot,
    seeds_for,
)

LEVEL = 1 - 0.05 / 25


def small_pilot() -> Pilot:
    """Plain learns nothing more at twice the length; better does."""
    return Pilot(
        name="small",
        metric="accuracy",
        seeds=(900, 901),
        rates={
            "plain": {"0.01": (0.5, 0.52), "0.005": (0.51, 0.51)},
            "better": {"0.01": (0.6, 0.62), "0.005": (0.7, 0.6)},
        },
        lengths={
            "plain": {"3": (0.5, 0.52), "6": (0.5, 0.5), "12": (0.5, 0.5)},
            "better": {"3": (0.7, 0.6), "6": (0.8, 0.82), "12": (0.81, 0.82)},
        },
        compared=(("better", "plain"),),
        margin=0.017,
        level=LEVEL,
        settings={"epochs": 3, "lr": 0.01},
        versions={"torch": "2.0"},
        code="0" * 64,
        cpu="abacus",
        seconds=12.5,
        date="2026-12-01T03:04:05+00:00",
    )


def test_the_best_rate_is_the_first_of_equals():
    assert best({"0.01": [0.5, 0.7], "0.005": [0.6, 0.6]}) == 0.01
    assert best({"0.01": [0.5, 0.7], "0.005": [0.8, 0.6]}) == 0.005
    assert small_pilot().lr == {"plain": 0.01, "better": 0.005}


@pytest.mark.parametrize(
    ("plain", "better", "expected"),
    [
        ([0.5, 0.5], [0.7, 0.709], (3, True)),
        ([0.5, 0.5], [0.7, 0.711], (6, False)),
        ([0.5, 0.5, 0.5], [0.7, 0.8, 0.809], (6, True)),
        ([0.5, 0.5, 0.52], [0.7, 0.8, 0.8], (12, False)),
        ([0.5, 0.4], [0.7, 0.6], (3, True)),
        ([0.5], [0.7], (3, False)),
    ],
)
def test_a_plateau_is_one_for_every_variant(plain, better, expected):
    lengths = {
        name: {str(3 * 2**step): value for step, value in enumerate(values)}
        for name, values in {"plain": plain, "better": better}.items()
    }
    assert plateau(lengths) == expected


def test_the_number_of_seeds_is_the_fewest_whose_interval_is_narrow():
    def half(count):
        quantile = stats.t.ppf((1 + LEVEL) / 2, count - 1)
        return quantile * 0.013 / count**0.5

    count = seeds_for(0.013, 0.01, LEVEL)
    assert half(count) <= 0.01 < half(count - 1)
    assert seeds_for(0.0, 0.01, LEVEL) == 2
    assert seeds_for(10.0, 0.01, LEVEL) == 1000


def test_a_pilot_fixes_rates_length_and_seeds():
    pilot = small_pilot()
    assert (pilot.epochs, pilot.plateau) == (6, True)
    # The differences of the two seeds are 0.3 and 0.32.
    assert pilot.spread == pytest.approx(0.02 / 2**0.5)
    assert pilot.needed == seeds_for(pilot.spread, 0.017, LEVEL) == 12
    assert pilot.trial_seeds == range(1000, 1012)
    assert replace(pilot, margin=1.0).trial_seeds == range(1000, 1010)
    assert replace(pilot, margin=0.001).trial_seeds == range(1000, 1020)
    assert replace(pilot, margin=None).trial_seeds == range(1000, 1010)
    assert replace(pilot, compared=()).spread == 0


def test_what_a_record_keeps_of_it():
    table = small_pilot().table()
    assert table.rates["better"] == {"0.01": 0.61, "0.005": 0.65}
    assert table.lengths["plain"] == {"3": 0.51, "6": 0.5, "12": 0.5}
    assert table.plateau
    other = replace(small_pilot(), seconds=13.0).table()
    assert table.digest != other.digest


def test_a_pilot_comes_back_as_it_was(tmp_path):
    path = save_pilot(small_pilot(), tmp_path)
    assert path == tmp_path / "pilots" / "small.json"
    assert read_pilot("small", tmp_path) == small_pilot()
    assert json.loads(path.read_text())["chosen"]["epochs"] == 6
    assert '"0.01": [ 0.5, 0.52 ]' in path.read_text()


def test_a_missing_pilot_says_how_it_is_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="trials pilot small"):
        read_pilot("small", tmp_path)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda d: d.pop("rates"), "rates: Field required"),
        (lambda d: d.pop("chosen"), "it has no choice"),
        (lambda d: d.update(seeds=["a"]), r"seeds\.0: .* integer"),
        (lambda d: d["chosen"].update(epochs=12), "its runs follows .*: 6"),
        (lambda d: d.update(name="large"), "the pilot of 'large'"),
    ],
)
def test_a_damaged_pilot_is_refused_with_the_reason(tmp_path, edit, reason):
    path = save_pilot(small_pilot(), tmp_path)
    data = json.loads(path.read_text())
    edit(data)
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match=rf"pilots/small\.json .*{reason}"):
        read_pilot("small", tmp_path)


def test_half_a_file_is_refused(tmp_path):
    path = save_pilot(small_pilot(), tmp_path)
    for damaged in path.read_text()[:50], "[]":
        path.write_text(damaged)
        with pytest.raises(ValueError, match="cannot be used as a pilot"):
            read_pilot("small", tmp_path)


def test_the_installed_package_brings_its_pilots(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "attncourse"
    monkeypatch.setattr(record, "_PACKAGE", package)
    monkeypatch.chdir(tmp_path)
    own = Path("book", "results", "pilots", "small.json")
    assert pilot_file("small") == own
    packaged = save_pilot(small_pilot(), package / "results")
    assert pilot_file("small") == packaged
    assert read_pilot("small") == small_pilot()
    save_pilot(small_pilot(), Path("book", "results"))
    assert pilot_file("small") == own
