"""Write down which share of each folder's lines the last tests ran.

``make coverage`` runs the tests under coverage.py, then this.
"""

import io
import json
import sys
from collections import defaultdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from coverage import Coverage

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "book" / "results" / "tests" / "coverage.json"


def folders(measured: Coverage) -> dict[str, dict[str, int]]:
    """Lines with code and those that ran, by folder of the package."""
    found: dict[str, dict[str, int]] = defaultdict(
        lambda: {"lines": 0, "run": 0}
    )
    for name in sorted(measured.get_data().measured_files()):
        _, lines, _, missing, _ = measured.analysis2(name)
        parts = Path(name).relative_to(ROOT).parts
        counts = found["/".join(parts[: min(2, len(parts) - 1)])]
        counts["lines"] += len(lines)
        counts["run"] += len(lines) - len(missing)
    return dict(sorted(found.items()))


def main() -> int:
    measured = Coverage()
    measured.load()
    record = {
        "command": "make coverage",
        "versions": {"coverage": version("coverage")},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "folders": folders(measured),
    }
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    RECORD.write_text(json.dumps(record, indent=1) + "\n", "utf8")
    total = measured.report(file=io.StringIO())
    least = measured.get_option("report:fail_under")
    print(f"{total:.1f} % of the lines ran; {least} % are needed.")
    return int(total < least)


if __name__ == "__main__":
    sys.exit(main())
