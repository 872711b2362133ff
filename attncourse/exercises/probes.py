"""What the judges of many exercises ask of an answer."""

from numbers import Real
from typing import Any

import torch
from torch import Tensor

from attncourse.exercises.exercise import Mistake

TOLERANCE = 1e-4


def expect_tensor(value: Any, name: str, shape: tuple[int, ...]) -> Tensor:
    """Return `value`, or say that it is no tensor of this shape."""
    if isinstance(value, tuple | list):
        raise Mistake(
            f"{name} should be one tensor, but is a {type(value).__name__} "
            f"of {len(value)}; return the tensor alone."
        )
    if not isinstance(value, Tensor):
        raise Mistake(
            f"{name} should be a tensor, but is of type "
            f"{type(value).__name__}."
        )
    if tuple(value.shape) != shape:
        raise Mistake(
            f"{name} should have the shape {shape}, but has "
            f"{tuple(value.shape)}."
        )
    if value.is_complex():
        raise Mistake(f"{name} should be real numbers, but is complex.")
    if not torch.isfinite(value).all():
        raise Mistake(f"{name} should be finite, but holds inf or nan.")
    return value


def close(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are equal up to rounding."""
    return a.shape == b.shape and torch.allclose(
        a.double(), b.double(), rtol=TOLERANCE, atol=TOLERANCE
    )


def expect_close(
    yours: Tensor, target: Tensor, message: str, *, picture: bool = False
) -> None:
    """Raise `message` if the two differ; `picture` shows both as maps."""
    if close(yours, target):
        return
    if picture:
        raise Mistake(message, target=target, yours=yours)
    raise Mistake(message)


def expect_number(value: Any, name: str) -> float:
    """Return `value` as a float, or say that it is no number."""
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise Mistake(
            f"{name} should be a number, but is {value!r} of type "
            f"{type(value).__name__}."
        )
    if float(value) != float(value):
        raise Mistake(f"{name} should be a number, but is nan.")
    return float(value)


def expect_choice(value: Any, name: str, choices: tuple[str, ...]) -> str:
    """Return the choice that `value` names, or say which there are.

    Blanks around it and capital letters do not matter.
    """
    known = {choice.casefold(): choice for choice in choices}
    if not isinstance(value, str) or value.strip().casefold() not in known:
        listed = ", ".join(repr(choice) for choice in choices)
        raise Mistake(f"{name} should be one of {listed}, but is {value!r}.")
    return known[value.strip().casefold()]
