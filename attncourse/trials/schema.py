"""A small check of JSON against a written shape."""

from math import isfinite
from typing import Any


class Each:
    """An object whose keys are free and whose values share one shape."""

    def __init__(self, shape: Any) -> None:
        self.shape = shape


def check(value: Any, shape: Any, where: str = "record") -> None:
    """Compare a value read from JSON with a shape.

    A shape is a type (`int` also stands for numbers without a fraction where
    `float` is asked for), `[shape]` for a list, a dictionary for an object
    with exactly these keys, or :class:`Each`.

    Raises
    ------
    ValueError
        At the first difference; says where, what came and what is needed.
    """
    if isinstance(shape, list):
        _need(isinstance(value, list), where, "a list", value)
        for index, item in enumerate(value):
            check(item, shape[0], f"{where}[{index}]")
    elif isinstance(shape, Each):
        _need(isinstance(value, dict), where, "an object", value)
        for key, item in value.items():
            check(item, shape.shape, f"{where}.{key}")
    elif isinstance(shape, dict):
        _need(isinstance(value, dict), where, "an object", value)
        for key in shape:
            if key not in value:
                raise ValueError(f"{where}.{key} is missing")
        for key in value:
            if key not in shape:
                raise ValueError(f"{where}.{key} is not part of a record")
        for key, part in shape.items():
            check(value[key], part, f"{where}.{key}")
    elif shape is float:
        number = type(value) in (int, float) and isfinite(value)
        _need(number, where, "a finite number", value)
    else:
        _need(type(value) is shape, where, f"a {shape.__name__}", value)


def _need(good: bool, where: str, needed: str, value: Any) -> None:
    if not good:
        raise ValueError(f"{where} must be {needed}, got {str(value)[:40]!r}")
