"""What the judges of many exercises ask of an answer."""

from math import isclose
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from attncourse.exercises.exercise import Mistake, Wrong

TOLERANCE = 1e-4


def expect_tensor(
    value: Any, name: str, shape: tuple[int, ...], *, integer: bool = False
) -> Tensor:
    """Return `value`, or say that it is no tensor of this shape.

    With ``integer`` its dtype must be one of the integers, as an index needs
    it.
    """
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
    is_integer = not (value.is_floating_point() or value.dtype == torch.bool)
    if integer and not is_integer:
        raise Mistake(
            f"{name} should be of an integer dtype, such as torch.long, "
            f"which can index; it is {value.dtype}."
        )
    if not torch.isfinite(value).all():
        raise Mistake(f"{name} should be finite, but holds inf or nan.")
    return value


def close(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are equal up to rounding."""
    return a.shape == b.shape and torch.allclose(
        a.double(), b.double(), rtol=TOLERANCE, atol=TOLERANCE
    )


def same(yours: Any, wrong: Any) -> bool:
    """Whether two results are equal: tensors and numbers up to rounding."""
    if isinstance(yours, Tensor) and isinstance(wrong, Tensor):
        return close(yours, wrong)
    if isinstance(yours, dict) and isinstance(wrong, dict):
        return yours.keys() == wrong.keys() and all(
            same(yours[key], wrong[key]) for key in yours
        )
    if isinstance(yours, tuple | list) and isinstance(wrong, tuple | list):
        return len(yours) == len(wrong) and all(map(same, yours, wrong))
    if isinstance(yours, Real) and isinstance(wrong, Real):
        return isclose(yours, wrong, rel_tol=TOLERANCE, abs_tol=1e-9)
    return type(yours) is type(wrong) and bool(yours == wrong)


def refuse(yours: Any, wrong: Wrong, *inputs: Any) -> None:
    """Raise the message of the first wrong answer that gives `yours`.

    A wrong answer that is code is called with the inputs; one that is a
    value is compared as it is.
    """
    for answer, message in wrong:
        result = answer(*inputs) if callable(answer) else answer
        if same(yours, result):
            raise Mistake(message)


def gradient(value: Tensor, by: Tensor) -> Tensor:
    """Return the gradient of the sum of `value`, zeros if there is no path.

    So a drawn value that was not detached has a gradient that is not zero.
    """
    if not value.requires_grad:
        return torch.zeros_like(by)
    (found,) = torch.autograd.grad(
        value.sum(), by, retain_graph=True, allow_unused=True
    )
    return torch.zeros_like(by) if found is None else found


def expect_detached(value: Tensor, name: str, by: Tensor, of: str) -> None:
    """Say so if a gradient flows through `value` into `by`, called `of`."""
    if value.requires_grad and gradient(value, by).any():
        raise Mistake(
            f"{name} should be detached, but a gradient still flows through "
            f"it into {of}."
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
