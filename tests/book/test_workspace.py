"""`make lab` lays lessons down and never touches what a reader changed."""

from pathlib import Path

import course_workspace as workspace
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

NAME = "01_lesson.ipynb"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


def write(file: Path, code: str, *, output: str = "") -> Path:
    cell = new_code_cell(code)
    if output:
        cell.outputs = [new_output("stream", text=output)]
    file.parent.mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=[cell]), file)
    return file


def code_of(file: Path) -> str:
    return nbformat.read(file, as_version=4).cells[0].source


def lesson(tmp_path: Path, code: str) -> Path:
    return write(tmp_path / "lessons" / NAME, code)


def test_missing_lessons_are_laid_down(tmp_path: Path, folder: Path) -> None:
    assert workspace.renew([lesson(tmp_path, "1")], folder) == []
    assert code_of(folder / NAME) == "1"
    (folder / NAME).unlink()
    assert workspace.renew([lesson(tmp_path, "2")], folder) == []
    assert code_of(folder / NAME) == "2"


def test_an_unchanged_lesson_is_renewed(tmp_path: Path, folder: Path) -> None:
    workspace.renew([lesson(tmp_path, "1")], folder)
    write(folder / NAME, "1", output="run by the reader")
    assert workspace.renew([lesson(tmp_path, "1")], folder) == []
    assert "run by the reader" in (folder / NAME).read_text()
    assert workspace.renew([lesson(tmp_path, "2")], folder) == []
    assert code_of(folder / NAME) == "2"


@pytest.mark.parametrize("newer", [True, False])
def test_what_the_reader_changed_stays(
    tmp_path: Path, folder: Path, newer: bool
) -> None:
    workspace.renew([lesson(tmp_path, "1")], folder)
    write(folder / NAME, "mine")
    for _ in range(2):
        source = lesson(tmp_path, "2" if newer else "1")
        (said,) = workspace.renew([source], folder)
        assert said.startswith(f"{NAME}: ")
        assert ("newer version" in said) == newer
        assert code_of(folder / NAME) == "mine"


def test_a_file_that_was_there_before_stays(
    tmp_path: Path, folder: Path
) -> None:
    folder.mkdir()
    (folder / NAME).write_text("no notebook")
    (said,) = workspace.renew([lesson(tmp_path, "1")], folder)
    assert "you changed it" in said
    assert (folder / NAME).read_text() == "no notebook"
