"""Run one notebook or script and report what its checks find.

    python -m attncourse.exercises.rerun FILE REPORT

A process of its own for `attncourse.exercises.grading`. The report has one
JSON object a line, written as things happen: ``{"event": "start"}``, then
"check" with name, passed and message, "error" with where and error, and
``{"event": "end"}`` if the code ran to its end. Every cell of a notebook is
run, those after an error too. Outputs stored in a notebook are not read.
"""

import json
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from attncourse.exercises import checking
from attncourse.exercises.guard import in_words
from attncourse.exercises.topics import __name__ as topics

OWN_SOLUTION = "This is the solution that the course prints."


def main(file: Path, report: Path) -> None:
    """Run `file` in the present folder."""

    def write(event: str, **what: Any) -> None:
        with report.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"event": event, **what}) + "\n")

    def listen(verdict: checking.Verdict, answer: Any) -> None:
        module = str(getattr(answer, "__module__", ""))
        own = verdict.passed and module.startswith(topics)
        write(
            "check",
            name=verdict.name,
            passed=verdict.passed and not own,
            message=OWN_SOLUTION if own else verdict.message,
        )

    checking.listeners.append(listen)
    sys.path.insert(0, str(file.parent))
    sys.argv = [str(file)]
    is_notebook = file.suffix == ".ipynb"
    pieces = cells(file) if is_notebook else [file.read_text("utf-8-sig")]
    run = _in_ipython() if is_notebook else _plainly(file)
    write("start")
    for number, code in enumerate(pieces, 1):
        error = run(code)
        if error is not None:
            where = f"code cell {number}" if is_notebook else "the script"
            write("error", where=where, error=in_words(error))
    write("end")


def cells(file: Path) -> list[str]:
    """Return the code cells of a notebook.

    Raises
    ------
    ValueError
        If the file is no notebook; says why.
    """
    text = file.read_text("utf-8-sig")
    if not text.strip():
        raise ValueError("the file is empty")
    try:
        book = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"no notebook, since no JSON: {error}") from None
    found = book.get("cells") if isinstance(book, dict) else None
    if not isinstance(found, list):
        raise ValueError("no notebook of format 4: it has no list of cells")
    return [
        "".join(cell.get("source", ""))
        for cell in found
        if isinstance(cell, dict) and cell.get("cell_type") == "code"
    ]


def _in_ipython() -> Any:
    """Return what runs a cell as a notebook does, magic commands too."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    shell = InteractiveShell.instance(
        ipython_dir=mkdtemp(),
        config=Config(HistoryManager={"enabled": False}),
    )

    def run(code: str) -> BaseException | None:
        result = shell.run_cell(code)
        error = result.error_before_exec or result.error_in_exec
        return error if isinstance(error, BaseException) else None

    return run


def _plainly(file: Path) -> Any:
    def run(code: str) -> BaseException | None:
        names = {"__name__": "__main__", "__file__": str(file)}
        try:
            exec(compile(code, str(file), "exec"), names)
        except BaseException as error:
            return error
        return None

    return run


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
