"""What the text says of a record is computed from it, not typed.

"In every seed", "in eight of ten", "ahead of", "the best": where a trial is
repeated with other seeds, such phrases change as numbers do. A lesson writes
them as ``{eval}`viz.stated("in every seed", condition)```, which fails when
the record says otherwise. Two kinds are found here: counts of seeds anywhere
in a lesson, and comparisons where a lesson measures and where it sums up.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import course_execution as execution
import course_links
import course_markdown as markdown
import pytest

from attncourse.trials import Record, claim, claims, load
from tests.lessons.test_every_lesson import (
    CITED,
    every_numbered_lesson,
    read,
)

COUNT = (
    "(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|"
    "twenty|[2-9]|[1-9][0-9])"
)
SEEDS = re.compile(
    rf"\b(?:(?:every|no|all|most|some|{COUNT})"
    rf"(?: of)?(?: the| its)?(?: {COUNT})? seeds?"
    rf"|(?:every|each|no|all|none|most|one|{COUNT}) (?:in|of|out of)"
    r"(?: the)? ten(?! scenes))\b",
    re.IGNORECASE,
)
COMPARISON = re.compile(
    r"\b(?:ahead|beats?|(?:more|less|most|as) accurate|better than|worse than|"
    r"nearly always|highest|lowest|the best|far behind|comes? within|"
    r"more than any|as (?:well|good) as)\b",
    re.IGNORECASE,
)
MEASURED = ("Measure", "Is the map", "Summary")
"""How headings begin under which a lesson says what was found."""

NO_QUOTATION = re.compile(
    r"\?$|\b(?:claims?|expect|guess|predict|whether|asks?|wrote|has to be|"
    r"would be|not settled|not (?:been )?shown)\b",
    re.IGNORECASE,
)
"""Questions, predictions, and what is said not to have been found."""

ALLOWED = {
    "no temperature changes that": "what a temperature can do, by definition",
    "need not be the best use of it": "a general caution",
    "forbid the positions with the highest weights": "what is done",
    "because it does not pick": "explains a number that the code prints",
    "come within two points of it": "a title; the lesson's test computes it",
}
"""Parts of sentences that compare but quote nothing, and why."""


def written(token: markdown.Token) -> str:
    """The text of a paragraph as it is typed, `…` for what is computed."""
    kinds = {"softbreak": " ", "myst_role": "…", "math_inline": "$"}
    children = token.children or []
    return "".join(kinds.get(each.type, each.content) for each in children)


def sentences(lesson: Path) -> Iterator[tuple[str, str]]:
    """Each sentence outside of tables, with the heading it stands under."""
    heading, before = "", ""
    for cell in execution.text_cells(read(lesson)):
        for token, _ in markdown.walk(cell.source):
            if token.type == "inline" and before == "h2":
                heading = token.content
            elif token.type == "inline" and before not in ("td", "th"):
                for sentence in re.split(r"(?<=[.?!:;]) ", written(token)):
                    yield heading, sentence
            before = token.tag


def quotations(heading: str, sentence: str) -> list[str]:
    """The phrases of a sentence that should have been computed."""
    found = SEEDS.findall(sentence)
    if (
        heading.startswith(MEASURED)
        and "…" not in sentence
        and not NO_QUOTATION.search(sentence)
        and not any(part in sentence for part in ALLOWED)
    ):
        found += COMPARISON.findall(sentence)
    return found


@every_numbered_lesson
def test_what_is_said_of_a_record_is_computed(lesson: Path) -> None:
    typed = {
        sentence: found
        for heading, sentence in sentences(lesson)
        if (found := quotations(heading, sentence))
    }
    assert typed == {}


def test_what_is_allowed_is_still_there() -> None:
    text = "\n".join(
        sentence
        for lesson in execution.lessons()
        for _, sentence in sentences(lesson)
    )
    assert [part for part in ALLOWED if part not in text] == []


HELD: dict[str, dict[str, Callable[[Record], bool]]] = {
    "cbam-gain": {
        "in front of the gates more than a third is there, too": lambda r: (
            mean(r, "cbam", "signal_before") > 1 / 3
        ),
    },
    "far-comparison": {
        "are as accurate on distant pairs as on close ones": lambda r: (
            abs(mean(r, "convolution", "far") - mean(r, "convolution", "near"))
            < 0.01
        ),
    },
    "se-gain": {
        "efficient channel attention had not left two thirds": lambda r: (
            sum(a < 15 / 18 for a in r.variants["eca"].metrics["accuracy"]) > 3
        ),
        "hidden layer was slightly ahead of the gates": lambda r: (
            0 < mean(r, "hidden") - mean(r, "se") < 0.02
        ),
    },
    "sqrt-d-scale": {
        "smaller weights is about as accurate here": lambda r: (
            abs(mean(r, "small-start-512") - mean(r, "scaled-512")) < 0.01
        ),
    },
    "stn-gain": {
        "takes most of the gain away, and is ahead in clutter": lambda r: (
            mean(r, "stn") - mean(r, "max")
            < (mean(r, "stn") - mean(r, "still")) / 2
            and mean(r, "max-clutter") > mean(r, "stn-clutter")
        ),
        "above 0.5 here only where a perceptron reads": lambda r: (
            [
                name
                for name, each in r.variants.items()
                if "angle_r" in each.metrics
                and each.metrics["angle_r"].mean > 0.5
            ]
            == ["turned-stn-perceptron"]
        ),
    },
    "stn-steps": {
        "the shorter one here has more": lambda r: (
            mean(r, "stn-2") - mean(r, "stn") > 0.01
        ),
    },
}
"""What the texts of claims say of their records, and what makes it true."""

QUOTES_NOTHING = (
    "all seeds score them on the same test scenes",  # how it was made
    "could do better than they learn to",  # pilots, which have no record
)


def mean(record: Record, variant: str, metric: str = "accuracy") -> float:
    return record.variants[variant].metrics[metric].mean


@pytest.mark.parametrize(
    ("name", "phrase"),
    [(name, phrase) for name, phrases in HELD.items() for phrase in phrases],
)
def test_what_a_claim_says_of_its_record_is_true(
    name: str, phrase: str
) -> None:
    assert phrase in claim(name).would_change
    assert HELD[name][phrase](load(name))


@pytest.mark.parametrize("name", claims())
def test_a_claim_quotes_nothing_else(name: str) -> None:
    """Its page is made from the record; the file says what is asked."""
    case = claim(name)
    known = [*HELD.get(name, {}), *QUOTES_NOTHING]
    typed = [
        sentence
        for text in (case.statement, case.scene, case.would_change)
        for sentence in re.split(r"(?<=[.?!:;]) ", text)
        if SEEDS.search(sentence)
        or (text == case.would_change and COMPARISON.search(sentence))
        if not any(phrase in sentence for phrase in known)
    ]
    assert typed == []


@pytest.mark.parametrize("name", claims())
def test_sources_are_cited_as_in_lessons(name: str) -> None:
    """The book makes citations of links to its list of references."""
    links = re.findall(r"\[([^]]+)\]\((http[^)]+)\)", claim(name).source)
    assert "{cite" not in claim(name).source
    for words, address in links:
        found = CITED[course_links.address(address)]
        assert found.authors[0] in words
        assert found.year in words


@pytest.mark.parametrize(
    ("heading", "sentence", "expected"),
    [
        ("Cost", "It is ahead in every seed.", ["every seed"]),
        ("Cost", "The trial has ten seeds.", ["ten seeds"]),
        ("Cost", "It held in nine of ten.", ["nine of ten"]),
        ("Cost", "This is one run with one seed.", []),
        ("Cost", "It is ahead in … seeds.", []),
        ("Summary", "Pooling beats averaging.", ["beats"]),
        ("Summary", "Pooling … averaging.", []),
        ("Summary", "Whether it beats averaging is not settled.", []),
        ("The idea", "The best key is the longest.", []),
    ],
)
def test_typed_quotations_are_seen(
    heading: str, sentence: str, expected: list[str]
) -> None:
    assert quotations(heading, sentence) == expected
