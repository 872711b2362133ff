"""Execute each lesson once, for the tests, the book and the notebooks.

The cells of code run in a kernel as they do in Jupyter, and after each cell
of text its `{eval}` expressions are evaluated in the same kernel.  Outputs
and values are stored in _build/executed under a key made of what can change
them: the lesson's code and expressions, the code and the records that they
reach, the versions and the device.  Other prose is no part of the key, so
editing it executes nothing.

JupyterLab evaluates the expressions when all cells have run.  So each of them
is evaluated once more at the end, and has to give the same.
"""

import ast
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from typing import Any

import course_markdown as markdown
import course_reach
import nbformat
import psutil
from jupyter_client.utils import ensure_async
from nbclient import NotebookClient
from nbformat import NotebookNode
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[2]
STORE = ROOT / "_build" / "executed"
VIEW = "application/vnd.jupyter.widget-view+json"
SETTINGS = {"OMP_NUM_THREADS": "1", "ATTNCOURSE_STATIC": "1"}
SECONDS = 600


class ExpressionError(ValueError):
    """An `{eval}` that cannot be shown: where it stands and why."""


class Client(NotebookClient):
    """Runs cells of code, and evaluates the expressions of cells of text."""

    async def async_execute_cell(
        self, cell: NotebookNode, cell_index: int, *args: Any, **kwargs: Any
    ) -> NotebookNode:
        cell = await super().async_execute_cell(
            cell, cell_index, *args, **kwargs
        )
        if cell.cell_type == "markdown":
            cell.metadata.user_expressions = await self.evaluate(cell)
        if cell_index == len(self.nb.cells) - 1:
            for each in text_cells(self.nb):
                each.metadata.at_the_end = await self.evaluate(each)
        return cell

    async def evaluate(self, cell: NotebookNode) -> list[dict[str, Any]]:
        """Expressions of a cell in the form in which JupyterLab has them."""
        asked = markdown.expressions(cell.source)
        if not asked:
            return []
        sent = self.kc.execute(
            "",
            silent=True,
            store_history=False,
            user_expressions={str(i): each for i, each in enumerate(asked)},
        )
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            reply = await ensure_async(self.kc.get_shell_msg(timeout=SECONDS))
            if reply["parent_header"].get("msg_id") == sent:
                values = reply["content"]["user_expressions"]
                return [
                    {"expression": each, "result": values[str(i)]}
                    for i, each in enumerate(asked)
                ]
        raise TimeoutError


def lessons() -> list[Path]:
    return sorted((ROOT / "lessons").glob("*.ipynb"))


def code_cells(notebook: NotebookNode) -> Iterator[NotebookNode]:
    return (cell for cell in notebook.cells if cell.cell_type == "code")


def text_cells(notebook: NotebookNode) -> Iterator[NotebookNode]:
    return (cell for cell in notebook.cells if cell.cell_type == "markdown")


def key(lesson: Path) -> str:
    """Name of the stored result; it changes when the outputs may change."""
    notebook = nbformat.read(lesson, as_version=4)
    cells: list[tuple[str, Any]] = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cells.append((cell.source, cell.metadata.get("tags", [])))
        elif asked := markdown.expressions(cell.source):
            cells.append(("", asked))
    code = [source for source, _ in cells]
    code += [each for source, asked in cells if not source for each in asked]
    runnable = "\n".join(map(without_magics, code))
    surroundings = course_reach.digest(runnable, ROOT)
    text = json.dumps([lesson.name, cells, surroundings])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@cache
def without_magics(code: str) -> str:
    """Code as Python can parse it."""
    lines = code.splitlines()
    kept = "\n".join(line for line in lines if line.lstrip()[:1] not in "%!")
    try:
        ast.parse(kept)
    except SyntaxError:
        return ""
    return kept


def record(lesson: Path) -> Path:
    return STORE / f"{key(lesson)}.json"


def run(
    lesson: Path, file: Path, notebook: NotebookNode, progress: tqdm
) -> float:
    """Execute in place, store outputs and values in a file; the seconds."""
    processor = 0.0

    def after_cell(**_: object) -> None:
        nonlocal processor
        kernel = psutil.Process(client.km.provisioner.pid)
        processor = sum(kernel.cpu_times()[:4])
        progress.update()

    client = Client(
        notebook,
        timeout=SECONDS,
        resources={"metadata": {"path": str(lesson.parent)}},
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        on_cell_executed=after_cell,
    )
    begun = time.perf_counter()
    client.execute(env=os.environ | SETTINGS)
    check_values(lesson, notebook)
    seconds = time.perf_counter() - begun
    keep(file, notebook, seconds, processor)
    return seconds


