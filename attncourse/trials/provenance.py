"""Where a number comes from: code, versions, hardware."""

import ast
import hashlib
import inspect
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy
import torch
import torchvision

import attncourse

_PACKAGE = Path(attncourse.__file__).parent
# What a run computes with. Figures, records and commands change no number.
_SOURCES = (
    "attention/**/*.py",
    "exhibits/**/*.py",
    "measure/**/*.py",
    "models/**/*.py",
    "scenes/**/*.py",
    "trials/loop.py",
    "trials/maps.py",
)


def code_digest(run: Callable[..., Any]) -> str:
    """SHA-256 of the package's sources that matter and of the run's own.

    Comments, docstrings and layout do not count, so that explaining the
    code better costs no new trial.
    """
    while isinstance(run, partial):
        run = run.func
    digest = hashlib.sha256()
    paths = {path for part in _SOURCES for path in _PACKAGE.glob(part)}
    for path in sorted(paths):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode())
        digest.update(_meaning(path.read_text("utf-8")).encode())
    file = Path(inspect.getsourcefile(run) or "")
    source = file.read_text("utf-8") if file.is_file() else ""
    digest.update(_meaning(source or inspect.getsource(run)).encode())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Versions of everything the numbers rest on."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
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


def _meaning(source: str) -> str:
    tree = ast.parse(dedent(source))
    kinds = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
    for node in ast.walk(tree):
        if isinstance(node, kinds) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
