"""Attention, Measured: visual attention that is derived, run and scored.

The subpackages are loaded when they are first used, so that importing the
package costs no more than importing torch.
"""

from importlib import import_module
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

_SUBPACKAGES = (
    "attention",
    "checkup",
    "bugs",
    "losses",
    "metrics",
    "models",
    "exercises",
    "retrieval",
    "data",
    "viz",
    "trials",
)

__all__ = ["__version__", "watch", *_SUBPACKAGES]


def __getattr__(name: str) -> ModuleType | Any:
    if name == "watch":
        return import_module("attncourse.watching").watch
    if name in _SUBPACKAGES:
        return import_module(f"attncourse.{name}")
    raise AttributeError(f"module 'attncourse' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
