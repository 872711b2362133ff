"""Grading: run what students handed in, and collect what `check` finds.

Each file runs in a process of its own, in a copy of its folder, with a limit
on its time. That is no protection: the code may do whatever the account may
that runs it, and one that sets out to cheat can. Grade in a container or on
a machine that holds nothing else.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attncourse
from attncourse.exercises.rerun import cells

FORMAT = 1  # of the JSON
START = 300.0  # seconds for importing the course on a busy machine
LEFT_OUT = (".*", "__pycache__", "node_modules", "venv")


@dataclass
class Found:
    """What the calls of `check` found of one exercise.

    It is passed if one of the calls passed; the message is that of the call
    that did, or of the last one.
    """

    passed: bool = False
    message: str = ""
    calls: int = 0


@dataclass
class Student:
    """What a student handed in, and what was found when it ran."""

    name: str
    files: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    found: dict[str, Found] = field(default_factory=dict)

    def passed(self, names: Iterable[str]) -> int:
        """Return how many of these exercises were passed."""
        return sum(n in self.found and self.found[n].passed for n in names)


@dataclass(frozen=True)
class Grades:
    """All students, and the exercises that count."""

    exercises: tuple[str, ...]
    students: tuple[Student, ...]

    def complete(self, student: Student) -> bool:
        """Whether a student passed every exercise that counts."""
        count = len(self.exercises)
        return count > 0 and student.passed(self.exercises) == count

    @property
    def all_complete(self) -> bool:
        """Whether every student did."""
        return all(map(self.complete, self.students))

    def table(self) -> str:
        """One line a student: exercises passed, each exercise, remarks."""
        rows = [["student", "passed", *self.exercises, "remark"]]
        for each in self.students:
            count = f"{each.passed(self.exercises)} of {len(self.exercises)}"
            words = [_word(each.found.get(name)) for name in self.exercises]
            remark = "; ".join(each.remarks)
            rows.append([each.name, count, *words, remark])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows
        )

    def as_json(self) -> dict[str, Any]:
        """Return the grades for `json.dump`, as book/teaching.md says."""
        return {
            "format": FORMAT,
            "attncourse": attncourse.__version__,
            "exercises": list(self.exercises),
            "students": [
                {
                    "student": each.name,
                    "passed": self.complete(each),
                    "files": each.files,
                    "remarks": each.remarks,
                    "exercises": {
                        name: vars(each.found[name])
                        if name in each.found
                        else None
                        for name in self.exercises
                    },
                }
                for each in self.students
            ],
        }


def grade(
    folder: Path, names: Iterable[str] = (), timeout: float = 120.0
) -> Grades:
    """Run what lies in a folder and return what the checks found.

    Parameters
    ----------
    folder
        Holds a file or a folder for each student, who has its name. Of a
        student's folder all notebooks run, or all scripts if there is no
        notebook.
    names
        The exercises that count; all that anyone's file checks if there are
        none.
    timeout
        Seconds for each file.
    """
    students = [
        _graded(name, entries, timeout)
        for name, entries in handed_in(folder).items()
    ]
    every = {name for each in students for name in each.found}
    return Grades(tuple(names) or tuple(sorted(every)), tuple(students))


def handed_in(folder: Path) -> dict[str, list[Path]]:
    """Return the files and folders of each student, by the student's name."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if not path.name.startswith((".", "__")):
            name = path.name if path.is_dir() else path.stem
            found.setdefault(_plain(name), []).append(path)
    return found


def _graded(name: str, entries: list[Path], timeout: float) -> Student:
    student = Student(name)
    for entry in entries:
        with TemporaryDirectory(ignore_cleanup_errors=True) as copies:
            copy = Path(copies, "work", entry.name)
            copy.parent.mkdir()
            if entry.is_dir():
                leave = shutil.ignore_patterns(*LEFT_OUT)
                shutil.copytree(entry, copy, symlinks=True, ignore=leave)
            else:
                shutil.copy(entry, copy)
            for file in _to_run(copy):
                student.files.append(str(file.relative_to(copy.parent)))
                _run(file, Path(copies, "report"), timeout, student)
    if not student.files:
        student.remarks.append("no notebook and no Python file")
    elif not student.found and not student.remarks:
        student.remarks.append("no call of check")
    return student


def _to_run(entry: Path) -> list[Path]:
    files = sorted(entry.rglob("*")) if entry.is_dir() else [entry]
    notebooks = [file for file in files if file.suffix == ".ipynb"]
    return notebooks or [file for file in files if file.suffix == ".py"]


def _run(file: Path, report: Path, timeout: float, student: Student) -> None:
    """Run a file and add to the student what was found."""
    report.unlink(missing_ok=True)

    def remark(words: str) -> None:
        student.remarks.append(f"{file.name}: {_plain(words)}")

    if file.suffix == ".ipynb":
        try:
            cells(file)
        except (ValueError, OSError, RecursionError) as error:
            return remark(str(error))
    status = _wait(file, report, timeout)
    ended, errors = False, []
    for event in _events(report):
        kind = event.get("event")
        if kind == "check":
            one = student.found.setdefault(str(event["name"]), Found())
            one.calls += 1
            if event["passed"] or not one.passed:
                one.message = _plain(str(event["message"]))
            one.passed = one.passed or bool(event["passed"])
        elif kind == "error":
            errors.append(f"{event.get('where')} raised {event.get('error')}")
        ended = ended or kind == "end"
    if errors:
        more = f" ({len(errors)} errors in all)" if len(errors) > 1 else ""
        remark(errors[0] + more)
    if status is None:
        remark(f"stopped after {timeout:g} seconds")
    elif not ended:
        remark(f"the process ended before the code did, with status {status}")


def _wait(file: Path, report: Path, timeout: float) -> int | None:
    """Run a file in a process; return its status, None if it was stopped."""
    root = str(Path(attncourse.__file__).parents[1])
    paths = [root, os.environ.get("PYTHONPATH", "")]
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(
        # -P: nothing in the student's folder may replace a library
        [
            *(sys.executable, "-P", "-m", "attncourse.exercises.rerun"),
            *(str(file), str(report)),
        ],
        cwd=file.parent,
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "MPLBACKEND": "Agg",
        },
        stdin=nothing,
        stdout=nothing,
        stderr=nothing,
        start_new_session=True,
    )
    try:
        begun, limit = time.monotonic(), START
        while process.poll() is None:
            if limit == START and report.exists():
                begun, limit = time.monotonic(), timeout
            if time.monotonic() - begun > limit:
                return None
            time.sleep(0.05)
        return process.returncode
    finally:
        _end(process)


def _end(process: subprocess.Popen) -> None:
    """End a process and, where the system has groups, all that it began."""
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _events(report: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a report; one that was cut off is left out."""
    if not report.exists():
        return
    for line in report.read_text("utf-8", errors="replace").splitlines():
        with suppress(json.JSONDecodeError):
            event = json.loads(line)
            if isinstance(event, dict):
                # a student's code could write here, too
                yield {"name": "", "passed": False, "message": ""} | event


def _word(found: Found | None) -> str:
    if found is None:
        return "-"
    return "yes" if found.passed else "no"


def _plain(text: str) -> str:
    """Return a line without what could steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)
