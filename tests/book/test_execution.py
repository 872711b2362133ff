"""Each lesson is executed once for the tests and the book."""

from pathlib import Path
from types import SimpleNamespace

import course_execution as execution
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


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("attncourse", "book/results", "lessons"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(execution, "ROOT", tmp_path)
    monkeypatch.setattr(execution, "STORE", tmp_path / "executed")
    execution.surroundings.cache_clear()
    yield tmp_path
    execution.surroundings.cache_clear()


def write_lesson(course: Path, code: str, prose: str = "# Title") -> Path:
    notebook = new_notebook(cells=[new_markdown_cell(prose)])
    notebook.cells += [new_code_cell(part) for part in code.split("\n\n")]
    lesson = course / "lessons" / "01_lesson.ipynb"
    nbformat.write(notebook, lesson)
    return lesson


def key(lesson: Path) -> str:
    execution.surroundings.cache_clear()
    return execution.key(lesson)


def test_key_follows_code_package_and_records_not_prose(course: Path) -> None:
    before = key(write_lesson(course, "1 + 1"))
    assert key(write_lesson(course, "1 + 1", "# Another title")) == before
    lesson = write_lesson(course, "1 + 2")
    keys = [before, key(lesson)]
    (course / "attncourse" / "core.py").write_text("x = 1")
    keys.append(key(lesson))
    (course / "book" / "results" / "trial.json").write_text("{}")
    keys.append(key(lesson))
    assert len(set(keys)) == 4


def test_execution_is_stored_and_shown_in_the_lesson_as_it_is(
    course: Path,
) -> None:
    code = "import os\nos.environ['OMP_NUM_THREADS']\n\n6 * 7"
    lesson = write_lesson(course, code)
    assert execution.stored(lesson) is None
    execution.execute_missing([lesson])
    spent = execution.result(lesson)
    assert spent["processor"] > 0
    assert spent["seconds"] > 0
    write_lesson(course, code, "# Edited prose")
    notebook = execution.stored(lesson)
    assert notebook.cells[0].source == "# Edited prose"
    texts = [c.outputs[0].data["text/plain"] for c in notebook.cells[1:]]
    assert texts == ["'1'", "42"]
    assert "outputs" not in nbformat.read(lesson, 4).cells[0]
    assert nbformat.read(lesson, 4).cells[1].outputs == []


def test_stored_lessons_are_not_executed_again(course: Path) -> None:
    lesson = write_lesson(course, "raise RuntimeError")
    notebook = nbformat.read(lesson, 4)
    execution.keep(lesson, notebook, 3.5, 2.5)
    execution.execute_missing([lesson])
    assert execution.result(lesson)["seconds"] == 3.5


def test_dead_widgets_are_not_stored(course: Path) -> None:
    lesson = write_lesson(course, "bar")
    notebook = nbformat.read(lesson, 4)
    data = {execution.VIEW: {}, "text/plain": "0%"}
    kept = new_output("stream", text="done")
    view = new_output("display_data", data=data)
    notebook.cells[1].outputs = [view, kept]
    execution.keep(lesson, notebook, 1.0, 1.0)
    assert execution.stored(lesson).cells[1].outputs == [kept]


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


def test_nbmake_takes_and_gives_stored_results(course: Path) -> None:
    pytest_items = pytest.importorskip("nbmake.pytest_items")
    lesson = write_lesson(course, "6 * 7")
    first = pytest_items.NotebookRun(lesson, 60).execute()
    assert first.error is None
    stored = execution.stored(lesson)
    assert stored.cells[1].outputs[0].data["text/plain"] == "42"
    execution.keep(lesson, nbformat.read(lesson, 4), 1.0, 1.0)
    again = pytest_items.NotebookRun(lesson, 60).execute()
    assert again.nb.cells[1].outputs == []


def test_nbmake_reports_a_failing_lesson(course: Path) -> None:
    pytest_items = pytest.importorskip("nbmake.pytest_items")
    lesson = write_lesson(course, "assert False, 'on purpose'")
    result = pytest_items.NotebookRun(lesson, 60).execute()
    assert "on purpose" in result.error.summary
    assert execution.stored(lesson) is None


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
    (course / "attncourse" / "core.py").write_text("x = 1")
    execution.surroundings.cache_clear()
    assert stale(set()) == [name, timings]


def test_new_title_reaches_the_side_bar_of_every_page() -> None:
    titles = {"a": nodes.title("", "One"), "b": nodes.title("", "Two")}
    env = SimpleNamespace(titles=titles)
    assert course_site.refresh_navigation(None, env) == ["a", "b"]
    assert course_site.refresh_navigation(None, env) == []
    titles["b"] = nodes.title("", "Three")
    assert course_site.refresh_navigation(None, env) == ["a", "b"]


@pytest.mark.parametrize("fork", ["someone/their-fork", None])
def test_buttons_of_a_fork_point_at_the_fork(
    fork: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = "https://github.com/attention-measured/attention-measured"
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    if fork:
        monkeypatch.setenv("GITHUB_REPOSITORY", fork)
    config = SimpleNamespace(html_theme_options={"repository_url": home})
    course_site.point_at_fork(None, config)
    expected = f"https://github.com/{fork}" if fork else home
    assert config.html_theme_options["repository_url"] == expected
