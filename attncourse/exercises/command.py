"""The command `python -m attncourse grade`."""

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from attncourse.exercises.exercise import find
from attncourse.exercises.grading import grade, handed_in


def main(arguments: Sequence[str]) -> int:
    """Grade a folder and print the table; return the exit status.

    0 if every student passed every exercise that counts, 1 if not, 2 for a
    mistake in the arguments.
    """
    parser = ArgumentParser(
        prog="python -m attncourse grade",
        description="Run the notebooks that students handed in and print "
        "what check() finds, one line a student.",
        epilog="The code runs as it is, with your rights: grade in a "
        "container or on a machine that holds nothing else.",
    )
    parser.add_argument(
        "folder",
        type=Path,
        help="holds a notebook, a script or a folder for each student",
    )
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write the grades and all messages there, too",
    )
    parser.add_argument(
        "--exercises",
        default="",
        metavar="NAMES",
        help="those that count, with commas between (default: all that "
        "anyone's file checks)",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=120.0,
        metavar="S",
        help="seconds for each file (default: 120)",
    )
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is no folder")
    if not handed_in(options.folder):
        parser.error(f"{options.folder} is empty")
    if not options.timeout > 0:
        parser.error(f"--timeout must be above 0, got {options.timeout:g}")
    if any(options.folder.rglob("*.ipynb")) and not find_spec("IPython"):
        parser.error("notebooks need IPython: pip install ipykernel")
    names = [name.strip() for name in options.exercises.split(",")]
    names = list(dict.fromkeys(filter(None, names)))
    for name in names:
        try:
            find(name)
        except LookupError as error:
            parser.error(str(error))
    grades = grade(options.folder, names, options.timeout)
    print(grades.table())
    if options.json:
        text = json.dumps(grades.as_json(), indent=2, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0 if grades.all_complete else 1
