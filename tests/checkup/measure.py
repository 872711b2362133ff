"""How many bugs the checkup finds, and how often it is wrong.

    python -m tests.checkup.measure

writes ``book/results/tests/checkup.json`` for the page of the checkup. A bug
counts as found if the wrong module gets an error or a warning that the right
one does not get.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jaxtyping

from attncourse.checkup import Finding, Report, checkup
from tests.checkup.corpus import Bug

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "book" / "results" / "tests" / "checkup.json"


def alarms(report: Report) -> tuple[Finding, ...]:
    """Errors and warnings."""
    return report.errors + report.warnings


def words(finding: Finding) -> tuple[str, ...]:
    """Probe and text of a finding, without its numbers."""
    text = "".join(c if c.isalpha() else " " for c in finding.seen)
    return finding.probe, *text.split()


def examine(bug: Bug, which: str, kind: str | None) -> Report:
    return checkup(bug.built(which), bug.inputs(), kind=kind)


def told_apart(bug: Bug, kind: str | None = None) -> list[Finding]:
    """What is said of the wrong module and not of the right one."""
    usual = {words(f) for f in alarms(examine(bug, "right", kind))}
    wrong = alarms(examine(bug, "wrong", kind))
    return [f for f in wrong if words(f) not in usual]


def recall(bugs: Iterable[Bug]) -> dict[str, Any]:
    """Which bugs are found, without and with their kind being stated."""
    rows = []
    for bug in bugs:
        found = told_apart(bug)
        stated = told_apart(bug, bug.kind)
        first = next(iter(stated or found), None)
        rows.append(
            {
                "name": bug.name,
                "thread": bug.thread,
                "found": bool(found),
                "found_with_kind": bool(stated),
                "said": f"{first.probe}: {first.seen}" if first else "",
            }
        )
    return {
        "bugs": len(rows),
        "found": sum(row["found"] for row in rows),
        "found_with_kind": sum(row["found_with_kind"] for row in rows),
        "rows": rows,
    }


def show(name: str, bugs: Iterable[Bug]) -> None:
    """Print what is found of a list of bugs, for work on the checkup."""
    result = recall(bugs)
    for row in result["rows"]:
        marks = "".join(
            "x" if row[key] else "-" for key in ("found", "found_with_kind")
        )
        print(f"{marks} {row['name']} ({row['thread']}): {row['said'][:150]}")
    print(name, result["bugs"], result["found"], result["found_with_kind"])


if __name__ == "__main__":
    jaxtyping.config.update("jaxtyping_disable", True)
    from tests.checkup.corpus.public_ten import PUBLIC_TEN
    from tests.checkup.corpus.tuning import TUNING

    show("ten", PUBLIC_TEN)
    show("tuning", TUNING)
