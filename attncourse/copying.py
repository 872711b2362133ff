"""Print mechanisms as one file that needs torch alone."""

import ast
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from inspect import getsource

from attncourse import __version__, attention

PACKAGE = "attncourse."
LICENCE = """\
MIT License

Copyright (c) 2026 The "Attention, Measured" contributors

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


def standalone(*names: str) -> str:
    """Source of mechanisms and of all that they need, torch apart.

    The shapes in the hints become plain ``Tensor``; everything else is the
    package's own text.

    Parameters
    ----------
    names
        From ``attncourse.attention``, for example ``"CBAM"``.

    Raises
    ------
    ValueError
        If no name is given, or one is not there.

    Examples
    --------
    >>> Path("cbam.py").write_text(standalone("CBAM"), "utf-8")
    """
    if not names:
        raise ValueError("names must hold at least one mechanism, got none")
    for name in names:
        if name not in attention.__all__:
            raise ValueError(
                f"names must be among {', '.join(attention.__all__)}, got "
                f"{name!r}"
            )
    copied = _Copy()
    for name in names:
        copied.take(getattr(attention, name).__module__, name)
    return copied.text(names)


@dataclass(frozen=True)
class _Module:
    """A file of the package, without the shapes in its hints."""

    text: str
    definitions: dict[str, ast.stmt]
    imports: dict[str, tuple[str, str]]  # name here: module, name there


@dataclass
class _Copy:
    """Definitions in an order in which each finds what it needs."""

    found: dict[tuple[str, str], str] = field(default_factory=dict)
    outside: set[tuple[str, str, str]] = field(default_factory=set)

    def take(self, module: str, name: str) -> None:
        """Add a definition behind those that it uses."""
        if (module, name) in self.found:
            return
        source = _read(module)
        node = source.definitions[name]
        self.found[module, name] = ""  # it may need itself
        for used in _names(node):
            if used in source.definitions:
                self.take(module, used)
            elif used in source.imports:
                origin, original = source.imports[used]
                if origin.startswith(PACKAGE):
                    self.take(origin, original)
                else:
                    self.outside.add((origin, original, used))
        del self.found[module, name]
        self.found[module, name] = _segment(source.text, node)

    def text(self, names: Sequence[str]) -> str:
        """The file."""
        files = sorted({module for module, _ in self.found})
        title = f'"""{", ".join(names)} of the course "Attention, Measured".'
        head = [
            title,
            "",
            f"One file that needs torch alone, made of attncourse "
            f"{__version__}:",
            *(f"{name.replace('.', '/')}.py" for name in files),
            "",
            LICENCE + '"""',
            "",
            *_statements(self.outside),
        ]
        return "\n".join(head) + "\n\n\n" + "\n\n\n".join(self.found.values())


@cache
def _read(module: str) -> _Module:
    text = _without_shapes(getsource(import_module(module)))
    definitions: dict[str, ast.stmt] = {}
    imports: dict[str, tuple[str, str]] = {}
    for node in ast.parse(text).body:
        match node:
            case ast.Import():
                for alias in node.names:
                    used = alias.asname or alias.name
                    imports[used] = (alias.name, "")
            case ast.ImportFrom(module=str(origin)):
                for alias in node.names:
                    used = alias.asname or alias.name
                    imports[used] = (origin, alias.name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                definitions[name] = node
            case (
                ast.Assign(targets=[ast.Name(id=name)])
                | ast.AnnAssign(target=ast.Name(id=name))
            ):
                definitions[name] = node
            case _:
                pass
    return _Module(text, definitions, imports)


def _without_shapes(text: str) -> str:
    """Write ``Tensor`` for ``Float[Tensor, "batch dim"]`` and the like."""
    tree = ast.parse(text)
    kinds = {
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "jaxtyping"
        for alias in node.names
    }
    lines = [line.encode() for line in text.splitlines(keepends=True)]
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    raw = b"".join(lines)
    spans = [
        (
            starts[node.lineno - 1] + node.col_offset,
            starts[node.end_lineno - 1] + node.end_col_offset,
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id in kinds
        and node.end_lineno is not None
        and node.end_col_offset is not None
    ]
    for start, end in sorted(spans, reverse=True):
        raw = raw[:start] + b"Tensor" + raw[end:]
    return raw.decode()


def _names(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id


def _segment(text: str, node: ast.stmt) -> str:
    decorators = getattr(node, "decorator_list", [])
    first = min(part.lineno for part in [node, *decorators])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])


def _statements(outside: set[tuple[str, str, str]]) -> list[str]:
    """Imports: of the standard library, an empty line, of torch."""
    groups: list[list[str]] = [[], []]
    whole = {(module, used) for module, name, used in outside if not name}
    for module, used in sorted(whole):
        suffix = "" if used == module else f" as {used}"
        groups[module.startswith("torch")].append(f"import {module}{suffix}")
    parts: dict[str, list[str]] = {}
    for module, name, used in sorted(outside):
        if name:
            text = name if name == used else f"{name} as {used}"
            parts.setdefault(module, []).append(text)
    for module, names in parts.items():
        line = f"from {module} import {', '.join(names)}"
        groups[module.startswith("torch")].append(line)
    standard, torch = groups
    return [*standard, *([""] if standard else []), *torch]


def main(argv: Sequence[str]) -> int:
    """Print the source of the mechanisms that are named."""
    parser = ArgumentParser(
        prog="python -m attncourse standalone",
        description="Print mechanisms as one file that needs torch alone.",
        epilog="names: " + ", ".join(attention.__all__),
    )
    parser.add_argument("name", nargs="+", help="for example CBAM")
    print(standalone(*parser.parse_args(argv).name))
    return 0
