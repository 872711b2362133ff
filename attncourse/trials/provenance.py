"""Where a number comes from: code, versions, hardware."""

import ast
import hashlib
import inspect
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy
import torch

import attncourse

_PACKAGE = Path(attncourse.__file__).parent
_FOUNDATION = (
    "attention",
    "bugs",
    "metrics",
    "models",
    "data",
    "watching.py",
)


def code_digest(run: Callable[..., Any]) -> str:
    """SHA-256 of the source that a run computes with.

    That is the file of the run and what it imports from the course, name by
    name, and what that imports: a new mechanism leaves old records as they
    are. Comments, docstrings and layout do not count either, nor does the
    machinery of trials. A run without a file, in a notebook, counts with
    everything that makes numbers.
    """
    while isinstance(run, partial):
        run = run.func
    file = Path(inspect.getsourcefile(run) or "")
    if file.is_file():
        source = file.read_text("utf-8")
        paths = reachable(source, counts=_counts)
    else:
        source = inspect.getsource(run)
        paths = {path for path in _PACKAGE.rglob("*.py") if _counts(path)}
    return digest(source, paths)


def digest(source: str, paths: Iterable[Path]) -> str:
    """SHA-256 of what a source and files of the package compute."""
    found = hashlib.sha256(meaning(source).encode())
    for path in sorted(paths):
        found.update(path.relative_to(_PACKAGE).as_posix().encode())
        found.update(meaning(path.read_text("utf-8")).encode())
    return found.hexdigest()


def reachable(
    source: str, *, counts: Callable[[Path], bool] = lambda path: True
) -> set[Path]:
    """Files of the package that a source can import, directly or not.

    Names are followed to the file that defines them, also through
    ``from attncourse import viz`` and ``viz.figure``. `counts` says which
    files are of interest; the others are not followed.
    """
    found: set[Path] = set()
    waiting = [*_imports(source)]
    while waiting:
        path = waiting.pop()
        if path in found or not path.is_file():
            continue
        if counts(path):
            found.add(path)
        if counts(path) or path == _PACKAGE / "__init__.py":
            waiting += _imports(path.read_text("utf-8"))
    return found


def _counts(path: Path) -> bool:
    """Whether numbers depend on a file; figures and records change none."""
    first = path.relative_to(_PACKAGE).parts[0]
    if first == "trials":
        return (
            path.name in ("budget.py", "loop.py", "maps.py", "scores.py")
            or path.parent.name == "setups"
        )
    return first in _FOUNDATION


@dataclass(frozen=True)
class _Summary:
    """What a source takes from the course: names, their use, and texts."""

    names: tuple[tuple[str, str, str], ...]
    """Module, name in it, and name here; no name for `import module`."""
    used: Mapping[str, frozenset[str]]
    """Attributes taken of each name; `__init__` where it stands alone."""
    texts: frozenset[str]


@cache
def _summary(source: str) -> _Summary:
    names, texts = [], set()
    used: dict[str, set[str]] = {}
    attributes: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and _ours(node.module):
            names += [
                (str(node.module), alias.name, alias.asname or alias.name)
                for alias in node.names
            ]
        elif isinstance(node, ast.Import):
            names += [
                (alias.name, "", alias.asname or _PACKAGE.name)
                for alias in node.names
                if _ours(alias.name)
            ]
        elif isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name):
                attributes.add(id(node.value))
                used.setdefault(node.value.id, set()).add(node.attr)
        elif isinstance(node, ast.Name) and id(node) not in attributes:
            used.setdefault(node.id, set()).add("__init__")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.add(node.value)
    frozen = {name: frozenset(taken) for name, taken in used.items()}
    return _Summary(tuple(names), frozen, frozenset(texts))


def texts(source: str) -> frozenset[str]:
    """Every string that stands in a source."""
    return _summary(source).texts


def _imports(source: str) -> Iterator[Path]:
    found = _summary(source)
    for module, name, here in found.names:
        path = _defines(module, name) if name else _PACKAGE / "__init__.py"
        whole = not name or (
            path.name == "__init__.py" and path.parent.name == name
        )
        if not whole:
            yield path
            continue
        package = f"{module}.{name}" if name else _PACKAGE.name
        for taken in found.used.get(here, ()):
            yield _defines(package, taken)
    for text in found.texts:
        yield from _named(text)


def _named(text: str) -> Iterator[Path]:
    """The module that a text such as ``attncourse.watching`` names."""
    if _ours(text) and "." in text and text.replace(".", "").isidentifier():
        path = _PACKAGE.joinpath(*text.split(".")[1:]).with_suffix(".py")
        if path.is_file():
            yield path


def _ours(module: str | None) -> bool:
    return module is not None and module.split(".")[0] == _PACKAGE.name


def _defines(module: str, name: str) -> Path:
    """The file that defines what `from module import name` gives."""
    place = _PACKAGE.joinpath(*module.split(".")[1:])
    if not place.is_dir():
        return place.with_suffix(".py")
    if (place / f"{name}.py").is_file():
        return place / f"{name}.py"
    if (place / name).is_dir():
        return place / name / "__init__.py"
    package = place / "__init__.py"
    for source, original, here in _summary(package.read_text("utf-8")).names:
        if name == here and original:
            return _defines(source, original)
    return package


def versions() -> dict[str, str]:
    """Versions of everything the numbers rest on."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": version("torchvision"),
        "numpy": numpy.__version__,
        "attncourse": attncourse.__version__,
    }


def hardware() -> dict[str, str]:
    """Class of the machine: processor, and the GPU if torch sees one."""
    cuda = torch.cuda.is_available()
    return {
        "cpu": _processor(),
        "gpu": torch.cuda.get_device_name() if cuda else "none",
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "unknown"


@cache
def meaning(source: str) -> str:
    """Code without its docstrings, comments and layout."""
    tree = ast.parse(dedent(source))
    kinds = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
    for node in ast.walk(tree):
        if isinstance(node, kinds) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
