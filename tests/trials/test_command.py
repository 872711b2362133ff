import subprocess
import sys

import pytest

from attncourse.__main__ import main
from attncourse.trials import load
from tests.trials.test_claim import tiny

__all__ = ["tiny"]


def test_a_claim_is_run_listed_and_shown(tiny, capsys):
    results = ["--results", str(tiny)]
    assert main(["trials", "show", "tiny-example", *results]) == 0
    assert "No record; python -m attncourse" in capsys.readouterr().out

    run = ["trials", "run", "tiny-example", "--seeds", "3", "--workers", "1"]
    assert main([*run, *results]) == 0
    out = capsys.readouterr().out
    assert "| three | 28 | 21 | 0.0 | 10.250 ± 0.250 |" in out
    assert "three, score: +4.000 [+4.000, +4.000]" in out
    assert "supported: By one. (+4.000" in out
    assert "refuted: By ten." in out
    assert (tiny / "tiny-example.json").is_file()

    assert main(["trials", "list", *results]) == 0
    out = capsys.readouterr().out
    assert (
        "tiny-example: Three is more than one.\n    supported; 3 seeds, full"
        in out
    )
    assert "this code" in out
    assert "additive-gain: Where a digit stands among clutter" in out
    assert "    no record" in out

    assert main(["trials", "show", "tiny-example", *results]) == 0
    out = capsys.readouterr().out
    assert "refuted if it is below" in out
    assert "| three | 28 | 21 | 0.0 | 10.250 ± 0.250 |" in out
    assert "trials run tiny-example --profile full --seeds 3" in out


def test_all_claims_are_run_at_once(tiny, capsys, monkeypatch):
    monkeypatch.setattr(
        "attncourse.trials.command.claims", lambda: ["tiny-example"]
    )
    run = ["trials", "run", "--all", "--profile", "quick", "--workers", "1"]
    assert main([*run, "--results", str(tiny)]) == 0
    out = capsys.readouterr().out
    assert "tiny-example: supported: Three is more than one." in out
    assert load("tiny-example", tiny).profile == "quick"


def test_other_code_is_named(tiny, capsys):
    run = [
        "trials",
        "run",
        "tiny-example",
        "--workers",
        "1",
        "--results",
        str(tiny),
    ]
    assert main(run) == 0
    path = tiny / "tiny-example.json"
    old = load("tiny-example", tiny).code
    path.write_text(path.read_text().replace(old, "0" * 64))
    assert main(["trials", "list", "--results", str(tiny)]) == 0
    assert "other code" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "the following arguments are required: command"),
        (["nix"], 2, "invalid choice: 'nix'"),
        (["trials"], 2, "required: ACTION"),
        (["trials", "run"], 2, "one of the arguments NAME --all is required"),
        (["trials", "run", "x", "--profile", "huge"], 2, "invalid choice"),
        (["trials", "run", "nix"], 1, "error: no claim named 'nix'"),
        (["trials", "show", "nix"], 1, "error: no claim named 'nix'"),
        (
            ["trials", "run", "additive-gain", "--seeds", "1"],
            1,
            "error: seeds must be two or more",
        ),
        (
            ["trials", "run", "attention-occlusion", "--all"],
            2,
            "not allowed with argument",
        ),
        (
            ["trials", "run", "attention-occlusion", "--gpus", "0.5"],
            1,
            "error: address and gpus need the backend ray",
        ),
    ],
)
def test_mistakes_are_explained(capsys, arguments, status, message):
    assert main(arguments) == status
    assert message in capsys.readouterr().err


def test_a_damaged_record_is_reported(tiny, capsys):
    (tiny / "tiny-example.json").write_text("{}")
    assert (
        main(["trials", "show", "tiny-example", "--results", str(tiny)]) == 1
    )
    assert "error: tiny-example.json cannot be used" in capsys.readouterr().err


def test_help_names_the_commands(capsys):
    assert main(["-h"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "trials list, show and repeat" in printed
    assert main(["trials", "-h"]) == 0
    assert "trials run close-looks" in capsys.readouterr().out


def test_an_interruption_has_its_own_status(tiny, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("attncourse.trials.command.run_claims", interrupt)
    assert main(["trials", "run", "tiny-example"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_the_command_line_loads_nothing_before_it_is_needed():
    code = (
        "import sys, attncourse.__main__ as m; m.main(['-h']); "
        "sys.exit('attncourse.trials' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert done.returncode == 0, done.stderr
