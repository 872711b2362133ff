"""Attention, Measured: visual attention that is derived, run and scored.

The subpackages are loaded when they are first used, so that importing the
package costs no more than importing torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # so that type checkers see what __getattr__ gives
    from attncourse import (
        attention,
        bench,
        bugs,
        checkup,
        data,
        exercises,
        losses,
        metrics,
        models,
        retrieval,
        trials,
        viz,
    )
    from attncourse.attention import load_timm_state
    from attncourse.copying import standalone
    from attncourse.inserting import insert
    from attncourse.watching import watch

__version__ = "0.1.0"

_FUNCTIONS = {
    "insert": "attncourse.inserting",
    "load_timm_state": "attncourse.attention",
    "standalone": "attncourse.copying",
    "watch": "attncourse.watching",
}

__all__ = [
    "__version__",
    "attention",
    "bench",
    "bugs",
    "checkup",
    "data",
    "exercises",
    "insert",
    "load_timm_state",
    "losses",
    "metrics",
    "models",
    "retrieval",
    "standalone",
    "trials",
    "viz",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        return getattr(import_module(_FUNCTIONS[name]), name)
    if name in __all__:
        return import_module(f"attncourse.{name}")
    raise AttributeError(f"module 'attncourse' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
