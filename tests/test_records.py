import json

import course_tests
import pytest

from tests import covered, mutants


def test_the_record_kills_enough_mutants_and_explains_the_others() -> None:
    """Reasons of files that changed since are those of the next record."""
    files = json.loads(mutants.RECORD.read_text("utf8"))["files"]
    assert mutants.share_killed(files) >= mutants.LEAST_KILLED
    same = {n for n, f in files.items() if course_tests.digest(n) == f["code"]}
    survivors = [s for name in same for s in files[name]["survivors"]]
    assert {s["name"]: s["reason"] for s in survivors} == {
        name: why
        for name, why in mutants.reasons().items()
        if f"{name.partition('.')[0]}.py" in same
    }


@pytest.mark.parametrize("name", mutants.reasons())
def test_reasons_are_of_code_that_is_there(name: str) -> None:
    where, _, change = name.partition(": ")
    stem, _, function = where.partition(".")
    path = mutants.ROOT / "attncourse" / "attention" / f"{stem}.py"
    source = mutants.definition(path, function)
    before = change.partition(" -> ")[0]
    assert before in " ".join(map(str.strip, source.splitlines()))


def test_the_record_covers_enough_lines() -> None:
    folders = json.loads(covered.RECORD.read_text("utf8"))["folders"]
    assert folders["attncourse/attention"]["lines"] > 0
    lines, run = (
        sum(counts[key] for counts in folders.values())
        for key in ("lines", "run")
    )
    assert run >= 0.95 * lines


def test_lines_are_found_inside_of_methods() -> None:
    path = mutants.ROOT / "attncourse" / "attention" / "masking.py"
    line = mutants.first_line(path, "check_mask")
    written = path.read_text("utf8").splitlines()[line - 1]
    assert written.startswith("def check_mask(")


@pytest.mark.parametrize(
    ("directive", "expected"),
    [
        (course_tests.Mutants, "| all | 7 | 5 | 2 | 71.4% |"),
        (
            course_tests.Survivors,
            r"| `maps.py`, line 3 | `a \| b` | `a & b` |",
        ),
    ],
)
def test_tables_count_and_quote(directive, expected: str) -> None:
    survivor = {
        "line": 3,
        "before": "a | b",
        "after": "a & b",
        "reason": "No reason.",
    }
    file = {
        "code": "",
        "statuses": {"killed": 4, "timeout": 1, "survived": 1, "no tests": 1},
        "survivors": [survivor, survivor],
    }
    record = {
        "date": "2026-11-21T08:00:00+00:00",
        "versions": {"mutmut": "3"},
        "files": {"maps.py": file},
    }
    assert expected in directive.lines(None, record)
