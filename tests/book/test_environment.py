"""Lock, conda file and citation stay in step with pyproject.toml."""

import re
import tomllib
from importlib.metadata import requires

import course_execution as execution
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = execution.ROOT
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
EXTRAS = PROJECT["optional-dependencies"]
STATED = [*PROJECT["dependencies"], *(r for e in EXTRAS.values() for r in e)]
PINS = [
    Requirement(re.sub(r"\s*\\$", "", line))
    for line in LOCK.splitlines()
    if re.match(r"[A-Za-z0-9]", line)
]


@pytest.mark.parametrize("stated", STATED)
def test_lock_satisfies_project(stated: str) -> None:
    wanted = Requirement(stated)
    name = canonicalize_name(wanted.name)
    pins = [p for p in PINS if canonicalize_name(p.name) == name]
    assert pins, f"requirements.lock has no {name}"
    for pin in pins:
        (only,) = pin.specifier
        assert only.operator == "=="
        assert wanted.specifier.contains(only.version)


def test_lock_is_hashed_and_names_no_index() -> None:
    blocks = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(PINS)
    assert all("--hash=sha256:" in block for block in blocks)
    assert not re.search(r"https?:|file:|index-url|find-links", LOCK)


def test_torch_and_torchvision_are_a_pair() -> None:
    needs = map(Requirement, requires("torchvision") or [])
    (torch,) = (need for need in needs if need.name == "torch")
    (pin,) = (pin for pin in PINS if pin.name == "torch")
    (pinned,) = pin.specifier
    assert torch.specifier.contains(pinned.version)


def test_conda_file_only_refers_to_the_project() -> None:
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, install = conda["dependencies"]
    assert python.startswith("python")
    stated = SpecifierSet(PROJECT["requires-python"])
    assert SpecifierSet(python.removeprefix("python")) == stated
    assert pip == "pip"
    (editable,) = install["pip"]
    path, extras = re.fullmatch(r"-e (\S+)\[(.+)\]", editable).groups()
    assert path == "."
    assert set(extras.split(",")) <= set(EXTRAS)
