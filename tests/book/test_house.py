"""Map, address and papers of the house stay in step with the code."""

import re
import tomllib
from pathlib import Path

import course_address
import course_execution as execution
import course_floors as floors
import pytest
import yaml

import attncourse

ROOT = execution.ROOT
ADDRESS = course_address.written()


@pytest.mark.parametrize("floor", floors.FLOORS)
def test_no_import_runs_upward(floor: str) -> None:
    above = floors.FLOORS[floors.FLOORS.index(floor) + 1 :]
    assert not floors.stands_on(floor) & set(above)


def test_every_subpackage_has_its_floor() -> None:
    found = {file.parent.name for file in floors.PACKAGE.glob("*/__init__.py")}
    assert found == set(floors.FLOORS)


def test_the_picture_of_the_floors_is_that_of_the_imports() -> None:
    assert floors.PICTURE.read_text("utf8") == floors.drawing(), (
        "run python book/_ext/course_floors.py"
    )


def test_the_address_stands_in_one_place() -> None:
    files = [ROOT / "README.md", ROOT / "CITATION.cff", ROOT / "_config.yml"]
    files += [*(ROOT / "book").glob("*.md"), *execution.lessons()]
    for file in files:
        for found in re.findall(
            r"https://github\.com/[\w-]+/[\w-]+", file.read_text("utf8")
        ):
            assert file.name in ("README.md", "CITATION.cff"), found
            assert found == ADDRESS, file.name


def test_citation_follows_the_project() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf8"))
    assert citation["version"] == attncourse.__version__
    assert citation.get("repository-code") == ADDRESS


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))
    assert "version" in project["project"]["dynamic"]
    changes = (ROOT / "CHANGELOG.md").read_text("utf8")
    assert f"## {attncourse.__version__} (" in changes


def test_commands_of_the_guide_exist() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf8")
    rules = (ROOT / "Makefile").read_text("utf8")
    for target in set(re.findall(r"`make ([a-z]+)", guide)):
        assert re.search(rf"^{target}:", rules, re.MULTILINE), target


def test_paths_of_the_guide_exist() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf8")
    made = re.compile(r"reading_maps|NN_name|test_NAME|workspace")
    for path in set(re.findall(r"`((?:\w|\.)[\w./]*/[\w./]*)`", guide)):
        if not made.search(path):
            assert Path(ROOT / path).exists(), path
