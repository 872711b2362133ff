"""A mechanism as one file: it runs without the course and says the same."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

import attncourse
from attncourse import attention
from attncourse.__main__ import main
from attncourse.copying import LICENCE, standalone
from tests.attention.cases import CASES
from tests.copied import results

ROOT = Path(__file__).parents[1]
# The cases build from `attncourse.attention`; here it is the one file.
ALONE = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

sys.modules["jaxtyping"] = None
spec = spec_from_file_location("alone", sys.argv[1])
alone = sys.modules["alone"] = module_from_spec(spec)
spec.loader.exec_module(alone)
course = sys.modules["attncourse"] = ModuleType("attncourse")
course.attention = alone
sys.path.append(sys.argv[2])

import torch
from tests.attention.cases import CASES
from tests.copied import results

torch.save(results(CASES, sys.argv[3]), sys.argv[4])
"""
NAMES = sorted({case.name for case in CASES})
OTHERS = sorted(set(attention.__all__) - set(NAMES))


@pytest.mark.lengthy
@pytest.mark.parametrize("name", NAMES)
def test_it_runs_without_the_course_and_says_the_same(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "alone.py"
    path.write_text(standalone(name), "utf-8")
    out = tmp_path / "out.pt"
    subprocess.run(
        [sys.executable, "-c", ALONE, path, ROOT, name, out], check=True
    )
    for there, here in zip(torch.load(out), results(CASES, name), strict=True):
        assert_close(there, here, rtol=0, atol=0)


@pytest.mark.parametrize("name", [*NAMES, *OTHERS])
def test_no_name_is_missing_and_none_is_left_over(name: str) -> None:
    text = standalone(name)
    assert "jaxtyping" not in text
    assert "from attncourse" not in text
    linted = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            "check",
            "--isolated",
            "--select=F",
            "-",
        ],
        input=text,
        text=True,
        capture_output=True,
    )
    assert linted.returncode == 0, linted.stdout


def test_the_header_has_sources_version_and_licence() -> None:
    text = standalone("MultiHeadAttention", "CBAM")
    head = text.split('"""')[1]
    assert head.startswith("MultiHeadAttention, CBAM of the course")
    for part in (
        attncourse.__version__,
        "attncourse/attention/multihead.py",
        "attncourse/attention/cbam.py",
        LICENCE,
    ):
        assert part in head
    assert (ROOT / "LICENSE").read_text("utf-8").strip() == LICENCE.strip()


def test_two_mechanisms_share_what_both_need() -> None:
    text = attncourse.standalone("SqueezeExcitation", "CBAM")
    assert text.count("def check_map") == 1
    assert text.index("def check_map") < text.index("class SqueezeExcitation")


def test_other_names_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^names must be .*CBAM.* got 'se'$"):
        standalone("se")
    with pytest.raises(ValueError, match="got none"):
        standalone()


def test_the_command_prints_it(capsys) -> None:
    assert main(["standalone", "CBAM"]) == 0
    assert capsys.readouterr().out == standalone("CBAM") + "\n"
    assert main(["standalone", "se"]) == 1
    assert "names must be among" in capsys.readouterr().err


def test_the_version(capsys) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"attncourse {attncourse.__version__}\n"
