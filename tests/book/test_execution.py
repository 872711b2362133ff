"""Each lesson is executed once for the tests, the book and the notebooks."""

from pathlib import Path
from types import SimpleNamespace

import course_execution as execution
import course_reach
import course_site
import nbformat
import pytest
from docutils import nodes
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
)

from attncourse.trials import provenance


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course in a folder of its own, with a package of three files."""
    package = tmp_path / "attncourse"
    for folder in ("attention", "trials/claims", "exercises/topics", "viz"):
        (package / folder).mkdir(parents=True)
        (package / folder / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "attention" / "gate.py").write_text("factor = 1\n")
    (package / "attention" / "pool.py").write_text("size = 2\n")
    (package / "viz" / "page.py").write_text('STYLE = "page.css"\n')
    (package / "viz" / "page.css").write_text("p { margin: 0 }\n")
    for folder in ("book/results", "lessons"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(execution, "ROOT", tmp_path)
    monkeypatch.setattr(execution, "STORE", tmp_path / "executed")
    monkeypatch.setattr(provenance, "_PACKAGE", package)
    return tmp_path


def write_lesson(course: Path, code: str, *prose: str) -> Path:
    """Cells of text and of code in turns."""
    notebook = new_notebook()
    texts = [*prose, *["# Title"] * (code.count("\n\n") + 1)]
    for text, part in zip(texts, code.split("\n\n"), strict=False):
        notebook.cells += [new_markdown_cell(text), new_code_cell(part)]
    notebook.cells += [
        new_markdown_cell(text) for text in prose[code.count("\n\n") + 1 :]
    ]
    lesson = course / "lessons" / "01_lesson.ipynb"
    nbformat.write(notebook, lesson)
    return lesson


def key(lesson: Path) -> str:
    course_reach.digest.cache_clear()
    return execution.key(lesson)


def test_key_follows_code_and_expressions_not_prose(course: Path) -> None:
    before = key(write_lesson(course, "1 + 1"))
    same = key(write_lesson(course, "1 + 1", "# Another title"))
    assert same == before
    keys = {before, key(write_lesson(course, "1 + 2"))}
    asked = "# Title {eval}`1 + 1`"
    keys.add(key(write_lesson(course, "1 + 1", asked)))
    later = key(write_lesson(course, "1 + 1", "# A", asked))
    assert len({*keys, later}) == 4


def test_key_follows_what_the_lesson_can_reach(course: Path) -> None:
    lesson = write_lesson(course, "from attncourse.attention import gate")
    before = key(lesson)
    package = course / "attncourse"
    (package / "attention" / "pool.py").write_text("size = 3\n")
    (package / "attention" / "gate.py").write_text('"""A."""\nfactor = 1\n')
    assert key(lesson) == before
    (package / "attention" / "gate.py").write_text("factor = 2\n")
    assert key(lesson) != before


@pytest.mark.parametrize(
    ("code", "file", "text"),
    [
        ("load('big-gain')", "book/results/big-gain.json", "{}"),
        ("load('big-gain')", "attncourse/trials/claims/big_gain.py", "x = 1"),
        ("check('gate.on')", "attncourse/exercises/topics/gate.py", "x = 1"),
        ("from attncourse.viz import page", "attncourse/viz/page.css", "p{}"),
    ],
)
def test_key_follows_what_the_code_names(
    course: Path, code: str, file: str, text: str
) -> None:
    lesson = write_lesson(course, code)
    before = key(lesson)
    (course / file).write_text(text)
    assert key(lesson) != before


def test_a_name_in_an_expression_counts_too(course: Path) -> None:
    lesson = write_lesson(course, "1", "{eval}`load('big-gain')`")
    before = key(lesson)
    (course / "book/results/big-gain.json").write_text("{}")
    assert key(lesson) != before


def test_code_that_only_jupyter_understands_counts(course: Path) -> None:
    first = key(write_lesson(course, "%time\nx = 1"))
    second = key(write_lesson(course, "%time\nx = 2"))
    assert first != second
    assert course_reach.strings(execution.without_magics("a ? b")) == set()


@pytest.mark.lengthy
def test_execution_is_stored_and_shown_in_the_lesson_as_it_is(
    course: Path,
) -> None:
    code = "import os\nos.environ['OMP_NUM_THREADS']\n\nx = 6 * 7\nx"
    quoted = "In all {eval}`f'{x:.1f} %'`, {eval}`x`, `{eval}`"
    lesson = write_lesson(course, code, "# A", "# B", quoted)
    assert execution.stored(lesson) is None
    execution.execute_missing([lesson])
    spent = execution.result(lesson)
    assert spent["processor"] > 0
    assert spent["seconds"] > 0
    assert execution.values(lesson) == [
        ("f'{x:.1f} %'", "42.0 %"),
        ("x", "42"),
    ]
    write_lesson(course, code, "# Edited prose", "# B", quoted)
    notebook = execution.stored(lesson)
    assert notebook.cells[0].source == "# Edited prose"
    texts = [
        c.outputs[0].data["text/plain"] for c in execution.code_cells(notebook)
    ]
    assert texts == ["'1'", "42"]
    assert nbformat.read(lesson, 4).cells[1].outputs == []
    assert execution.last_seconds(lesson) == spent["seconds"]


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("code", "prose", "message"),
    [
        ("x = 1", "{eval}`1 / 0`", r"cell 0, \{eval\}`1 / 0`: ZeroDiv"),
        ("x = 1", "{eval}`y`", r"01_lesson.ipynb, cell 0, .*: NameError"),
        ("x = 1\n\nx = 2", "{eval}`x`", "is 1 where it stands and 2"),
    ],
)
def test_an_expression_that_fails_or_changes_fails_the_build(
    course: Path, code: str, prose: str, message: str
) -> None:
    texts = ["# A", prose] if "\n\n" in code else [prose]
    lesson = write_lesson(course, code, *texts)
    with pytest.raises(RuntimeError, match=message):
        execution.execute_missing([lesson])
    assert execution.stored(lesson) is None


def test_stored_lessons_are_not_executed_again(course: Path) -> None:
    lesson = write_lesson(course, "raise RuntimeError")
    notebook = nbformat.read(lesson, 4)
    execution.keep(execution.record(lesson), notebook, 3.5, 2.5)
    execution.execute_missing([lesson])
    assert execution.result(lesson)["seconds"] == 3.5


def test_dead_widgets_are_not_stored(course: Path) -> None:
    lesson = write_lesson(course, "bar")
    notebook = nbformat.read(lesson, 4)
    data = {execution.VIEW: {}, "text/plain": "0%"}
    kept = new_output("stream", text="done")
    view = new_output("display_data", data=data)
    notebook.cells[1].outputs = [view, kept]
    execution.keep(execution.record(lesson), notebook, 1.0, 1.0)
    assert execution.stored(lesson).cells[1].outputs == [kept]


@pytest.mark.lengthy
def test_failing_lesson_fails_the_build_and_stores_nothing(
    course: Path,
) -> None:
    lesson = write_lesson(course, "assert False, 'on purpose'")
    with pytest.raises(
        course_site.ExtensionError,
        match=r"01_lesson.ipynb failed.*(?s:.)*on purpose",
    ):
        course_site.execute_lessons(SimpleNamespace())
    assert execution.stored(lesson) is None
    assert not list(execution.STORE.glob("*"))


def test_changed_outputs_make_a_page_out_of_date(course: Path) -> None:
    lesson = write_lesson(course, "1 + 1")
    name, timings = "lessons/01_lesson", "book/timings"
    paths = {name: lesson, timings: course / "timings.md"}
    env = SimpleNamespace(found_docs=set(paths), doc2path=paths.get)

    def stale(changed: set[str]) -> list[str]:
        return course_site.find_stale(None, env, set(), changed, set())

    assert stale(set()) == [name, timings]
    assert stale(set()) == []
    assert stale({name}) == [timings]
    write_lesson(course, "1 + 2")
    assert stale(set()) == [name, timings]


def test_new_title_reaches_the_side_bar_of_every_page() -> None:
    titles = {"a": nodes.title("", "One"), "b": nodes.title("", "Two")}
    env = SimpleNamespace(titles=titles, found_docs=set())
    assert course_site.refresh_navigation(None, env) == ["a", "b"]
    assert course_site.refresh_navigation(None, env) == []
    titles["b"] = nodes.title("", "Three")
    assert course_site.refresh_navigation(None, env) == ["a", "b"]
