"""`make lesson` lays down a lesson that keeps every rule as it is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import course_template as template
import pytest

NAME, TOPIC = "15_reading_maps", "reading_maps"
NEEDED = ("attncourse", "book", "lessons", "tests")
UNUSED = shutil.ignore_patterns("__pycache__", ".partial", ".quick", "api")


def folders(root: Path) -> Path:
    for target in template.TARGETS.values():
        (root / target).parent.mkdir(parents=True, exist_ok=True)
    return root


@pytest.mark.parametrize(
    "name",
    ["", "reading_maps", "14_maps", "20_maps", "15_Maps", "15_class", "15_a"],
)
def test_other_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(template.NameRefusedError, match="NAME=15_reading"):
        template.texts(name, folders(tmp_path))


def test_numbers_and_files_that_exist_are_kept(tmp_path: Path) -> None:
    topic = folders(tmp_path) / f"attncourse/exercises/topics/{TOPIC}.py"
    topic.touch()
    with pytest.raises(template.NameRefusedError, match=rf"{TOPIC}\.py exist"):
        template.texts(NAME, tmp_path)
    (tmp_path / "lessons" / "15_other.ipynb").touch()
    with pytest.raises(template.NameRefusedError, match="15 is taken: 15_ot"):
        template.texts(NAME, tmp_path)


@pytest.mark.parametrize("name", [NAME, f"19_{'x' * 30}"])
def test_what_is_laid_down_passes_the_lint(tmp_path: Path, name: str) -> None:
    for file, text in template.texts(name, folders(tmp_path)).items():
        file.write_text(text, "utf8")
    shutil.copy(template.ROOT / "pyproject.toml", tmp_path)
    ours = "lint.isort.known-first-party=['attncourse']"
    for rule in (["check", "--config", ours], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *rule, "--no-cache"]
        subprocess.run([*command, "."], cwd=tmp_path, check=True)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the course with the new lesson."""
    root = tmp_path_factory.mktemp("course")
    for name in NEEDED:
        shutil.copytree(template.ROOT / name, root / name, ignore=UNUSED)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(template.ROOT / name, root)
    said = python(root, "book/_ext/course_template.py", NAME)
    for target in template.texts(NAME, folders(root / "other")):
        assert target.relative_to(root / "other").as_posix() in said
    return root


def python(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def passed(root: Path, *chosen: str) -> int:
    """Number of tests of the new lesson that ran; none may fail."""
    switches = "-q", "-p", "no:cacheprovider", "-k", TOPIC
    said = python(root, "-m", "pytest", *switches, *chosen)
    return int(said.split(" passed")[0].split()[-1])


@pytest.mark.slow
def test_it_keeps_every_rule_as_it_is(course: Path) -> None:
    exercises = "tests/exercises/test_exercises.py"
    assert passed(course, "tests/lessons", exercises) > 100


@pytest.mark.slow
def test_it_runs_as_it_is(course: Path) -> None:
    lesson = f"lessons/{NAME}.ipynb"
    assert "{eval}" in python(course, "book/_ext/course_execution.py", lesson)
    assert passed(course, "tests/lessons/test_every_lesson.py") >= 16
