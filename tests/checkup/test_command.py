"""`python -m attncourse checkup`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from attncourse.__main__ import main

pytestmark = [pytest.mark.lengthy, pytest.mark.usefixtures("as_shipped")]
CBAM = "attncourse.attention:CBAM"
WRONG = "attncourse.bugs.additive:ColumnSoftmaxPooling2d"
SIZES = ["--arg", "channels=16", "--input", "2,16,7,7"]


def test_a_right_module_ends_with_zero(capsys) -> None:
    assert main(["checkup", CBAM, *SIZES]) == 0
    assert capsys.readouterr().out.startswith("CBAM: 0 errors")


def test_a_wrong_module_ends_with_one(capsys) -> None:
    assert main(["checkup", WRONG, *SIZES, "--arg", "hidden_dim=4"]) == 1
    assert "error   normalisation" in capsys.readouterr().out


def test_json_can_be_read(capsys) -> None:
    assert main(["checkup", WRONG, *SIZES, "--json"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert content["module"] == "ColumnSoftmaxPooling2d"
    assert content["findings"][0]["grade"] == "error"


def test_inputs_by_name_and_equal_ones(capsys) -> None:
    arguments = ["checkup", "torch.nn:MultiheadAttention"]
    for text in ("embed_dim=16", "num_heads=2", "batch_first=True"):
        arguments += ["--arg", text]
    for name in ("query", "key", "value"):
        arguments += ["--input", f"{name}=3,5,16"]
    assert main(arguments) == 0
    assert "equivariant" in capsys.readouterr().out


def test_a_function_is_examined_as_it_is(capsys) -> None:
    path = "attncourse.bugs.dot_product:without_scale"
    assert main(["checkup", path, *["--input", "3,5,64"] * 3]) == 1
    assert "error   scale" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: PACKAGE.MODULE:CLASS"),
        ([CBAM], "required: --input"),
        (["CBAM", *SIZES], "'CBAM' names no class"),
        (["no.such:Thing", *SIZES], "No module named 'no'"),
        (["torch.nn:Thing", *SIZES], "has no attribute 'Thing'"),
        (["torch:float32", *SIZES], "is no class, function or module"),
        ([CBAM, "--input", "2,x"], "sizes above zero"),
        ([CBAM, "--input", "2,0,3"], "sizes above zero"),
        ([CBAM, "--input", "=2,3"], "[NAME=][TYPE:]SIZES is needed"),
        ([CBAM, *SIZES, "--arg", "channels"], "NAME=VALUE is needed"),
        ([CBAM, *SIZES, "--arg", "channels=-1"], "cannot be built with"),
        ([CBAM, *SIZES, "--arg", "colour=red"], "cannot be built with"),
        (["builtins:dict", "--input", "2,3"], "is no torch.nn.Module"),
        (["builtins:abs", *SIZES], "is no class, so it takes no --arg"),
        ([CBAM, *SIZES, "--as", "sa"], "invalid choice"),
        ([CBAM, "--input", "half:2,3"], "'half' is no type"),
        ([CBAM, *SIZES, "--batch-axis", "2"], "or NAME=AXIS is needed"),
    ],
)
def test_misuse_ends_with_two(
    capsys, arguments: list[str], message: str
) -> None:
    assert main(["checkup", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_it_imports_from_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n\n\n"
        "class Sum(nn.Module):\n"
        "    def forward(self, x):\n"
        "        return x + x.softmax(0)\n"
    )
    command = [sys.executable, "-m", "attncourse", "checkup", "mine:Sum"]
    ran = subprocess.run(
        [*command, "--input", "3,5,7"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1, ran.stderr
    assert "softmax runs over axis 0 (batch)" in ran.stdout
