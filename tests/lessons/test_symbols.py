"""Every symbol of an equation is explained, and means one thing a lesson.

What a test can see is the form: a symbol of a displayed equation stands in
the text as a symbol of its own, before the equation or soon after it, or on
the page on notation; it has one shape; and no letter is an index here and a
quantity there.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import course_execution as execution
import course_markdown as markdown
import pytest

from tests.lessons import symbols
from tests.lessons.test_every_lesson import every_numbered_lesson, read

NOTATION = execution.ROOT / "book" / "notation.md"
POSITIONS = {"p"}
"""Letters of pixels and tokens, which are indices and numbers at once."""


@dataclass
class Reading:
    """The displayed equations of a lesson and the symbols of its text.

    Both are numbered by the cell that they stand in.
    """

    displays: list[tuple[int, str]] = field(default_factory=list)
    inline: list[tuple[int, tuple[str, str]]] = field(default_factory=list)
    shapes: dict[str, set[str]] = field(
        default_factory=lambda: defaultdict(set)
    )


@cache
def reading(lesson: Path) -> Reading:
    found = Reading()
    for number, cell in enumerate(execution.text_cells(read(lesson))):
        for token, _ in markdown.walk(cell.source):
            if token.type.startswith("math_block"):
                found.displays.append((number, token.content))
            for latex in formulas(token):
                found.inline += [(number, s) for s in introduced(latex)]
        for symbol, shape in shapes(cell.source):
            found.shapes[symbol].add(shape)
    return found


def formulas(token: markdown.Token) -> list[str]:
    children = token.children or []
    return [c.content for c in children if c.type.startswith("math")]


def introduced(latex: str) -> list[tuple[str, str]]:
    return list(symbols.introduced(latex))


@cache
def everywhere() -> set[str]:
    """The letters that the page on notation explains."""
    text = NOTATION.read_text("utf8").partition("\n## Weights have")[0]
    return {
        letter
        for token, _ in markdown.walk(text)
        for latex in formulas(token)
        for letter, _ in introduced(latex)
    }


def unexplained(
    latex: str, known: set[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    formula = symbols.read(latex)
    local = formula.bound | formula.arguments
    for letter, below in dict.fromkeys(formula.symbols):
        indices = symbols.indices(below)
        free = set(indices) - formula.bound
        for index in free - formula.letters:
            if not any(
                index == other or index in symbols.indices(under)
                for other, under in known
            ):
                yield index, ""
        if letter in local | everywhere():
            continue
        named = below and (not indices or free & formula.letters)
        under = [u for other, u in known if other == letter]
        if named:  # explained as it stands, or for fewer indices, or bare
            under = [u for u in under if u == below or within(u, indices)]
        if not under:
            yield letter, below


def within(below: str, indices: list[str]) -> bool:
    few = symbols.indices(below)
    return not below or (bool(few) and set(few) <= set(indices))


@every_numbered_lesson
def test_every_symbol_of_an_equation_is_explained(lesson: Path) -> None:
    found = reading(lesson)
    missing = {
        symbol: latex
        for number, latex in found.displays
        for symbol in unexplained(
            latex, {s for at, s in found.inline if at <= number + 1}
        )
    }
    assert missing == {}


SHAPE = r"\$(\([^$=<>]*\))\$"
STATED = re.compile(
    r"\$([^$]+)\$,?\s+(?:of|has|has\s+the|have|have\s+the)\s+shape\s+" + SHAPE
)
ROW = re.compile(r"^\| *\$([^$]+)\$ *\|.*\| *" + SHAPE, re.MULTILINE)


def shapes(text: str) -> Iterator[tuple[str, str]]:
    """Symbols whose shape a text says, in a sentence or a table."""
    for latex, shape in STATED.findall(text) + ROW.findall(text):
        for letter, below in introduced(latex):
            yield f"{letter}_{below}".rstrip("_"), shape.replace(" ", "")


@every_numbered_lesson
def test_a_symbol_has_one_shape(lesson: Path) -> None:
    found = reading(lesson).shapes
    assert {s: every for s, every in found.items() if len(every) > 1} == {}


@every_numbered_lesson
def test_a_letter_is_an_index_or_a_quantity(lesson: Path) -> None:
    counts, quantities = set(), set()
    for _, latex in reading(lesson).displays:
        formula = symbols.read(latex)
        counts |= formula.bound
        for letter, below in formula.symbols:
            counts |= {
                index
                for index in symbols.indices(below)
                if index in formula.bound or index not in formula.letters
            } - everywhere()
            if letter not in formula.bound | formula.arguments:
                quantities.add(letter)
    assert counts & quantities <= POSITIONS


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"s_i = q^\top k_i", [("s", "i"), ("q", ""), ("k", "i")]),
        (r"W_1 z + b_{1}", [("W", "1"), ("z", ""), ("b", "1")]),
        (r"f_\text{loc}(X)", [("f", r"\text{loc}"), ("X", "")]),
        (r"\bar b_{it} / \sqrt d", [("b", "it"), ("d", "")]),
        (r"\frac{\partial \mathcal L}{\partial y}", [
            (r"\mathcal L", ""), ("y", "")
        ]),
        (r"\operatorname{relu}(\Delta_t)", [(r"\Delta", "t")]),
    ],
)  # fmt: skip
def test_symbols_are_read(latex: str, expected: list) -> None:
    assert symbols.read(latex).symbols == expected


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"\sum_{j=1}^{n} a_j", {"j"}),
        (r"\max_{i,j} x_{ij}", {"i", "j"}),
        (r"\sum_{(i,j) \in S} x_{ij}", {"i", "j"}),
        (r"\operatorname{softmax}_j s_{ij}", {"j"}),
        (r"\frac{1}{hw} x", set()),
    ],
)
def test_letters_of_sums_are_bound(latex: str, expected: set[str]) -> None:
    assert symbols.read(latex).bound == expected


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        ("n = hw", ["n"]),
        ("s, a", ["s", "a"]),
        ("(u_p, v_p)", ["u", "v"]),
        ("M(x)", ["M"]),
        ("f^s", ["f"]),
        ("n^2", []),
        ("n - 1", []),
        (r"\sqrt d", []),
    ],
)
def test_symbols_of_the_text_are_found(latex: str, expected: list) -> None:
    assert [letter for letter, _ in introduced(latex)] == expected


def test_wrong_equations_are_seen() -> None:
    known = {("x", "i"), ("W", "1")}
    assert list(unexplained(r"W_1 x_i + W_2 x_i", known)) == [("W", "2")]
    assert list(unexplained(r"W_1 x_i + \beta", known)) == [(r"\beta", "")]
    assert list(unexplained(r"W_1 x_m", known)) == [("m", "")]
    assert list(unexplained(r"\sum_m W_1 x_m", known)) == []


def test_shapes_are_found_in_sentences_and_tables() -> None:
    text = (
        "Let $W$ of shape $(r, c)$ and $b$, of shape $(r)$.\n\n"
        "| $Q$ | queries | $(m, d)$ |\n"
    )
    assert list(shapes(text)) == [
        ("W", "(r,c)"),
        ("b", "(r)"),
        ("Q", "(m,d)"),
    ]
