"""The directives of the exercises, in a small book of their own."""

from io import StringIO
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

pytestmark = pytest.mark.lengthy

HEAD = "---\norphan: true\n---\n\n# Title\n\n"
GOOD = """\
:::{question} Which *axis* of `x`?
:name: right-one
- [ ] The **batch**

  No: $a = 1$.
- [x] The places

  Yes.

  More.
:::

:::{hints} additive.scores
:::
"""
BAD = {
    "nameless": (GOOD.replace(":name: right-one\n", ""), "needs a :name:"),
    "odd-name": (GOOD.replace("right-one", "Right One"), "needs a :name:"),
    "no-right": (GOOD.replace("[x]", "[ ]"), "must be right; 0 of 2 are"),
    "two-right": (GOOD.replace("[ ]", "[x]"), "must be right; 2 of 2 are"),
    "no-reason": (GOOD.replace("  No: $a = 1$.\n", ""), "needs an explan"),
    "no-box": (GOOD.replace("[ ] ", ""), "must begin with"),
    "no-list": (GOOD.replace("- [ ] The", "The"), "must be one list"),
    "no-such": (GOOD.replace("additive.", "aditive."), "additive.scores"),
}


def build(folder: Path, pages: dict[str, str]) -> tuple[Path, str]:
    source, output = folder / "source", folder / "html"
    source.mkdir(exist_ok=True)
    for name, text in pages.items():
        unique = text.replace("right-one", name)
        (source / f"{name}.md").write_text(HEAD + unique, "utf8")
    warnings = StringIO()
    settings = {
        "extensions": ["myst_parser", "sphinx_design", "course_practice"],
        "myst_enable_extensions": ["colon_fence", "dollarmath", "tasklist"],
        "root_doc": next(iter(pages)),
    }
    with docutils_namespace():
        Sphinx(
            str(source),
            None,
            str(output),
            str(folder / "trees"),
            "html",
            confoverrides=settings,
            status=None,
            warning=warnings,
        ).build()
    return output, warnings.getvalue()


def test_good_page(tmp_path: Path) -> None:
    output, warnings = build(tmp_path, {"first": GOOD})
    assert warnings == ""
    html = (output / "first.html").read_text("utf8")
    page = BeautifulSoup(html, "html.parser")
    (box,) = page.select("fieldset.quiz")
    assert box["id"] == "first"
    assert box.legend.get_text() == "Which axis of x?"
    labels = [label.get_text().strip() for label in box.select("label")]
    assert labels == ["The batch", "The places"]
    marks = [mark.get_text() for mark in box.select(".quiz-mark")]
    assert marks == ["✗ Not so.", "✓ Right."]
    radios = box.select("input[type=radio]")
    assert {radio["name"] for radio in radios} == {"first"}
    assert len({radio["value"] for radio in radios}) == 2
    assert box.select_one("[role=status][aria-live=polite]").get_text() == ""
    hints = [each.get_text().strip() for each in page.select("summary")]
    assert hints[2:] == ["Hint 1", "Hint 2", "Hint 3"]


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
    build(tmp_path, {"first": GOOD, "second": GOOD})
    longer = f"{GOOD}\nMore.\n"
    _, warnings = build(tmp_path, {"first": longer, "second": GOOD})
    assert warnings == ""
