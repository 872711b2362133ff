"""Recorded trials in the prose and in figures."""

import matplotlib.pyplot as plt
import pytest

from attncourse.metrics import Interval
from attncourse.trials import claim, load
from attncourse.viz import (
    glue_difference,
    glue_record,
    glue_verdicts,
    seeds,
    trials,
)
from tests.trials.standins import small_record


@pytest.fixture
def glued(monkeypatch):
    kept = {}

    def keep(name, value, text=None):
        kept[name] = (value, text)

    monkeypatch.setattr(trials, "glue", keep)
    return kept


def test_a_record_is_glued_variant_by_variant(glued):
    record = small_record()
    record.variants["a-b+c.d"] = record.variants.pop("better")
    glue_record("small", record)
    assert glued["small_seeds"] == (3, None)
    assert glued["small_plain_accuracy"] == (
        0.625,
        "0.625\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}0.125",
    )
    assert glued["small_a_b_c_d_accuracy"][0] == 0.75


def test_a_difference_is_glued_with_signs(glued):
    glue_difference("gap", small_record(), "plain", "better")
    mean, text = glued["gap"]
    assert mean == pytest.approx(-0.125)
    minus = "\N{MINUS SIGN}"
    assert text.split(" ")[0] == f"{minus}0.125"
    assert text.count(minus) == 3


def test_a_verdict_is_glued_with_what_decided(glued):
    glue_verdicts("additive-gain")
    case, record = claim("additive-gain"), load("additive-gain")
    deciding = case.predictions[0].interval(record)
    assert glued["E11_verdict"] == (case.verdict(record), None)
    assert glued["E11_statement"] == (case.statement, None)
    value, text = glued["E11_effect"]
    assert value == deciding.mean
    assert text == trials.number_words(deciding, signs=True)


def test_numbers_of_one_variant_have_no_plus():
    interval = Interval(0.25, 0.2, 0.3)
    words = trials.number_words(interval, signs=False)
    assert words == "0.250 (0.200 to 0.300)"


def test_the_figure_has_a_dot_for_every_seed():
    record = small_record()
    drawn = trials.draw_seeds(record, ["accuracy"], lines={"accuracy": 0.1})
    (axis,) = drawn.axes
    dots = [line for line in axis.lines if line.get_marker() == "o"]
    assert [list(line.get_xdata()) for line in dots] == [
        list(variant.metrics["accuracy"])
        for variant in record.variants.values()
    ]
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert names == list(record.variants)
    assert [0.1, 0.1] in [list(line.get_xdata()) for line in axis.lines]
    plt.close(drawn)


def test_the_figure_in_words():
    picture = seeds(small_record(), variants=["better"])
    assert picture.alt == (
        "One dot for each of 3 seeds, a row for each variant. "
        "better: accuracy 0.625 to 0.875."
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["mass"]}, r"of \['accuracy'\], got 'mass'"),
        ({"variants": ["nix"]}, r"of \['better', 'plain'\], got 'nix'"),
    ],
)
def test_what_is_not_in_the_record_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        seeds(small_record(), **options)
