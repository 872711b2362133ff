from dataclasses import replace

import numpy as np
import pytest

from attncourse.metrics import crossed_interval, t_interval
from attncourse.trials import Series
from attncourse.trials.rule import widened
from attncourse.trials.statements import (
    Above,
    All,
    Gain,
    Margin,
    NoLoss,
    default_margin,
)
from tests.trials.standins import small_record

POINT = Margin("One image in a hundred is a gain that somebody would notice.")


def record(**values):
    """Variants with these accuracies, a number a seed."""
    kept = small_record()
    one = kept.variants["plain"]
    return replace(
        kept,
        seeds=tuple(range(len(next(iter(values.values()))))),
        level=0.95,
        variants={
            name: replace(
                one, metrics={"accuracy": Series(each), "r": Series(each)}
            )
            for name, each in values.items()
        },
    )


TRIAL = record(
    plain=(0.70, 0.71, 0.69, 0.70),
    double=(0.73, 0.74, 0.72, 0.74),
    hidden=(0.90, 0.91, 0.92, 0.90),
    ours=(0.91, 0.90, 0.93, 0.90),
)


def test_a_gain_is_over_the_strongest_baseline():
    both = Gain("", "ours", ("plain", "hidden"), POINT).find(TRIAL)
    ours, plain, hidden = (
        TRIAL.variants[name].metrics["accuracy"]
        for name in ("ours", "plain", "hidden")
    )
    assert both.interval.mean == pytest.approx(ours.mean - hidden.mean)
    assert both.interval.low == t_interval(ours, hidden).low
    wide = t_interval(ours, hidden, level=widened(0.95, 2))
    assert both.interval.high == wide.high
    assert both.per_seed == pytest.approx([0.01, -0.01, 0.01, 0.0])
    assert both.word == "not settled"
    assert both.seconds == 3 * 2.5
    alone = Gain("", "ours", ("plain",), POINT).find(TRIAL)
    assert alone.interval == t_interval(ours, plain)
    assert alone.word == "supported"
    assert alone.effect.startswith("+0.210")


def test_blocks_of_test_images_are_a_second_source_of_chance():
    draw = np.random.default_rng(0)
    tables = {
        name: draw.uniform(mean - 0.05, mean + 0.05, (4, 20))
        for name, mean in (("ours", 0.9), ("plain", 0.7))
    }
    blocked = replace(
        TRIAL,
        variants={
            name: replace(
                TRIAL.variants[name],
                blocks={"accuracy": tuple(map(tuple, table.tolist()))},
            )
            for name, table in tables.items()
        },
    )
    found = Gain("", "ours", ("plain",), POINT).find(blocked)
    difference = tables["ours"] - tables["plain"]
    assert found.interval == crossed_interval(difference)
    assert found.per_seed == pytest.approx(list(difference.mean(1)))


def test_the_default_margin_is_what_doubling_buys():
    margin = default_margin("plain", "double")
    assert margin.of(TRIAL, "accuracy") == pytest.approx(0.0325)
    assert default_margin("double", "plain").of(TRIAL, "accuracy") == 0.01
    found = Gain("", "ours", ("plain",), margin).find(TRIAL)
    assert found.needed == found.margin == margin.of(TRIAL, "accuracy")


def test_no_loss_may_lose_the_margin():
    wide = Margin("Three points would be missed.", 0.03)
    found = NoLoss("", "ours", ("hidden",), wide).find(TRIAL)
    assert (found.word, found.needed, found.margin) == (
        "supported",
        -0.03,
        0.03,
    )
    found = NoLoss("", "plain", ("hidden",), wide).find(TRIAL)
    assert found.word == "refuted: harmful"


def test_a_threshold_on_a_correlation():
    steep = Above(
        "", "ours", "r", 0.5, "It is half.", kind="correlation", nothing=0.0
    )
    found = steep.find(TRIAL)
    assert found.word == "supported"
    assert found.margin == 0.5
    assert found.interval.high < 1
    assert not found.effect.startswith("+")
    with pytest.raises(ValueError, match=r"cases must be .* got None"):
        Above("", "ours", "accuracy", 0.5, "", kind="share")


@pytest.mark.parametrize(
    ("members", "word", "shown"),
    [
        (("plain", "double"), "supported", "double"),
        (("plain", "hidden"), "not settled", "hidden"),
    ],
)
def test_a_claim_of_all_shows_its_weakest_member(members, word, shown):
    parts = [Gain("", "ours", (name,), POINT) for name in members]
    claim = All("Both.", tuple(parts))
    assert claim.find(TRIAL).word == claim.verdict(TRIAL) == word
    assert claim.interval(TRIAL) == Gain("", "ours", (shown,), POINT).interval(
        TRIAL
    )
    assert claim.variants == ("ours", *members)
    for part in parts:
        assert part.rule in claim.rule


def test_one_refuted_member_refutes_all():
    parts = (
        Gain("", "ours", ("plain",), POINT),
        Gain("", "plain", ("hidden",), POINT),
    )
    claim = All("Both.", parts)
    assert claim.verdict(TRIAL) == "refuted"
    assert claim.interval(TRIAL) == parts[1].interval(TRIAL)


def test_every_statement_says_what_it_needs():
    gain = Gain("", "ours", ("plain", "hidden"), POINT)
    assert "accuracy of ours minus the best of plain, hidden" in gain.rule
    assert "perhaps small" in gain.rule
    loss = NoLoss("", "ours", ("plain",), POINT)
    assert "ours minus plain is above minus the margin" in loss.rule
    assert "perhaps small" not in loss.rule
