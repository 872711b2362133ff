"""`make lab`: a working copy of the lessons that belongs to the reader.

A lesson that is missing in the folder, or that the reader has not changed,
is laid down anew; what the reader has changed is never touched.  Outputs do
not count as a change: they come back when the lesson is run.
"""

import hashlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
LAID = ".laid.json"


def digest(notebook: Path) -> str:
    """Digest of text and code; a file that is no notebook counts whole."""
    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except Exception:  # whatever is in it, it is the reader's
        return hashlib.sha256(notebook.read_bytes()).hexdigest()
    text = json.dumps([(cell.cell_type, cell.source) for cell in cells])
    return hashlib.sha256(text.encode()).hexdigest()


def renew(lessons: Iterable[Path], folder: Path) -> list[str]:
    """Bring the folder up to date; return what there is to say about it."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / LAID
    laid = json.loads(note.read_text("utf8")) if note.exists() else {}
    said = []
    for lesson in lessons:
        copy, newest = folder / lesson.name, digest(lesson)
        if copy.exists() and digest(copy) not in (
            laid.get(lesson.name),
            newest,
        ):
            if laid.get(lesson.name) != newest:
                said.append(
                    f"{lesson.name}: you changed it, so it stays as it is; "
                    f"the course has a newer version (delete or rename "
                    f"yours to get it)"
                )
            else:
                said.append(f"{lesson.name}: kept as you changed it")
            continue
        if not copy.exists() or digest(copy) != newest:
            beside = copy.with_suffix(".new")
            beside.write_bytes(lesson.read_bytes())
            beside.replace(copy)
        laid[lesson.name] = newest
    beside = note.with_suffix(".new")
    beside.write_text(json.dumps(laid, indent=1), encoding="utf8")
    beside.replace(note)
    return said


def main() -> int:
    lessons = sorted((ROOT / "lessons").glob("*.ipynb"))
    for line in renew(lessons, ROOT / "workspace"):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
