"""Plain notebooks: what a viewer without MyST is given."""

import os
import re
import subprocess
import sys
import zipfile
from collections import deque
from pathlib import Path

import course_address
import course_execution as execution
import course_markdown as markdown
import course_notebooks as notebooks
import nbformat
import pytest
from course_notebooks import PlainError, Surroundings, plain
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode

from tests.book.conftest import SITE

FOLDER = SITE / notebooks.FOLDER
LESSONS = [lesson.stem for lesson in execution.lessons()]
every_lesson = pytest.mark.parametrize("name", LESSONS)
EXECUTED = ["02_scaled_dot_product", "06_selective_kernel"]


@pytest.fixture
def around() -> Surroundings:
    values = {"x": deque(["0.5", "a_b"]), "f(y)": deque(["9"])}
    return Surroundings({"eq-a": "3.1"}, values, "https://host/course")


def test_numbers_equations_and_links_are_filled_in(
    around: Surroundings,
) -> None:
    text = (
        "As {eq}`eq-a` says, {eval}`x` and {eval}`x`; `{eval}` in code. "
        "See [two](02_b.ipynb#part), [all](../book/claims.md) and "
        "[A (2015)](https://arxiv.org/abs/1)."
    )
    assert plain(text, around) == (
        "As (3.1) says, 0.5 and a\\_b; `{eval}` in code. "
        "See [two](https://host/course/lessons/02_b.html#part), "
        "[all](https://host/course/book/claims.html) and "
        "[A (2015)](https://arxiv.org/abs/1)."
    )


def test_without_an_address_links_lead_to_neighbours_or_nowhere(
    around: Surroundings,
) -> None:
    around.site = None
    text = "[two](02_b.ipynb), [the *claims*](../book/claims.md) and [x](#y)."
    assert plain(text, around) == (
        "[two](02_b.ipynb), the *claims* and [x](#y)."
    )


def test_equations_have_their_numbers(around: Surroundings) -> None:
    text = "$$\na = b\n$$ (eq-a)\n\nand\n\n$$\nc\n$$"
    assert plain(text, around) == (
        "$$\na = b\n\\tag{3.1}\n$$\n\nand\n\n$$\nc\n$$"
    )


def test_boxes_become_quotations_and_details(around: Surroundings) -> None:
    text = (
        "(here)=\n\n## Part\n\n"
        "::::{admonition} Question: `x`?\n:class: question\n:name: q\n\n"
        "1. One {eval}`f(y)`.\n\n"
        ":::{dropdown} Answer *1*\n**No.** See:\n\n- a\n:::\n::::\n"
    )
    assert plain(text, around) == (
        '<a id="here"></a>\n\n## Part\n\n'
        '> <a id="q"></a>**Question: `x`?**\n>\n> 1. One 9.\n\n'
        "<details>\n<summary>Answer <em>1</em></summary>\n\n"
        "**No.** See:\n\n- a\n\n</details>"
    )


def test_an_exercise_brings_its_hints(around: Surroundings) -> None:
    text = (
        ":::{admonition} Exercise 1: a\n:class: exercise\n"
        ":name: additive.scores\n\nDo it.\n:::"
    )
    found = plain(text, around)
    start = '> <a id="additive.scores"></a>**Exercise 1: a**'
    assert found.startswith(f"{start}\n>\n> Do it.\n\n<details>")
    assert found.count("<summary>Hint ") >= 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{term}`key`", "no plain form for the role {term}`key`"),
        ("{eq}`eq-none`", "no equation 'eq-none'"),
        ("{eval}`z`", "{eval}`z` has no stored value"),
        ("```{figure} a.png\n```", "the directive figure"),
        ("- a\n\n  :::{note}\n  b\n  :::", "no plain form for: - a"),
    ],
)
def test_what_has_no_plain_form_is_named(
    around: Surroundings, text: str, message: str
) -> None:
    with pytest.raises(PlainError, match=re.escape(message)):
        plain(text, around)


