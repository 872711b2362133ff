"""What the page of the claims says of records, old and new."""

from dataclasses import replace

import course_claims
import numpy as np
import pytest
from bs4 import BeautifulSoup

from attncourse.trials import Record, Series, claim, load
from attncourse.trials.record import Curve, PilotTable
from attncourse.trials.rule import MOST_SEEDS, Price

NAME = "se-gain"
CASE = claim(NAME)
MEANS = {"plain": 0.6, "double": 0.63, "se": 0.9, "hidden": 0.9}


def new_record() -> Record:
    """A record of the present form, with invented numbers."""
    old, draw, seeds = load(NAME), np.random.default_rng(0), 10
    variants = {}
    for name, variant in CASE.variants.items():
        table = draw.uniform(-0.2, 0.2, (seeds, 20)) + MEANS.get(name, 0.65)
        values = Series(map(float, table.mean(1)))
        metrics = {"accuracy": values}
        if name == "se":
            metrics |= {"follows_cue": values, "obeys_twin": values}
        variants[name] = replace(
            old.variants["se"],
            label=variant.label,
            metrics=metrics,
            blocks={"accuracy": tuple(map(tuple, table.tolist()))},
            curves=(Curve((1.0, 0.4), (0.5, 0.875)),) * seeds,
            settings={"lr": 0.0025, "epochs": 48},
            network="0" * 64,
        )
    rates, lengths = {"0.0025": 0.81, "0.005": 0.8}, {"24": 0.8, "48": 0.815}
    pilot = PilotTable(
        digest="0" * 64,
        metric="accuracy",
        seeds=(900, 901),
        rates=dict.fromkeys(CASE.variants, rates),
        lengths=dict.fromkeys(CASE.variants, lengths),
        plateau=True,
    )
    return replace(
        old,
        seeds=tuple(range(1000, 1000 + seeds)),
        variants=variants,
        pilot=pilot,
    )


RECORD = new_record()


def cells(html: str) -> list[str]:
    return [c.get_text(" ") for c in BeautifulSoup(html, "html.parser")("td")]


def test_a_verdict_stands_with_its_margin_and_what_the_pilot_saw() -> None:
    found = CASE.find(RECORD)
    assert found.word == "not settled"
    assert found.margin == pytest.approx(0.03, abs=0.02)
    text = course_claims.judgement(CASE, RECORD)
    assert text.startswith(f"**Not settled.** {CASE.predictions[0].statement}")
    assert f"the margin is {found.margin:.3g}, and" in text
    assert CASE.predictions[0].margin.because in text
    assert "what *double* gains over *plain* in the same trial" in text
    assert "with seeds 900 and 901" in text
    assert "Twice the epochs gained less than a point" in text
    assert "**Price.** " in text
    shown = cells(text)
    assert shown[:4] == [
        "plain",
        "0.0025",
        "0.0025: 0.810, 0.005: 0.800",
        "24: 0.800, 48: 0.815",
    ]
    assert len(shown) == 4 * len(CASE.variants)
    assert "48 times 3,000 scenes" in course_claims.set_up(CASE, RECORD)


def test_below_the_plateau_the_page_says_so() -> None:
    young = replace(RECORD, pilot=replace(RECORD.pilot, plateau=False))
    text = course_claims.judgement(CASE, young)
    assert text.startswith("**No verdict: still learning.** ")
    assert "so that there is no verdict" in text
    assert "**Price.**" not in text


def test_a_new_record_shows_curves_and_networks() -> None:
    text = course_claims.details(NAME, CASE, RECORD)
    assert "a line for each of 10 seeds: se ends at 0.875 to 0.875" in text
    link = f"../claims/networks/{NAME}/hidden.safetensors"
    assert f'<a href="{link}">hidden</a>' in text
    for each in CASE.predictions[1:]:
        assert each.statement in text


def test_the_row_of_a_new_record_is_not_marked() -> None:
    claimed, word, effect, *_ = cells(course_claims.row(NAME, "5.1", RECORD))
    assert claimed == f"5.1 {NAME} . {CASE.statement}"
    assert word.startswith("not settled to settle: ")
    assert effect.strip() == CASE.find(RECORD).effect


def test_an_old_record_says_what_is_to_come() -> None:
    old = load(NAME)
    if not course_claims.of_november(old):
        pytest.skip("the claim was tried anew")
    text = course_claims.outdated(CASE, old)
    assert "rule of 21 November" in text
    assert CASE.statement in text
    assert CASE.predictions[0].margin.because in text
    details = course_claims.details(NAME, CASE, old)
    assert all(each.statement in details for each in CASE.earlier[1:])
    assert "One dot for each of 10 seeds" in details
    assert "safetensors" not in details


def test_a_claim_without_a_record_says_what_will_decide() -> None:
    text = course_claims.to_come(CASE)
    assert CASE.statement in text
    assert "the best of wider, hidden, constant" in text
    assert "no record" in course_claims.row(NAME, "5.1", None)


@pytest.mark.parametrize(
    ("price", "short", "long"),
    [
        (Price(38, 12.4), "about 38 seeds, 12 minutes", "38 seeds of the"),
        (Price(800, 240.0), "about 800 seeds, 4 hours", "about 4 hours"),
        (Price(None, None), f"more than {MOST_SEEDS:,} seeds", "so near"),
        (Price(None, None, images=True), "more test images", "too few test"),
    ],
)
def test_every_price_has_words(price: Price, short: str, long: str) -> None:
    assert course_claims.to_settle(price) == f"to settle: {short}"
    assert long in course_claims.settling(price)


def test_the_small_picture_stays_inside_of_itself() -> None:
    html = course_claims.strip(CASE.find(RECORD))
    picture = BeautifulSoup(html, "html.parser").svg
    width = float(picture["width"])
    ends = [
        float(each[name])
        for each in picture(["line", "circle"])
        for name in ("x1", "x2", "cx")
        if each.get(name)
    ]
    assert all(0 <= end <= width for end in ends)
    band = picture.rect
    assert 0 <= float(band["x"]) < float(band["x"]) + float(band["width"])
    assert "needed: above" in picture["aria-label"]
