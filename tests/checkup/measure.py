"""How many bugs the checkup finds, and how often it is wrong.

    python -m tests.checkup.measure

writes ``book/results/tests/checkup.json`` for the page of the checkup. A bug
counts as found if the wrong module gets an error or a warning that the right
one does not get.
"""

import io
import json
import sys
import time
import warnings
from argparse import ArgumentParser
from collections.abc import Iterable
from contextlib import redirect_stdout
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jaxtyping
import torch

from attncourse.checkup import Finding, Report, checkup
from tests.attention.cases import CASES
from tests.checkup.corpus import Bug
from tests.checkup.corpus.public_ten import PUBLIC_TEN
from tests.checkup.corpus.right import RIGHT
from tests.checkup.corpus.tuning import TUNING

ROOT = Path(__file__).parents[2]
MUSEUM = ROOT / "lessons" / "bug_museum.ipynb"
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


def museum() -> dict[str, Any]:
    """What the checkup says of the exhibits, as the lesson runs it."""
    import matplotlib

    matplotlib.use("agg")
    cells = json.loads(MUSEUM.read_text("utf8"))["cells"]
    names: dict[str, Any] = {"__name__": "museum"}
    with redirect_stdout(io.StringIO()):
        for cell in cells:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), names)
    seen, right = names["seen"], names["CONTROLS"]
    found = [name for name in seen if name not in right and seen[name]]
    return {
        "bugs": len(seen) - len(right),
        "found": len(found),
        "missed": sorted(set(seen) - set(right) - set(found)),
        "right": len(right),
        "alarms_on_right": sum(seen[name] is not None for name in right),
    }


def libraries() -> dict[str, Any]:
    """Alarms on layers of torch, torchvision and timm."""
    rows: dict[str, dict[str, Any]] = {}
    for layer in RIGHT:
        row = rows.setdefault(
            layer.name.split()[0],
            {"layers": 0, "calls": 0, "alarms": [], "seconds": 0.0},
        )
        row["layers"] += 1
        for size in range(len(layer.sizes)):
            start = time.process_time()
            report = checkup(layer.built(), layer.inputs(size))
            row["seconds"] += time.process_time() - start
            row["calls"] += 1
            row["alarms"] += [
                f"{layer.name} {layer.sizes[size][0]}: {f.probe}: {f.seen}"
                for f in alarms(report)
            ]
    return rows


def mechanisms(draws: int) -> dict[str, Any]:
    """Alarms on the mechanisms of the course, with random inputs."""
    row: dict[str, Any] = {
        "layers": len(CASES),
        "calls": 0,
        "alarms": [],
        "seconds": 0.0,
    }
    for case in CASES:
        for draw in range(draws):
            torch.manual_seed(draw)
            module = case.module() if draw % 2 else case.build()
            inputs = tuple(torch.randn_like(x) for x in case.inputs())
            start = time.process_time()
            report = checkup(module, inputs)
            row["seconds"] += time.process_time() - start
            row["calls"] += 1
            row["alarms"] += [
                f"{case.name}: {f.probe}: {f.seen}" for f in alarms(report)
            ]
    return row


def main() -> int:
    """Measure everything and write it down."""
    jaxtyping.config.update("jaxtyping_disable", True)
    warnings.simplefilter("ignore")
    parser = ArgumentParser(description=main.__doc__)
    parser.add_argument("--draws", type=int, default=10)
    draws = parser.parse_args().draws
    from tests.checkup.corpus.kept import KEPT

    record = {
        "command": f"python -m tests.checkup.measure --draws {draws}",
        "versions": {
            name: version(name) for name in ("torch", "torchvision", "timm")
        },
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "recall": {
            "ten": recall(PUBLIC_TEN),
            "tuning": recall(TUNING),
            "kept": recall(KEPT),
            "museum": museum(),
        },
        "precision": {**libraries(), "attncourse": mechanisms(draws)},
    }
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    RECORD.write_text(
        json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf8"
    )
    for name, found in record["recall"].items():
        print(name, found["found"], "of", found["bugs"])
    for name, row in record["precision"].items():
        print(name, len(row["alarms"]), "alarms in", row["calls"], "calls")
    return 0


if __name__ == "__main__":
    sys.exit(main())
