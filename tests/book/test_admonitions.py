"""Questions and exercises of the lessons, in a small book of their own."""

from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tests.book import small_book

pytestmark = pytest.mark.lengthy

HEAD = "---\norphan: true\n---\n\n# Title\n\n"
GOOD = """\
::::{admonition} Question: which *axis* of `x`?
:class: question
:name: right-one

1. The **batch**
2. The positions

:::{dropdown} Answer 1
**No.** It is $a = 1$.
:::

:::{dropdown} Answer 2
**Right.** Yes.

More.
:::
::::

:::{admonition} Exercise 1: pairs (easy, 10 minutes, write it)
:class: exercise
:name: additive.scores

Write it.
:::
"""
BAD = {
    "odd-name": (GOOD.replace("right-one", "Right One"), "needs a :name:"),
    "no-right": (GOOD.replace("**Right.**", "**No.**"), "right; 0 of 2 are"),
    "two-right": (GOOD.replace("**No.**", "**Right.**"), "right; 2 of 2 are"),
    "no-verdict": (GOOD.replace("**No.** ", ""), "must begin with"),
    "no-list": (GOOD.replace("1. The", "The").replace("2. ", ""), "numbered"),
    "one-more": (GOOD.replace("2. The", "2. A\n3. The"), "numbered list"),
    "no-such": (GOOD.replace("additive.", "aditive."), "additive.scores"),
}


def build(folder: Path, pages: dict[str, str]) -> tuple[Path, str]:
    files = {
        f"{name}.md": HEAD + text.replace("right-one", name)
        for name, text in pages.items()
    }
    settings = {
        "extensions": [
            "myst_parser",
            "sphinx_design",
            "course_html",
            "course_practice",
        ],
        "myst_enable_extensions": ["colon_fence", "dollarmath", "tasklist"],
        "root_doc": next(iter(pages)),
    }
    return small_book.build(folder, files, settings)


def test_good_page(tmp_path: Path) -> None:
    output, warnings = build(tmp_path, {"first": GOOD})
    assert warnings == ""
    html = (output / "first.html").read_text("utf8")
    page = BeautifulSoup(html, "html.parser")
    (form,) = page.select("fieldset.quiz")
    assert form["id"] == "first"
    assert form.legend.get_text() == "Question: which axis of x?"
    labels = [label.get_text().strip() for label in form.select("label")]
    assert labels == ["The batch", "The positions"]
    marks = [mark.get_text() for mark in form.select(".quiz-mark")]
    assert marks == ["✗ No.", "✓ Right."]
    texts = [why.get_text() for why in form.select(".quiz-why")]
    assert "It is" in texts[0]
    assert "More." in texts[1]
    radios = form.select("input[type=radio]")
    assert {radio["name"] for radio in radios} == {"first"}
    assert len({radio["value"] for radio in radios}) == 2
    (status,) = form.select("[role=status][aria-live=polite]")
    assert status.get_text() == ""
    exercise = page.select_one("div.exercise")
    hints = [each.get_text().strip() for each in exercise.select("summary")]
    assert hints == ["Hint 1", "Hint 2", "Hint 3"]


def test_faults_are_named(tmp_path: Path) -> None:
    pages = {name: text for name, (text, _) in BAD.items()}
    _, warnings = build(tmp_path, pages)
    for name, (_, words) in BAD.items():
        lines = [x for x in warnings.splitlines() if f"{name}.md" in x]
        assert any(words in line for line in lines), (name, warnings)


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    twice = GOOD.replace("right-one", "same")
    _, warnings = build(tmp_path, {"first": twice, "second": twice})
    assert warnings.count("this name is taken in first") == 1


def test_a_page_read_again_keeps_its_name(tmp_path: Path) -> None:
    second = GOOD.split("\n:::{admonition} Exercise")[0]
    build(tmp_path, {"first": GOOD, "second": second})
    longer = f"{GOOD}\nMore.\n"
    _, warnings = build(tmp_path, {"first": longer, "second": second})
    assert warnings == ""
