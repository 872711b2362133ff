"""`pytest --nbmake lessons` shares its executions with the book."""

import os

import course_execution
import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbmake import pytest_items
from nbmake.nb_result import NotebookResult
from nbmake.nb_run import NotebookRun
from tqdm import tqdm

os.environ.setdefault("OMP_NUM_THREADS", "1")


class StoredRun(NotebookRun):
    """Take the stored result of the lesson, or execute and store it."""

    def execute(self) -> NotebookResult:
        notebook = course_execution.stored(self.filename)
        if notebook is not None:
            return NotebookResult(notebook, None)
        notebook = nbformat.read(self.filename, as_version=4)
        try:
            silent = tqdm(disable=True)
            course_execution.run(self.filename, notebook, silent)
        except CellExecutionError:
            return NotebookResult(notebook, self._get_error(notebook))
        return NotebookResult(notebook, None)


def pytest_configure(config: pytest.Config) -> None:
    pytest_items.NotebookRun = StoredRun
