"""The package's own code, as the lessons show it."""

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

from attncourse.viz.page import asset

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Source:
    """Lines of a file of the package, with their numbers."""

    path: str
    name: str
    lines: tuple[tuple[int, str], ...]

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}

    @property
    def title(self) -> str:
        """File and line numbers."""
        first, last = self.lines[0][0], self.lines[-1][0]
        return f"{self.path}, lines {first} to {last}"

    @property
    def text(self) -> str:
        """The code as plain text below its title."""
        return "\n".join([f"# {self.title}", *(c for _, c in self.lines)])

    @property
    def html(self) -> str:
        """The code, highlighted."""
        numbers = len(str(self.lines[-1][0]))
        rows = "\n".join(
            f'<span class="linenos">{number:>{numbers}}</span>{code}'
            for (number, _), code in zip(
                self.lines, _highlight(self.lines), strict=True
            )
        )
        return (
            f"<style>{asset('source.css')}</style>"
            '<div class="attncourse-source">'
            f"<p>{escape(self.title)}</p>"
            '<div class="highlight-python notranslate">'
            f'<div class="highlight"><pre tabindex="0">{rows}\n'
            "</pre></div></div></div>"
        )


def source(
    obj: Callable[..., Any] | type | ModuleType, *, docstring: bool = True
) -> Source:
    """Show the code of a function, class or module of the package.

    Parameters
    ----------
    obj
        What to show; not an instance.
    docstring
        Whether to show docstrings.  Line numbers are those of the file
        either way.

    Raises
    ------
    ValueError
        If `obj` is not defined in this package.
    """
    module = obj if isinstance(obj, ModuleType) else inspect.getmodule(obj)
    home = getattr(module, "__name__", "").partition(".")[0]
    code = isinstance(obj, type | ModuleType) or inspect.isroutine(obj)
    if not code or home != __name__.partition(".")[0]:
        name = getattr(obj, "__name__", f"an instance of {type(obj).__name__}")
        raise ValueError(
            f"obj is {name}; a function, class or module of attncourse "
            "is needed"
        )
    plain = inspect.unwrap(obj) if callable(obj) else obj
    lines, first = inspect.getsourcelines(plain)
    numbered = list(enumerate(lines, start=max(first, 1)))
    hidden = set() if docstring else _docstring_lines(lines)
    kept = tuple(
        (number, line.rstrip("\n"))
        for index, (number, line) in enumerate(numbered)
        if index not in hidden
    )
    file = Path(inspect.getfile(plain)).resolve().relative_to(_ROOT)
    return Source(file.as_posix(), getattr(obj, "__name__", ""), kept)


@dataclass(frozen=True)
class Versions:
    """Two versions of a function, which notebooks show one below the other."""

    first: Source
    second: Source

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        both = (self.first, self.second)
        return {
            "text/html": "".join(each.html for each in both),
            "text/plain": "\n\n".join(each.text for each in both),
        }


def versions(
    first: Callable[..., Any], second: Callable[..., Any]
) -> Versions:
    """Show two functions of the package as version A and version B.

    Lines are counted anew: those of the file would tell which came first.

    Raises
    ------
    ValueError
        If one of them is not defined in this package.
    """
    return Versions(
        _renumbered(first, "version A"), _renumbered(second, "version B")
    )


def _renumbered(code: Callable[..., Any], title: str) -> Source:
    shown = source(code, docstring=False)
    text = dedent("\n".join(line for _, line in shown.lines))
    lines = tuple(enumerate(text.splitlines(), start=1))
    return Source(title, shown.name, lines)


def _docstring_lines(lines: list[str]) -> set[int]:
    """Return the indices of the lines that docstrings take up."""
    tree = ast.parse(dedent("".join(lines)))
    hidden: set[int] = set()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)
    for node in ast.walk(tree):
        if isinstance(node, kinds) and ast.get_docstring(node) is not None:
            text = node.body[0]
            end = text.end_lineno or text.lineno
            hidden |= set(range(text.lineno - 1, end))
            if len(node.body) > 1 and not lines[end].strip():
                hidden.add(end)
    return hidden


def _highlight(lines: tuple[tuple[int, str], ...]) -> list[str]:
    """Return each line as HTML, plain where Pygments is missing."""
    text = "\n".join(code for _, code in lines)
    try:
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer
    except ImportError:
        return escape(text, quote=False).split("\n")
    html: str = highlight(
        text,
        PythonLexer(stripnl=False, ensurenl=False),
        HtmlFormatter(nowrap=True),
    )
    return html.removesuffix("\n").split("\n")
