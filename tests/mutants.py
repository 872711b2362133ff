"""Write down what became of the mutants of the mechanisms.

mutmut changes the code of ``attncourse/attention`` at one place at a time and
runs the tests that reach this place. A mutant that no test notices has
survived: the tests have a gap, or the change makes no difference. The file
``tests/attention/survivors.toml`` holds a reason for each survivor.

``make mutants`` runs mutmut, then this, and fails if too few are killed or a
survivor has no reason.
"""

import ast
import json
import re
import sys
import tomllib
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from course_tests import KILLED, digest
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import orig_function_and_class_names_from_key

from attncourse.trials.provenance import hardware, versions

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "book" / "results" / "tests" / "mutants.json"
REASONS = ROOT / "tests" / "attention" / "survivors.toml"
LEAST_KILLED = 0.9


def reasons() -> dict[str, str]:
    """Why each known survivor survives, by its name."""
    known = tomllib.loads(REASONS.read_text("utf8"))["reason"]
    return {name: entry["why"] for entry in known for name in entry["mutants"]}


def share_killed(files: dict[str, Any]) -> float:
    statuses: Counter[str] = Counter()
    for file in files.values():
        statuses.update(file["statuses"])
    return sum(statuses[s] for s in KILLED) / statuses.total()


def definition(path: Path, function: str) -> str:
    """The source of a function or method."""
    source = path.read_text("utf8")
    lines = source.splitlines()
    return "\n".join(lines[slice(*_span(source, function))])


def first_line(path: Path, function: str) -> int:
    """Where a function or method starts."""
    return _span(path.read_text("utf8"), function)[0] + 1


def _span(source: str, function: str) -> tuple[int, int | None]:
    body: list[ast.stmt] = ast.parse(source).body
    for name in function.split("."):
        node = next(n for n in body if getattr(n, "name", None) == name)
        body = node.body
    return node.lineno - 1, node.end_lineno


def survivor(path: Path, mutant: str) -> dict[str, Any]:
    """Where a mutant differs, and how, on one line."""
    name, kind = orig_function_and_class_names_from_key(mutant)
    function = f"{kind}.{name}" if kind else name
    lines = get_diff_for_mutant(mutant, path=path).splitlines()
    hunk = next(i for i, line in enumerate(lines) if line.startswith("@@"))
    start = re.match(r"@@ -(\d+)", lines[hunk])
    change = lines[hunk + 1 :]
    first = next(i for i, line in enumerate(change) if line[0] == "-")
    before, after = (
        " ".join(line[1:].strip() for line in change if line[0] == sign)
        for sign in "-+"
    )
    where = f"{path.stem}.{function}: {before} -> {after}"
    return {
        "function": function,
        "line": first_line(path, function) + int(start[1]) + first - 1,
        "before": before,
        "after": after,
        "reason": reasons().get(where, ""),
        "name": where,
    }


def collect(path: Path) -> dict[str, Any]:
    data = SourceFileMutationData(path=path)
    data.load()
    statuses = {
        m: status_by_exit_code[c] for m, c in data.exit_code_by_key.items()
    }
    return {
        "code": digest(path.name),
        "statuses": dict(Counter(statuses.values())),
        "survivors": [
            survivor(path, mutant)
            for mutant, status in statuses.items()
            if status not in KILLED
        ],
    }


def main() -> int:
    paths = sorted(Path("attncourse/attention").glob("*.py"))
    files = {p.name: collect(p) for p in paths if p.stem != "__init__"}
    record = {
        "command": "make mutants",
        "versions": versions() | {"mutmut": version("mutmut")},
        "hardware": hardware(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": files,
    }
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    RECORD.write_text(json.dumps(record, indent=1) + "\n", "utf8")
    found = [s for file in files.values() for s in file["survivors"]]
    gaps = [s["name"] for s in found if not s["reason"]]
    spare = set(reasons()) - {s["name"] for s in found}
    print(f"{share_killed(files):.1%} of the mutants are killed.")
    for title, names in [("No reason for", gaps), ("Killed by now", spare)]:
        for name in sorted(names):
            print(f"{title}: {name}")
    return int(share_killed(files) < LEAST_KILLED or bool(gaps or spare))


if __name__ == "__main__":
    sys.exit(main())
