"""Recorded trials in the prose and in figures."""

import matplotlib.pyplot as plt
import pytest

from attncourse.metrics import Interval
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
