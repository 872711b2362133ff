"""Map, address and papers of the house stay in step with the code."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import course_address
import course_execution as execution
import course_floors as floors
import course_markdown as markdown
import course_outside as outside
import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

import attncourse
from tests.book.conftest import documents

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
    for name in ("README.md", "CITATION.cff"):
        text = (ROOT / name).read_text("utf8")
        found = re.findall(r"https://github\.com/[\w-]+/[\w-]+", text)
        assert set(found) <= {ADDRESS}, name
    files = [*(ROOT / "book").glob("*.md"), *execution.lessons()]
    for file in [ROOT / "_config.yml", *files]:
        assert not ADDRESS or ADDRESS not in file.read_text("utf8"), file


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


@pytest.mark.parametrize(
    ("schema", "folder"),
    [
        ("github-workflows", "workflows"),
        ("github-issue-forms", "ISSUE_TEMPLATE"),
    ],
)
def test_workflows_and_forms_have_their_form(schema: str, folder: str) -> None:
    files = sorted((ROOT / ".github" / folder).glob("*.yml"))
    assert files
    command = [sys.executable, "-m", "check_jsonschema", *files]
    subprocess.run(
        [*command, "--builtin-schema", f"vendor.{schema}"], check=True
    )


def test_the_workflow_installs_as_the_readme_says() -> None:
    flow = (ROOT / ".github" / "workflows" / "book.yml").read_text("utf8")
    readme = (ROOT / "README.md").read_text("utf8")
    lines = re.findall(r"Scripts.python -m (pip install .*)", readme)
    assert len(lines) == 3
    assert re.findall(r"run: python -m (pip install .*)", flow) == lines


def addresses(file: Path) -> set[str]:
    """Addresses in a text: what links name, and what stands in angles."""
    texts = [file.read_text("utf8")]
    if file.suffix == ".ipynb":
        cells = nbformat.read(file, as_version=4).cells
        texts = [c.source for c in cells if c.cell_type == "markdown"]
    return {
        str(child.attrs["href"])
        for text in texts
        for token, _ in markdown.walk(text)
        for child in token.children or ()
        if child.type == "link_open" and "://" in str(child.attrs["href"])
    }


def test_links_lead_to_known_hosts() -> None:
    files = [*(ROOT / "book").glob("*.md"), *execution.lessons()]
    found = set().union(*map(addresses, files))
    entries = (ROOT / "book" / "references.bib").read_text("utf8")
    found |= set(re.findall(r"url *= *[{\"](\S+?)[}\"]", entries))
    assert len(found) > 50
    assert not list(filter(None, map(outside.refused, sorted(found))))


@pytest.mark.site
@pytest.mark.parametrize("name", documents())
def test_pages_lead_to_known_hosts(site: Path, name: str) -> None:
    text = (site / f"{name}.html").read_text("utf8")
    links = BeautifulSoup(text, "html.parser").find_all("a", href=True)
    found = {a["href"] for a in links if re.match(r"[\w.+-]*:?//", a["href"])}
    assert not list(filter(None, map(outside.refused, sorted(found))))


def test_other_hosts_and_schemes_are_refused() -> None:
    assert outside.refused("https://arxiv.org/abs/1409.0473") is None
    assert "https is needed" in str(outside.refused("http://arxiv.org"))
    assert "not in HOSTS" in str(outside.refused("https://example.org/a"))


def test_the_registry_is_asked_for_a_doi() -> None:
    asked = outside.ask_registry(None, "https://doi.org/10.7717/peerj.453")
    assert asked == "https://doi.org/api/handles/10.7717/peerj.453"
    assert outside.ask_registry(None, "https://arxiv.org/abs/1") is None
