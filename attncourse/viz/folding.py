"""Outputs that stay closed until the reader opens them.

JupyterLab shows the output of a cell that was collapsed as soon as the cell
runs, so what answers a question has to be closed by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import Any


@dataclass(frozen=True)
class Folded:
    """Text below a title that opens it."""

    title: str
    text: str

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        html = fold(self.title, f"<pre>{escape(self.text)}</pre>")
        return {"text/html": html, "text/plain": self.text}


def fold(title: str, html: str) -> str:
    """Return HTML that is shown when its title is opened."""
    return (
        f'<details class="folded"><summary style="cursor:pointer;'
        f'display:list-item">{escape(title)}</summary>'
        f"{html}</details>"
    )


@contextmanager
def folded(title: str) -> Iterator[None]:
    """Show what is printed in the block below a title that opens it.

    Parameters
    ----------
    title
        What stands there before it is opened.
    """
    printed = StringIO()
    with redirect_stdout(printed):
        yield
    from IPython.display import display

    display(Folded(title, printed.getvalue().rstrip("\n")))
