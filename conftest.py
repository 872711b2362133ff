"""`pytest --nbmake lessons` shares its executions with the book."""

import os
import time
from importlib.util import find_spec
from unittest.mock import patch

import course_execution
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_configure(config: pytest.Config) -> None:
    if find_spec("nbmake") is None:
        return
    from nbmake import pytest_items
    from nbmake.nb_result import NotebookResult
    from nbmake.nb_run import NotebookRun

    class StoredRun(NotebookRun):
        """Take the stored result of the lesson, or execute and store it."""

        def execute(self) -> NotebookResult:
            notebook = course_execution.stored(self.filename)
            if notebook is not None:
                return NotebookResult(nb=notebook, error=None)
            begun = time.perf_counter()
            with patch.dict(os.environ, course_execution.SETTINGS):
                result = super().execute()
            if result.error is None:
                seconds = time.perf_counter() - begun
                course_execution.keep(self.filename, result.nb, seconds)
            return result

    pytest_items.NotebookRun = StoredRun
