import importlib.util
import linecache
import shutil
from functools import partial
from pathlib import Path

import pytest

import attncourse
from attncourse.trials import provenance
from tests.trials.standins import count_up


@pytest.fixture
def package(tmp_path, monkeypatch):
    copy = tmp_path / "attncourse"
    shutil.copytree(
        Path(attncourse.__file__).parent,
        copy,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    monkeypatch.setattr(provenance, "_PACKAGE", copy)
    return copy


RUN = """
from attncourse.attention import {mechanism}
from attncourse.trials import Variant, fit


def run(variant, seed):
    return {{}}
"""


@pytest.fixture
def run(package, tmp_path):
    return written(
        tmp_path / "one.py", RUN.format(mechanism="AdditivePooling2d")
    )


def written(path, source):
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.run


@pytest.mark.parametrize(
    "file", ["attention/additive.py", "trials/loop.py", "metrics/mass.py"]
)
def test_code_counts_and_its_explanation_does_not(package, run, file):
    before = provenance.code_digest(run)
    path = package / file
    source = path.read_text()
    path.write_text(source.replace('"""', '"""Explained. ', 1))
    assert provenance.code_digest(run) == before
    path.write_text(source + "\n\n# a remark\n")
    assert provenance.code_digest(run) == before
    path.write_text(source + "\nmore = 1\n")
    assert provenance.code_digest(run) != before


@pytest.mark.parametrize(
    "file",
    ["attention/multihead.py", "trials/record.py", "attention/__init__.py"],
)
def test_what_a_run_does_not_use_does_not_count(package, run, file):
    before = provenance.code_digest(run)
    path = package / file
    path.write_text(path.read_text() + "\nmore = 1\n")
    assert provenance.code_digest(run) == before


@pytest.mark.parametrize(
    ("line", "use", "file"),
    [
        ("import attncourse", "attncourse.attention", "attention/cbam.py"),
        ("from attncourse import watch", "watch", "watching.py"),
        ("import attncourse.models as m", "m.models", "models/pooling.py"),
        ("from attncourse import data as d", "d", "data/photos.py"),
    ],
)
def test_a_package_counts_as_far_as_it_is_used(
    package, tmp_path, line, use, file
):
    body = f"def run(): return {use}"
    run = written(tmp_path / "all.py", f"{line}\n\n{body}\n")
    before = provenance.code_digest(run)
    path = package / file
    path.write_text(path.read_text() + "\nmore = 1\n")
    assert provenance.code_digest(run) != before


def test_a_name_of_a_subpackage_counts_with_its_file(package, tmp_path):
    line = "from attncourse import attention"
    body = "def run(): return attention.MultiHeadAttention"
    run = written(tmp_path / "one.py", f"{line}\n\n{body}\n")
    before = provenance.code_digest(run)
    other = package / "attention" / "cbam.py"
    other.write_text(other.read_text() + "\nmore = 1\n")
    assert provenance.code_digest(run) == before
    path = package / "attention" / "multihead.py"
    path.write_text(path.read_text() + "\nmore = 1\n")
    assert provenance.code_digest(run) != before


def test_a_run_without_a_file_counts_with_all(package):
    source = "def run(): pass\n"
    name = "<cell 1>"
    lines = source.splitlines(keepends=True)
    linecache.cache[name] = len(source), None, lines, name
    scope = {"__name__": "nowhere"}
    exec(compile(source, name, "exec"), scope)
    before = provenance.code_digest(scope["run"])
    (package / "attention" / "new.py").write_text("dim = 1\n")
    assert provenance.code_digest(scope["run"]) != before


def test_the_setups_depend_on_their_own_sources(package):
    names = {
        path.relative_to(package).as_posix()
        for path in provenance.reachable(
            (package / "trials/setups/additive_pooling.py").read_text(),
            counts=provenance._counts,
        )
    }
    assert names >= {
        "attention/additive.py",
        "bugs/additive.py",
        "metrics/mass.py",
        "metrics/pointing.py",
        "models/attention_cnn.py",
        "models/pooling.py",
        "data/cluttered.py",
        "data/digits.py",
        "trials/budget.py",
        "trials/loop.py",
        "trials/maps.py",
    }
    assert "attention/multihead.py" not in names
    assert "trials/runs.py" not in names


def test_the_file_of_the_run_counts(tmp_path):
    digest = provenance.code_digest(count_up)
    other = written(tmp_path / "other.py", "def run(): pass\n")
    assert digest != provenance.code_digest(other)
    assert digest == provenance.code_digest(partial(count_up, seed=3))
    assert len(digest) == 64


def test_versions_and_hardware_name_no_machine(monkeypatch):
    assert set(provenance.versions()) == {
        "python",
        "torch",
        "torchvision",
        "numpy",
        "attncourse",
    }
    machine = provenance.hardware()
    assert set(machine) == {"cpu", "gpu"}
    assert all(machine.values())
    monkeypatch.setattr(provenance, "Path", lambda _: Path("nowhere"))
    assert provenance.hardware()["cpu"]
