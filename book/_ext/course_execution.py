"""Execute each lesson once, for the tests and for the book.

A result is stored in _build/executed under a key made of everything that can
change it: the lesson's code, the package, the recorded trials, the versions
and the device.  Prose is no part of the key, so editing it executes nothing.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cache
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[2]
STORE = ROOT / "_build" / "executed"
SETTINGS = {"OMP_NUM_THREADS": "1", "ATTNCOURSE_STATIC": "1"}


def lessons() -> list[Path]:
    return sorted((ROOT / "lessons").glob("*.ipynb"))


@cache
def surroundings() -> str:
    """Digest of everything outside a lesson that can change its outputs."""
    import torch

    names = ("torch", "torchvision", "numpy", "matplotlib")
    facts = [sys.version, torch.cuda.is_available(), *map(version, names)]
    digest = hashlib.sha256(repr(facts).encode())
    files = [*(ROOT / "attncourse").rglob("*.py")]
    files += (ROOT / "book" / "results").glob("*.json")
    for file in sorted(files):
        digest.update(str(file.relative_to(ROOT)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def code_cells(notebook: NotebookNode) -> Iterator[NotebookNode]:
    return (cell for cell in notebook.cells if cell.cell_type == "code")


def key(lesson: Path) -> str:
    cells = code_cells(nbformat.read(lesson, as_version=4))
    code = [(cell.source, cell.metadata.get("tags", [])) for cell in cells]
    text = json.dumps([lesson.name, code, surroundings()])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def record(lesson: Path) -> Path:
    return STORE / f"{key(lesson)}.json"


def keep(lesson: Path, executed: NotebookNode, seconds: float) -> None:
    """Store the outputs; written beside and renamed, so never half there."""
    fields = ("outputs", "execution_count")
    cells = [{f: cell[f] for f in fields} for cell in code_cells(executed)]
    file = record(lesson)
    beside = file.with_suffix(f".{os.getpid()}")
    STORE.mkdir(parents=True, exist_ok=True)
    beside.write_text(json.dumps({"seconds": seconds, "cells": cells}))
    beside.replace(file)


def seconds(lesson: Path) -> float | None:
    file = record(lesson)
    return json.loads(file.read_text())["seconds"] if file.exists() else None


def stored(lesson: Path) -> NotebookNode | None:
    """The lesson as it stands, with the outputs of its last execution."""
    file = record(lesson)
    if not file.exists():
        return None
    notebook = nbformat.read(lesson, as_version=4)
    results = json.loads(file.read_text())["cells"]
    for cell, result in zip(code_cells(notebook), results, strict=True):
        cell.update(nbformat.from_dict(result))
    return notebook


def execute(lesson: Path, progress: tqdm) -> None:
    notebook = nbformat.read(lesson, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=600,
        resources={"metadata": {"path": str(lesson.parent)}},
        on_cell_executed=lambda **_: progress.update(),
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    begun = time.perf_counter()
    try:
        client.execute(env=os.environ | SETTINGS)
    except Exception as error:
        raise RuntimeError(f"{lesson.name} failed: {error}") from error
    keep(lesson, notebook, time.perf_counter() - begun)


def execute_missing(wanted: Iterable[Path], workers: int = 2) -> None:
    """Execute, two at a time, the lessons that have no stored result."""
    missing = [lesson for lesson in wanted if not record(lesson).exists()]
    if not missing:
        return
    books = [nbformat.read(lesson, as_version=4) for lesson in missing]
    total = sum(1 for book in books for _ in code_cells(book))
    with (
        tqdm(total=total, desc="executing lessons", unit="cell") as progress,
        ThreadPoolExecutor(workers) as pool,
    ):
        runs = {pool.submit(execute, x, progress): x for x in missing}
        for run in as_completed(runs):
            run.result()
            lesson = runs[run]
            progress.write(f"{lesson.stem}: {seconds(lesson):.1f} s")
