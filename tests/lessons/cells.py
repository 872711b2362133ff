"""Cells of a lesson, run in a test as they stand in the lesson."""

from typing import Any

import course_execution as execution
import nbformat


def run(stem: str, *words: str) -> dict[str, Any]:
    """Names left by the imports and by the cells that hold these words."""
    path = execution.ROOT / "lessons" / f"{stem}.ipynb"
    cells = list(execution.code_cells(nbformat.read(path, as_version=4)))
    chosen = [cell for cell in cells if any(w in cell.source for w in words)]
    assert len(chosen) >= len(words), f"{stem} has no such cells: {words}"
    names: dict[str, Any] = {}
    for cell in [cells[0], *chosen]:
        exec(compile(cell.source, path.name, "exec"), names)
    return names
