"""Widgets only where somebody can move them."""

import sys
from types import SimpleNamespace

import IPython.core.getipython
import pytest

from attncourse.viz.page import is_live


@pytest.fixture
def notebook(monkeypatch):
    """Return the variables of a notebook that only runs."""
    shell = SimpleNamespace(kernel=object(), user_ns={})
    monkeypatch.setattr(IPython.core.getipython, "get_ipython", lambda: shell)
    monkeypatch.delenv("ATTNCOURSE_STATIC")
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    return shell


def test_an_executed_notebook_is_not_live(notebook):
    assert not is_live()


def test_front_ends_are_recognised(notebook, monkeypatch):
    notebook.user_ns["__vsc_ipynb_file__"] = "lesson.ipynb"
    assert is_live()
    notebook.user_ns.clear()
    monkeypatch.setenv("JPY_SESSION_NAME", "lesson.ipynb")
    assert is_live()
    monkeypatch.delenv("JPY_SESSION_NAME")
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    assert is_live()


def test_the_environment_decides(notebook, monkeypatch):
    monkeypatch.setenv("ATTNCOURSE_STATIC", "0")
    assert is_live()
    monkeypatch.setenv("JPY_SESSION_NAME", "lesson.ipynb")
    monkeypatch.setenv("ATTNCOURSE_STATIC", "1")
    assert not is_live()


def test_a_script_is_not_live(notebook, monkeypatch):
    monkeypatch.setenv("ATTNCOURSE_STATIC", "0")
    del notebook.kernel
    assert not is_live()