def test_install_cell_names_the_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    monkeypatch.setenv("COURSE_REPOSITORY", "https://github.com/a/b/")
    assert course_address.repository() == "https://github.com/a/b"
    assert course_address.pages() == "https://a.github.io/b"
    opened = course_address.notebook("01_x")
    assert opened["Colab"].endswith("/a/b/blob/notebooks/01_x.ipynb")
    monkeypatch.setenv("COURSE_REPOSITORY", "github.com/a")
    with pytest.raises(ValueError, match="https://HOST/OWNER/NAME is needed"):
        course_address.repository()
    monkeypatch.delenv("COURSE_REPOSITORY")
    monkeypatch.setattr(course_address, "written", lambda: None)
    assert course_address.repository() is None
    assert course_address.notebook("01_x") == {}
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/fork")
    assert course_address.repository() == "https://github.com/someone/fork"


def test_install_cell_brings_the_trained_networks() -> None:
    code = notebooks.INSTALL.format(address="https://github.com/a/b")
    assert code.endswith(
        '"attncourse[pretrained] @ git+https://github.com/a/b"'
    )


def read(name: str) -> NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


@pytest.mark.site
@every_lesson
def test_holds_nothing_that_needs_myst(name: str, site: Path) -> None:
    notebook = read(name)
    nbformat.validate(notebook)
    common = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)
    for cell in execution.text_cells(notebook):
        for token in common.parse(cell.source):
            assert not token.info.startswith("{"), token.content
            text = "".join(
                child.content
                for child in token.children or ()
                if child.type == "text"
            )
            assert not re.search(r"\{[\w:]+\}|:::|\)=$|\[\^", text), text
        assert not list(markdown.roles(cell.source))


@pytest.mark.site
@every_lesson
def test_links_lead_somewhere(name: str, site: Path) -> None:
    text = "\n\n".join(c.source for c in execution.text_cells(read(name)))
    for token in MarkdownIt("commonmark").parse(text):
        for child in token.children or ():
            if child.type != "link_open":
                continue
            target = str(child.attrs["href"])
            if target.startswith("#"):
                assert f'<a id="{target[1:]}"></a>' in text, target
            elif not target.startswith("https://"):
                assert (FOLDER / target.partition("#")[0]).is_file(), target


@pytest.mark.site
@every_lesson
def test_has_its_outputs_and_collapsed_cells(name: str, site: Path) -> None:
    cells = list(execution.code_cells(read(name)))
    assert any(cell.outputs for cell in cells)
    assert "import attncourse" in cells[0].source
    for cell in cells:
        form = cell.metadata.get("cellView") == "form"
        assert form == cell.source.startswith("# @title ")


@pytest.mark.site
@every_lesson
def test_converts_without_extensions(name: str, site: Path) -> None:
    from nbconvert import HTMLExporter

    html, _ = HTMLExporter().from_filename(str(FOLDER / f"{name}.ipynb"))
    assert "<h1" in html


@pytest.mark.site
def test_all_are_in_the_archive(site: Path) -> None:
    with zipfile.ZipFile(FOLDER / notebooks.ARCHIVE) as archive:
        names = [f"{name}.ipynb" for name in LESSONS]
        assert archive.namelist() == sorted(names)
        for name in names:
            assert archive.read(name) == (FOLDER / name).read_bytes()


@pytest.mark.site
@pytest.mark.slow
@pytest.mark.parametrize("name", EXECUTED)
def test_runs_in_an_empty_folder(
    name: str, site: Path, tmp_path: Path
) -> None:
    copy = tmp_path / f"{name}.ipynb"
    copy.write_bytes((FOLDER / copy.name).read_bytes())
    command = ["-m", "jupyter", "execute", "--inplace", copy.name]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert [p.name for p in tmp_path.iterdir()] == [copy.name]