def check_values(lesson: Path, notebook: NotebookNode) -> None:
    """Refuse a lesson in which an expression raised, or changed later."""
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "markdown":
            continue
        for here, last in zip(
            cell.metadata.user_expressions,
            cell.metadata.at_the_end,
            strict=True,
        ):
            where = (
                f"{lesson.name}, cell {number}, {{eval}}`{here['expression']}`"
            )
            for result in (here["result"], last["result"]):
                if result["status"] != "ok":
                    raise ExpressionError(
                        f"{where}: {result['ename']}: {result['evalue']}"
                    )
            values = shown_as(here["result"]), shown_as(last["result"])
            if values[0] != values[1]:
                raise ExpressionError(
                    f"{where} is {values[0]} where it stands and {values[1]} "
                    f"at the end, which is what JupyterLab shows: a later "
                    f"cell changes it; let each name have one value"
                )


def keep(
    file: Path, executed: NotebookNode, seconds: float, processor: float
) -> None:
    """Store a result; written beside and renamed, so never half there.

    Views of widgets are left out: without a kernel they show nothing.
    """
    cells = [
        {"execution_count": c.execution_count, "outputs": shown(c.outputs)}
        for c in code_cells(executed)
    ]
    values = [
        [
            [each["expression"], shown_as(each["result"])]
            for each in cell.metadata.get("user_expressions", [])
        ]
        for cell in text_cells(executed)
    ]
    found = {
        "seconds": seconds,
        "processor": processor,
        "cells": cells,
        "values": [pair for pairs in values for pair in pairs],
    }
    beside = file.with_suffix(f".{os.getpid()}")
    file.parent.mkdir(parents=True, exist_ok=True)
    beside.write_text(json.dumps(found), encoding="utf8")
    beside.replace(file)


def shown(outputs: list[NotebookNode]) -> list[NotebookNode]:
    return [o for o in outputs if VIEW not in o.get("data", {})]


def shown_as(result: dict[str, Any]) -> str:
    """The value as text: a string without its quotes."""
    plain: str = result["data"]["text/plain"]
    try:
        value = ast.literal_eval(plain)
    except (SyntaxError, ValueError):
        return plain
    return value if isinstance(value, str) else plain


def result(lesson: Path) -> dict[str, Any] | None:
    file = record(lesson)
    return json.loads(file.read_text("utf8")) if file.exists() else None


def stored(lesson: Path) -> NotebookNode | None:
    """The lesson as it stands, with the outputs of its last execution."""
    found = result(lesson)
    if found is None:
        return None
    notebook = nbformat.read(lesson, as_version=4)
    for cell, done in zip(code_cells(notebook), found["cells"], strict=True):
        cell.update(nbformat.from_dict(done))
    return notebook


def values(lesson: Path) -> list[tuple[str, str]]:
    """Expressions of the text and what they gave, in order."""
    found = result(lesson)
    return [(a, b) for a, b in found["values"]] if found else []


def last_seconds(lesson: Path) -> float:
    """How long the lesson took the last time, whatever has changed since."""
    file = STORE / "seconds.json"
    known = json.loads(file.read_text("utf8")) if file.exists() else {}
    return float(known.get(lesson.name, SECONDS))


def note_seconds(spent: dict[str, float]) -> None:
    file = STORE / "seconds.json"
    known = json.loads(file.read_text("utf8")) if file.exists() else {}
    file.write_text(json.dumps(known | spent), encoding="utf8")


def execute_missing(
    wanted: Iterable[Path], workers: int | None = None
) -> None:
    """Execute, on all cores, the lessons that have no stored result.

    The longest goes first, so that no core waits for it at the end.
    """
    missing = [lesson for lesson in wanted if not record(lesson).exists()]
    if not missing:
        return
    missing.sort(key=lambda each: (-last_seconds(each), each.name))
    files = [record(lesson) for lesson in missing]
    books = [nbformat.read(lesson, as_version=4) for lesson in missing]
    total = sum(1 for book in books for _ in code_cells(book))
    spent: dict[str, float] = {}
    with (
        tqdm(total=total, desc="executing lessons", unit="cell") as progress,
        ThreadPoolExecutor(workers or os.cpu_count()) as pool,
    ):
        runs = {
            pool.submit(run, lesson, file, book, progress): lesson
            for lesson, file, book in zip(missing, files, books, strict=True)
        }
        for done in as_completed(runs):
            name = runs[done].name
            if error := done.exception():
                pool.shutdown(cancel_futures=True)
                raise RuntimeError(f"{name} failed: {error}") from error
            spent[name] = done.result()
            progress.write(f"{name}: {spent[name]:.1f} s")
    note_seconds(spent)


def main(arguments: Sequence[str]) -> int:
    """Execute the lessons that are named, or all, and print their values."""
    wanted = [Path(each).resolve() for each in arguments] or lessons()
    try:
        execute_missing(wanted)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    for lesson in wanted if arguments else ():
        print_result(lesson)
    return 0


def print_result(lesson: Path) -> None:
    found = result(lesson)
    if found is None:
        print(f"{lesson.name}: what it can reach has changed meanwhile")
        return
    print(
        f"{lesson.name}: {found['seconds']:.1f} s, "
        f"{found['processor']:.1f} s of processor time"
    )
    for expression, value in found["values"]:
        print(f"  {{eval}}`{expression}` = {value}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
