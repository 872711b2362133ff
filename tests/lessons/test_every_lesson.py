"""Rules for lessons/*.ipynb: clean, readable anywhere, within budget."""

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import course_execution as execution
import course_links
import course_markdown as markdown
import course_reading
import nbformat
import pytest
from nbformat import NotebookNode

from attncourse.exercises import exercises

COLUMNS = 79
LINES = 20
SECONDS = 60
MINUTES = 45
EXERCISES = exercises()
HANDED_IN = {name for name, each in EXERCISES.items() if each.hand_in}
DIRECTIVES = {"admonition", "dropdown", "note", "table", "tip", "warning"}
ROLES = {"eval", "eq"}
KINDS = ("hide-input", "hide-cell")
CITED = course_links.citations(execution.ROOT / "book" / "references.bib")

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
    texts = [c.source for c in execution.text_cells(read(lesson))]
    return "\n\n".join(texts)


def directives(lesson: Path) -> list[markdown.Directive]:
    return [d for _, d in markdown.walk(prose(lesson)) if d is not None]


def boxes(lesson: Path, kind: str) -> list[markdown.Directive]:
    return [each for each in directives(lesson) if kind in each.classes]


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
def test_begins_with_title_goals_and_imports(lesson: Path) -> None:
    cells = read(lesson).cells
    assert cells[0].cell_type == "markdown"
    assert re.match(r"# \S", cells[0].source)
    first = next(execution.code_cells(read(lesson)))
    assert "hide-input" in first.metadata.tags, "imports are collapsed"
    assert re.search("^(import|from) ", first.source, re.MULTILINE)


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
def test_no_cell_is_hidden_and_some_are_collapsed(lesson: Path) -> None:
    for cell in execution.code_cells(read(lesson)):
        tags = cell.metadata.get("tags", [])
        assert set(tags) <= set(KINDS), tags
        collapsed = bool(tags)
        jupyter = cell.metadata.get("jupyter", {})
        assert jupyter.get("source_hidden", False) == collapsed
        assert jupyter.get("outputs_hidden", False) == ("hide-cell" in tags)
        assert (cell.metadata.get("cellView") == "form") == collapsed


@every_lesson
def test_what_answers_a_question_folds_itself(lesson: Path) -> None:
    """JupyterLab shows the outputs of collapsed cells once they have run."""
    for cell in execution.code_cells(read(lesson)):
        if "hide-cell" in cell.metadata.get("tags", []):
            assert re.match(r"solution\(|with viz\.folded\(", cell.source)


@every_lesson
def test_solutions_are_collapsed_and_nothing_but_the_call(
    lesson: Path,
) -> None:
    """JupyterLab runs a collapsed cell too, and would show what it prints."""
    for cell in execution.code_cells(read(lesson)):
        if not re.search(r"\bsolution\(", cell.source):
            continue
        assert re.fullmatch(r'solution\("\w+\.\w+"\)', cell.source)
        assert cell.metadata.tags == ["hide-cell"]
        assert cell.metadata.mystnb == {
            "code_prompt_show": "Solution in code",
            "code_prompt_hide": "Hide the code",
        }


@every_lesson
def test_text_is_what_any_jupyterlab_shows(lesson: Path) -> None:
    text = prose(lesson)
    assert {d.name for d in directives(lesson)} <= DIRECTIVES
    assert {name for name, _ in markdown.roles(text)} <= ROLES
    for word in ("glue", "{question}", "{hints}", "{term}", "{cite", "{py:"):
        assert word not in lesson.read_text("utf8"), word


@every_lesson
def test_links_to_targets_begin_with_their_sign(lesson: Path) -> None:
    """Without it JupyterLab complains of "legacy syntax"."""
    links = [
        str(child.attrs["href"])
        for token, _ in markdown.walk(prose(lesson))
        for child in token.children or []
        if child.type == "link_open"
    ]
    elsewhere = re.compile(r"#|https?:|\.\./|[\w.]+\.ipynb")
    assert [link for link in links if not elsewhere.match(link)] == []


