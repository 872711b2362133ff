"""What a lesson can reach: code of the package, claims, records, exercises.

Only that decides whether a lesson has to be executed again.  Docstrings and
comments do not count, in the lesson's own code neither.
"""

import hashlib
import os
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

from attncourse.trials import provenance

VERSIONS = ("ipykernel", "matplotlib", "numpy", "torch", "torchvision")


@cache
def environment() -> str:
    """Versions and device, which can change every output."""
    import torch

    facts = [sys.version, torch.cuda.is_available()]
    return repr([*facts, *map(version, VERSIONS)])


@cache
def digest(code: str, root: Path) -> str:
    """SHA-256 of all that outputs of the code depend on.

    Files are taken to stay as they are as long as the process lives.
    """
    sources, files = reach(code, root)
    found = hashlib.sha256(environment().encode())
    found.update(provenance.digest(code, sources).encode())
    for path in sorted(files):
        found.update(os.path.relpath(path, root).encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def reach(code: str, root: Path) -> tuple[set[Path], set[Path]]:
    """Files of code, and others, that the code of a lesson can reach.

    A name of a claim in the code leads to its file and its record, that of
    an exercise to its topic, and code of the package to the style sheets and
    scripts that it names.
    """
    package = root / "attncourse"
    names = strings(code)
    sources = provenance.reachable(code)
    files: set[Path] = set()
    for name in sorted(names):
        claim = package / "trials/claims" / f"{name.replace('-', '_')}.py"
        topic = package / "exercises/topics" / f"{name.partition('.')[0]}.py"
        for path in (claim, topic):
            if name.isascii() and "/" not in name and path.is_file():
                text = path.read_text("utf8")
                sources |= {path} | provenance.reachable(text)
        files |= {root / "book/results" / f"{name}.json"}
    for path in sources:
        for name in strings(path.read_text("utf8")):
            if name.endswith((".css", ".js", ".json")):
                files.add(path.parent / name)
    return sources, {path for path in files if path.is_file()}


def strings(code: str) -> set[str]:
    """Short texts that stand in code and may name something."""
    return {
        text
        for text in provenance.texts(code)
        if 0 < len(text) < 60 and "\n" not in text
    }
