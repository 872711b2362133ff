"""Recorded trials in the prose and in figures."""

from dataclasses import replace
from typing import get_args

import matplotlib.pyplot as plt
import pytest

from attncourse.metrics import Interval
from attncourse.trials.record import Curve
from attncourse.trials.rule import Word
from attncourse.trials.statements import Above, Gain, Margin
from attncourse.viz import seeds, stated, table, trials
from tests.trials.standins import small_record
from tests.viz.parsing import elements


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


def test_the_table_has_costs_and_spreads():
    record = small_record()
    shown = table(record, ["accuracy"], variants=["plain"])
    bundle = shown._repr_mimebundle_()
    plain = record.variants["plain"]
    cells = [x.text for x in elements(bundle["text/html"], "td")]
    assert cells == [
        f"{plain.parameters:,}",
        f"{plain.multiply_adds:,}",
        "0.625\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}0.125",
    ]
    (label,) = [
        x.text
        for x in elements(bundle["text/html"], "th")
        if x.attributes["scope"] == "row"
    ]
    assert label == plain.label
    assert "over 3 seeds" in bundle["text/html"]
    assert bundle["text/plain"].startswith("| variant | parameters |")


def test_the_table_names_its_cells_for_narrow_pages():
    html = table(small_record()).html
    labels = {x.attributes["data-label"] for x in elements(html, "td")}
    assert labels == {"parameters", "multiply-adds", "accuracy"}
    assert "caption" not in table(small_record(), caption=None).html


def test_a_phrase_is_stated_only_while_it_holds():
    assert stated("in every seed", True) == "in every seed"
    with pytest.raises(AssertionError, match="in every seed"):
        stated("in every seed", False)


def found(name="better", **options):
    statement = {
        "gain": Gain("", name, ("plain",), Margin("A point.", 0.05)),
        "threshold": Above("", name, "accuracy", 0.5, "It is half."),
    }[options.pop("form", "gain")]
    return replace(statement.find(small_record()), **options)


def test_every_effect_stands_in_units_of_its_margin():
    findings = {
        "small": found(),
        "harm": found(
            word="refuted: harmful", interval=Interval(-0.2, -0.3, -0.1)
        ),
        "open": found(word="not settled", interval=Interval(0.0, -0.1, 0.1)),
    }
    drawn = trials.draw_effects(findings)
    (axis,) = drawn.axes
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert names == ["small", "open", "harm"]
    dots = [
        line for line in axis.lines if line.get_marker() in ("o", "X", "s")
    ]
    assert [dot.get_xdata()[0] for dot in dots] == pytest.approx([2.5, 0, -4])
    (legend,) = drawn.legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words == ["supported", "not settled", "refuted"]
    plt.close(drawn)
    picture = trials.effects(findings, caption="All.")
    assert "harm: refuted: harmful, -4.0 (-6.0 to -2.0)" in picture.alt


@pytest.mark.parametrize("form", ["gain", "threshold"])
def test_what_decides_has_a_dot_a_seed_and_what_was_needed(form):
    decided = found(form=form)
    drawn = trials.draw_effect(decided, "accuracy")
    (axis,) = drawn.axes
    dots, *_ = (line for line in axis.lines if line.get_marker() == "o")
    assert list(dots.get_xdata()) == decided.per_seed
    dashed = [line for line in axis.lines if line.get_linestyle() == "--"]
    assert [line.get_xdata()[0] for line in dashed] == [decided.needed]
    assert len(axis.patches) == (form == "gain")
    plt.close(drawn)
    alt = trials.effect(decided, "accuracy").alt
    assert f"needed: above {decided.needed:.3f}" in alt
    assert ("the margin is 0.050" in alt) == (form == "gain")


def test_every_verdict_has_a_mark():
    marks = [trials.mark(word) for word in get_args(Word)]
    assert len(set(marks)) == len(trials.MARKS)


def test_curves_of_training():
    record = small_record()
    with pytest.raises(ValueError, match="'plain' has none"):
        trials.curves(record, ["plain"])
    kept = tuple(Curve((1.0, 0.5), (0.5, x)) for x in (0.75, 0.875, 1.0))
    variants = {
        name: replace(result, curves=kept)
        for name, result in record.variants.items()
    }
    record = replace(record, variants=variants)
    drawn = trials.draw_curves(record, ["plain", "better"])
    assert [list(line.get_ydata())[-1] for line in drawn.axes[0].lines] == (
        2 * [0.75, 0.875, 1.0]
    )
    plt.close(drawn)
    assert "better ends at 0.750 to 1.000" in (
        trials.curves(record, ["better"]).alt
    )
