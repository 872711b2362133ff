"""Rules for lessons/*.ipynb: clean, readable, described, within budget."""

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import course_execution as execution
import nbformat
import pytest
from nbformat import NotebookNode

from attncourse.exercises import exercises

COLUMNS = 79
LINES = 22
SECONDS = 60
EXERCISES = exercises()
SET_UP = """\
try:
    import attncourse  # noqa: F401
except ModuleNotFoundError:
    address = "https://github.com/attention-measured/attention-measured"
    %pip install -q git+{address}"""

LESSONS = execution.lessons()
every_lesson = pytest.mark.parametrize(
    "lesson", LESSONS, ids=[lesson.stem for lesson in LESSONS]
)
NUMBERED = [lesson for lesson in LESSONS if lesson.stem[0].isdigit()]
every_numbered_lesson = pytest.mark.parametrize(
    "lesson", NUMBERED, ids=[lesson.stem for lesson in NUMBERED]
)


def read(lesson: Path) -> NotebookNode:
    return nbformat.read(lesson, as_version=4)


def prose(lesson: Path) -> str:
    cells = read(lesson).cells
    return "\n\n".join(c.source for c in cells if c.cell_type == "markdown")


def test_there_are_lessons() -> None:
    assert LESSONS


@every_lesson
def test_is_a_clean_notebook(lesson: Path) -> None:
    raw = json.loads(lesson.read_text(encoding="utf8"))
    notebook = read(lesson)
    nbformat.validate(notebook)
    assert (raw["nbformat"], raw["nbformat_minor"]) >= (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert "widgets" not in notebook.metadata
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))


@every_lesson
def test_stores_no_outputs(lesson: Path) -> None:
    for cell in execution.code_cells(read(lesson)):
        assert cell.outputs == []
        assert cell.execution_count is None


@every_lesson
def test_begins_with_title_and_set_up(lesson: Path) -> None:
    first, second, *_ = read(lesson).cells
    assert first.cell_type == "markdown"
    assert re.match(r"# \S", first.source)
    assert second.source == SET_UP
    assert "remove-cell" in second.metadata.tags


@every_lesson
def test_headings_skip_no_level(lesson: Path) -> None:
    text = re.sub(r"```.*?```", "", prose(lesson), flags=re.DOTALL)
    levels = [len(h) for h in re.findall(r"^(#+) ", text, re.MULTILINE)]
    assert levels[0] == 1
    assert 1 not in levels[1:], "one title for each lesson"
    steps = pairwise(levels)
    assert all(deeper - level <= 1 for level, deeper in steps)


@every_lesson
def test_code_fits_the_page(lesson: Path) -> None:
    for cell in execution.code_cells(read(lesson)):
        lines = cell.source.splitlines()
        assert len(lines) <= LINES, cell.source
        assert max(map(len, lines), default=0) <= COLUMNS, cell.source


@every_lesson
def test_parts_of_a_lesson_are_there(lesson: Path) -> None:
    text = prose(lesson)
    assert ":class: goals" in text
    exercised = text.count(":class: exercise")
    assert text.count("{dropdown} Solution") >= exercised
    assert "## Summary" in text


@every_lesson
def test_execution_keeps_to_its_budget(lesson: Path) -> None:
    spent = execution.result(lesson)
    if spent is None:
        pytest.skip("not executed yet: run `make book`")
    # On a busy machine the clock runs on while the lesson waits.
    assert min(spent["seconds"], spent["processor"]) <= SECONDS


@every_lesson
def test_outputs_fit_a_static_page(lesson: Path) -> None:
    notebook = execution.stored(lesson)
    if notebook is None:
        pytest.skip("not executed yet: run `make book`")
    for cell in execution.code_cells(notebook):
        tags = cell.metadata.get("tags", [])
        shown = not {"remove-cell", "remove-output"} & set(tags)
        for output in cell.outputs:
            data = output.get("data", {})
            check_output(cell, data)
            if shown:
                text = data.get("text/plain", "")
                assert not re.match(r"\[?<(Axes|Figure|matplotlib)", text)


def check_output(cell: NotebookNode, data: NotebookNode) -> None:
    assert not any("widget-view" in mime for mime in data), cell.source
    if "image/png" in data and "text/html" not in data:
        image = cell.metadata.get("mystnb", {}).get("image", {})
        assert len(image.get("alt", "")) >= 20, cell.source


def test_labels_are_unique() -> None:
    found: dict[str, str] = {}
    for lesson in LESSONS:
        text = prose(lesson)
        labels = re.findall(r"^\$\$ \(([\w-]+)\)", text, re.MULTILINE)
        labels += re.findall(r"^\(([\w-]+)\)=", text, re.MULTILINE)
        labels += re.findall(r"^:(?:label|name): (\S+)", text, re.MULTILINE)
        for label in labels:
            assert label not in found, f"{label}: {lesson.stem}, too"
            found[label] = lesson.stem


def called(lesson: Path, function: str) -> Counter[str]:
    """How often the code calls `function` for each exercise."""
    code = "\n".join(c.source for c in execution.code_cells(read(lesson)))
    return Counter(re.findall(rf'\b{function}\(\s*"([\w.]+)"', code))


@every_numbered_lesson
def test_exercises_are_judged_helped_and_solved(lesson: Path) -> None:
    checked = called(lesson, "check")
    assert checked.keys() <= EXERCISES.keys()
    assert len(checked) >= 4
    assert len({EXERCISES[name].kind for name in checked}) >= 3
    assert set(checked.values()) == {1}
    assert called(lesson, "solution") == checked
    hints = re.findall(r"^:+\{hints\} (\S+)$", prose(lesson), re.MULTILINE)
    assert Counter(hints) == checked


def test_every_exercise_stands_in_one_lesson() -> None:
    used = [name for each in LESSONS for name in called(each, "solution")]
    assert Counter(used) == Counter(list(EXERCISES))


@every_numbered_lesson
def test_asks_before_it_answers(lesson: Path) -> None:
    text = prose(lesson)
    questions = re.findall(r"^:+\{question\} \S.*\?$", text, re.MULTILINE)
    assert 1 <= len(questions) == text.count("{question}") <= 3


@every_lesson
def test_stubs_are_rejected_and_solutions_are_right(lesson: Path) -> None:
    notebook = execution.stored(lesson)
    if notebook is None:
        pytest.skip("not executed yet: run `make book`")
    for cell in execution.code_cells(notebook):
        judged = re.search(r'\b(check|solution)\(\s*"([\w.]+)"', cell.source)
        if judged is None:
            continue
        function, name = judged.groups()
        shown = [o.data["text/plain"] for o in cell.outputs if "data" in o]
        expected = {"check": "Not yet", "solution": "Right"}[function]
        last = shown[-1].splitlines()[-1]
        assert last.startswith(f"{expected} ({name}). ")
