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
from typing import Any

import nbformat
import psutil
from nbclient import NotebookClient
from nbformat import NotebookNode
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[2]
STORE = ROOT / "_build" / "executed"
VIEW = "application/vnd.jupyter.widget-view+json"
SOURCES = {".py", ".css", ".js"}
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
    package = (ROOT / "attncourse").rglob("*")
    sources = (file for file in package if file.suffix in SOURCES)
    files = [Path(__file__), *sources]
    files += (ROOT / "book" / "results").glob("*.json")
    for file in sorted(files):
        digest.update(os.path.relpath(file, ROOT).encode())
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


def run(lesson: Path, notebook: NotebookNode, progress: tqdm) -> None:
    """Execute in place and store the outputs with what they cost."""
    processor = 0.0

    def after_cell(**_: object) -> None:
        nonlocal processor
        kernel = psutil.Process(client.km.provisioner.pid)
        processor = sum(kernel.cpu_times()[:4])
        progress.update()

    client = NotebookClient(
        notebook,
        timeout=600,
        resources={"metadata": {"path": str(lesson.parent)}},
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        on_cell_executed=after_cell,
    )
    begun = time.perf_counter()
    client.execute(env=os.environ | SETTINGS)
    keep(lesson, notebook, time.perf_counter() - begun, processor)


def keep(
    lesson: Path, executed: NotebookNode, seconds: float, processor: float
) -> None:
    """Store a result; written beside and renamed, so never half there.

    Views of widgets are left out: without a kernel they show nothing.
    """
    cells = [
        {"execution_count": c.execution_count, "outputs": shown(c.outputs)}
        for c in code_cells(executed)
    ]
    found = {"seconds": seconds, "processor": processor, "cells": cells}
    file = record(lesson)
    beside = file.with_suffix(f".{os.getpid()}")
    STORE.mkdir(parents=True, exist_ok=True)
    beside.write_text(json.dumps(found), encoding="utf8")
    beside.replace(file)


def shown(outputs: list[NotebookNode]) -> list[NotebookNode]:
    return [o for o in outputs if VIEW not in o.get("data", {})]


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
        runs = {
            pool.submit(run, lesson, book, progress): lesson
            for lesson, book in zip(missing, books, strict=True)
        }
        for done in as_completed(runs):
            name = runs[done].name
            if error := done.exception():
                raise RuntimeError(f"{name} failed: {error}") from error
            seconds = result(runs[done])["seconds"]
            progress.write(f"{name}: {seconds:.1f} s")
