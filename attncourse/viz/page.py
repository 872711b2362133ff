"""The files that style an output and move it, and where it will be seen."""

import os
import sys
from importlib.resources import files
from importlib.util import find_spec


def is_live() -> bool:
    """Return whether widgets will work where the output is shown.

    They do in a notebook opened in Jupyter, VS Code or Colab.  They do not
    when a notebook is only executed, as the book and the tests do.  The
    environment variable ``ATTNCOURSE_STATIC`` decides when it is set: 1 for
    pages, 0 for widgets.
    """
    if "IPython" not in sys.modules or find_spec("ipywidgets") is None:
        return False
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return False
    wish = os.environ.get("ATTNCOURSE_STATIC", "")
    if wish:
        return wish == "0"
    return (
        "JPY_SESSION_NAME" in os.environ
        or "__vsc_ipynb_file__" in shell.user_ns
        or "google.colab" in sys.modules
    )


def asset(name: str) -> str:
    """Return a style sheet or script of this package, to be inlined."""
    return (files(__package__) / name).read_text(encoding="utf-8")
