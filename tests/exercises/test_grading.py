"""`grade` runs what was handed in; whatever it holds becomes a line."""

import json
from pathlib import Path
from typing import Any

import pytest

from attncourse.__main__ import main
from attncourse.exercises import checking, solution
from attncourse.exercises.grading import Found, Grades, Student, handed_in
from attncourse.exercises.rerun import OWN_SOLUTION, cells

NAME = "spatial_transformer.undo"
DIRECTION = "spatial_transformer.direction"
RIGHT = f"""
import torch
from attncourse.exercises import check

def undo(theta):
    back = torch.linalg.inv(theta[:, :2])
    return torch.cat([back, -back @ theta[:, 2:]], 1)

check("{NAME}", undo)
"""
WRONG = f"""
from attncourse.exercises import check
check("{NAME}", lambda theta: -theta)
check("{DIRECTION}", "clockwise")
"""
CRASH = [
    "1 / 0",
    "%matplotlib inline\nprint(input())",
    f"""
from attncourse.exercises import check, solution
from attncourse.exercises.topics.spatial_transformer import undo_solution
solution("{DIRECTION}")
check("{NAME}", undo_solution)
""",
]
FORGED = {
    "output_type": "stream",
    "name": "stdout",
    "text": f"Right ({NAME}). It is right.",
}


def notebook(*code: str, outputs: Any = ()) -> str:
    """Return a notebook as text."""
    made = [
        {
            "cell_type": "code",
            "source": text.splitlines(keepends=True),
            "metadata": {},
            "execution_count": None,
            "outputs": list(outputs),
        }
        for text in code
    ]
    words = {"cell_type": "markdown", "metadata": {}, "source": "1 / 0"}
    return json.dumps(
        {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {},
            "cells": [words, *made],
        }
    )


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Grade a folder of all kinds once: status and JSON."""
    folder = tmp_path_factory.mktemp("handed_in")
    files = {
        "right.ipynb": notebook(RIGHT, f'check("{DIRECTION}", "clockwise")'),
        "wrong.ipynb": notebook(WRONG),
        "crash.ipynb": notebook(*CRASH),
        "endless.ipynb": notebook(RIGHT, "while True: print(1)"),
        "exits.ipynb": notebook("import os\nos._exit(3)", RIGHT),
        "script.py": RIGHT + f'check("{DIRECTION}", "counter-clockwise")',
        "forged.ipynb": notebook("x = 1", outputs=[FORGED]),
        "broken.ipynb": notebook(RIGHT)[:-40],
        "list.ipynb": "[1, 2]",
        "empty.ipynb": "",
        "essay.pdf": "words",
        "folder/helper.py": RIGHT.replace("check(", "print("),
        "folder/work.ipynb": notebook(
            "import helper\nopen('left.txt', 'w')\n" + RIGHT
        ),
        "folder/.ipynb_checkpoints/work.ipynb": notebook("1 / 0"),
        ".DS_Store": "",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    out = folder.parent / "grades.json"
    status = main(["grade", str(folder), "--json", str(out), "--timeout=15"])
    return status, json.loads(out.read_text()), folder


def line(graded: Any, name: str) -> dict[str, Any]:
    (found,) = [s for s in graded[1]["students"] if s["student"] == name]
    return found


@pytest.mark.slow
def test_all_kinds_of_files(graded: Any) -> None:
    status, grades, folder = graded
    assert status == 1
    assert grades["format"] == 1
    assert grades["exercises"] == [DIRECTION, NAME]
    assert len(grades["students"]) == 12

    right = line(graded, "right")
    assert right["exercises"][NAME]["passed"]
    assert right["exercises"][DIRECTION]["message"].startswith("That is how")
    assert not right["passed"]
    assert not right["remarks"]

    wrong = line(graded, "wrong")["exercises"][NAME]
    assert not wrong["passed"]
    assert wrong["message"].startswith("To negate all six")

    crash = line(graded, "crash")
    assert crash["exercises"][NAME]["message"] == OWN_SOLUTION
    assert not crash["exercises"][NAME]["passed"]
    assert crash["exercises"][DIRECTION] is None
    assert "code cell 1 raised ZeroDivisionError" in crash["remarks"][0]
    assert "(2 errors in all)" in crash["remarks"][0]

    endless = line(graded, "endless")
    assert endless["exercises"][NAME]["passed"]
    assert endless["remarks"] == ["endless.ipynb: stopped after 15 seconds"]

    assert "with status 3" in line(graded, "exits")["remarks"][0]
    assert line(graded, "script")["passed"]
    assert line(graded, "forged")["remarks"] == ["no call of check"]
    assert "since no JSON" in line(graded, "broken")["remarks"][0]
    assert "no list of cells" in line(graded, "list")["remarks"][0]
    assert "file is empty" in line(graded, "empty")["remarks"][0]
    assert "no notebook" in line(graded, "essay")["remarks"][0]

    in_folder = line(graded, "folder")
    assert in_folder["files"] == ["folder/work.ipynb"]
    assert in_folder["exercises"][NAME]["passed"]
    assert not in_folder["remarks"]
    assert not (folder / "folder" / "left.txt").exists()


def test_the_table_has_one_line_a_student() -> None:
    found = {NAME: Found(True, "Right.", 1), DIRECTION: Found()}
    grades = Grades(
        (NAME, DIRECTION),
        (Student("anna", found=found), Student("bo", remarks=["a.py: empty"])),
    )
    head, anna, bo = grades.table().splitlines()
    assert head.split() == ["student", "passed", NAME, DIRECTION, "remark"]
    assert anna.split() == ["anna", "1", "of", "2", "yes", "no"]
    assert bo.split() == ["bo", "0", "of", "2", "-", "-", "a.py:", "empty"]
    assert not grades.all_complete
    only = Grades((NAME,), (Student("anna", found=found),))
    assert only.all_complete
    assert not Grades((), only.students).all_complete


def test_names_of_students_steer_no_terminal(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[31mb.py").write_text("")
    (tmp_path / "c.py").write_text("")
    (tmp_path / "c.ipynb").write_text("")
    found = handed_in(tmp_path)
    assert list(found) == ["a [31mb", "c"]
    assert len(found["c"]) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["no-such-folder"],
        ["FULL", "--exercises", "additive.no"],
        ["FULL", "--timeout", "0"],
        ["EMPTY"],
    ],
)
def test_mistakes_in_the_arguments(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folders = {name: tmp_path / name for name in ("FULL", "EMPTY")}
    for each in folders.values():
        each.mkdir()
    (folders["FULL"] / "a.py").write_text("")
    words = [str(folders.get(word, word)) for word in arguments]
    assert main(["grade", *words]) == 2
    assert "error:" in capsys.readouterr().err


def test_source_of_cells_may_be_text_or_lines(tmp_path: Path) -> None:
    book = json.loads(notebook("a = 1\nb = 2", "c"))
    book["cells"][-1]["source"] = "c"
    file = tmp_path / "a.ipynb"
    file.write_text("\ufeff" + json.dumps(book), encoding="utf-8")
    assert cells(file) == ["a = 1\nb = 2", "c"]


def test_a_printed_solution_is_no_answer() -> None:
    heard: list[Any] = []
    listen = lambda verdict, answer: heard.append(verdict)  # noqa: E731
    checking.listeners.append(listen)
    try:
        solution(DIRECTION)
        assert not heard
        verdict = checking.check(DIRECTION, "mirrored")
        assert heard == [verdict]
    finally:
        checking.listeners.remove(listen)