@every_lesson
def test_citations_name_authors_and_year(lesson: Path) -> None:
    for token, _ in markdown.walk(prose(lesson)):
        children = token.children or []
        for index, child in enumerate(children):
            if child.type != "link_open":
                continue
            target = course_links.address(str(child.attrs["href"]))
            words = "".join(
                each.content
                for each in children[index : closing(children, index)]
            )
            found = CITED.get(target)
            if found is None:
                assert "arxiv.org" not in target, f"{target} is no entry"
                assert "doi.org" not in target, f"{target} is no entry"
                continue
            assert found.authors[0] in words, f"{words}: {found.authors}"
            assert found.year in words, f"{words}: {found.year}"


def closing(tokens: list[markdown.Token], index: int) -> int:
    return next(
        later
        for later in range(index, len(tokens))
        if tokens[later].type == "link_close"
    )


@every_numbered_lesson
def test_parts_of_a_lesson_are_there(lesson: Path) -> None:
    text = prose(lesson)
    headings = re.findall(r"^## (.+)", text, re.MULTILINE)
    assert len(boxes(lesson, "goals")) == 1
    assert headings[-2:] == ["Practice", "Summary"]
    assert any(heading.startswith("Use it") for heading in headings)
    code = "\n".join(c.source for c in execution.code_cells(read(lesson)))
    assert "**Try it" in text
    assert "viz.diagram(" in code
    assert "autocast" in code


@every_lesson
def test_reading_keeps_to_its_budget(lesson: Path) -> None:
    assert course_reading.effort(lesson).reading <= MINUTES


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
        for output in cell.outputs:
            data = output.get("data", {})
            check_output(cell, data)
            text = data.get("text/plain", "")
            assert not re.match(r"\[?<(Axes|Figure|matplotlib)", text)


def check_output(cell: NotebookNode, data: NotebookNode) -> None:
    assert not any("widget-view" in mime for mime in data), cell.source
    if "image/png" in data:
        assert "text/html" in data, cell.source


def test_labels_are_unique() -> None:
    found: dict[str, str] = {}
    for lesson in LESSONS:
        for token, box in markdown.walk(prose(lesson)):
            label = ""
            if token.type == "math_block_label":
                label = token.info
            elif token.type == "myst_target":
                label = token.content
            elif box is not None:
                label = box.options.get("name", "")
            assert not label or label not in found, (label, lesson.stem)
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
    named = [each.options["name"] for each in boxes(lesson, "exercise")]
    assert Counter(named) == checked
    solved = {name for name in checked if name not in HANDED_IN}
    assert set(called(lesson, "solution")) == solved
    assert solved != set(checked), "one task is to be handed in"


@every_numbered_lesson
def test_exercises_say_how_long_they_take(lesson: Path) -> None:
    for each in boxes(lesson, "exercise"):
        form = r"Exercise \d+(, to hand in)?: .+ \((easy|medium|hard), "
        assert re.match(rf"{form}\d+ minutes, [a-z ]+\)$", each.argument)
        handed_in = each.options["name"] in HANDED_IN
        assert (", to hand in:" in each.argument) == handed_in


def test_every_exercise_stands_in_one_lesson() -> None:
    used = [name for each in LESSONS for name in called(each, "check")]
    assert Counter(used) == Counter(list(EXERCISES))


@every_lesson
def test_asks_before_it_answers(lesson: Path) -> None:
    questions = boxes(lesson, "question")
    if lesson in NUMBERED:
        assert 1 <= len(questions) <= 3
    for each in questions:
        assert each.argument.startswith("Question: ")
        assert each.argument.endswith("?")
        inner = [d for _, d in markdown.walk(each.body) if d is not None]
        titles = [d.argument for d in inner]
        expected = [f"Answer {n}" for n in range(1, len(inner) + 1)]
        assert titles == expected
        right = [d.body.startswith("**Right.**") for d in inner]
        assert sum(right) == 1


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
