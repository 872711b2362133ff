"""Calling a reader's code so that nothing it does can upset a check."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import CO_OPTIMIZED, Signature, isfunction, isroutine, signature
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from attncourse.exercises.exercise import Exercise, Mistake
from attncourse.exercises.limit import Clock, TimeIsUp

LENT = ("attncourse.exercises", "attncourse.viz")  # tools, not solutions
SAME = {
    "scaled_dot_product_attention": (
        "multi_head_attention_forward",
        "native_multi_head_attention",
        "transformer_encoder_layer_fwd",
    )
}
"""Functions of torch that do the work of another one inside."""


class _Missing(Mistake, AttributeError):  # noqa: N818
    """So that `hasattr` works on a guarded answer."""


class Guarded:
    """A callable answer; what goes wrong inside becomes a `Mistake`.

    A class is called to build an object, and that object is guarded too.
    Attributes are those of the answer, and its methods are guarded. All
    calls together have the time that the clock gives.
    """

    def __init__(
        self,
        answer: Any,
        exercise: Exercise,
        clock: Clock | None = None,
        *,
        built: bool = False,
    ) -> None:
        self._answer = answer
        self._exercise = exercise
        self._clock = clock or Clock()
        self._built = built

    _OWN = ("_answer", "_exercise", "_clock")

    def __repr__(self) -> str:
        return repr(self._answer)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in self._OWN:
            raise AttributeError(name)  # asked for before there is an answer
        try:
            value = getattr(self._answer, name)
        except AttributeError:
            raise _Missing(
                f"It has no `{name}`, which the check needs."
            ) from None
        if not isroutine(value):
            return value

        def method(*args: Any, **kwargs: Any) -> Any:
            result = self._run(value, args, kwargs)
            return self if result is self._answer else result

        return method

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the answer."""
        result = self._run(self._answer, args, kwargs)
        if result is None or result is ...:
            raise Mistake(
                "It returns nothing yet; end it with `return` and your result."
            )
        if isinstance(result, nn.Module) or isinstance(self._answer, type):
            return Guarded(result, self._exercise, self._clock, built=True)
        return result

    def _run(self, code: Callable, args: tuple, kwargs: dict) -> Any:
        self._check_arguments(code, args, kwargs)
        given = [*args, *kwargs.values()]
        before = [each.detach().clone() for each in tensors_in(given)]
        dtype = torch.get_default_dtype()
        try:
            with torch.enable_grad(), _own_work(self._exercise):
                result = self._clock.call(code, args, kwargs)
        except (Mistake, KeyboardInterrupt):
            raise
        except TimeIsUp:
            raise Mistake(
                "It was stopped since it did not end in time; is there a "
                "loop without an end?"
            ) from None
        except NotImplementedError:
            raise Mistake("Nothing is written here yet.") from None
        except BaseException as error:
            raise Mistake(
                f"It raised {in_words(error)} It was called with "
                f"{_list(given)}."
            ) from error
        finally:
            torch.set_default_dtype(dtype)
        after = list(tensors_in(given))
        if len(before) != len(after) or not all(map(_same, before, after)):
            raise Mistake(
                "It changes its input in place; the caller's tensor is "
                "different afterwards."
            )
        return result

    def _check_arguments(
        self, code: Callable, args: tuple, kwargs: dict
    ) -> None:
        """Say which arguments come if the answer cannot take them."""
        takes = _signature(code)
        if takes is None:
            return
        try:
            takes.bind(*args, **kwargs)
        except TypeError:
            names = [str(name) for name in takes.parameters]
            has = f"`({', '.join(names)})`" if names else "no arguments"
            come = _list([*args, *kwargs.values()])
            wanted = _signature(self._exercise.solution)
            if wanted and code is self._answer and not self._built and args:
                come = f"`({', '.join(wanted.parameters)})`: {come}"
            elif kwargs:
                come += f" (by name: {', '.join(kwargs)})"
            raise Mistake(
                f"It takes {has}, but is called with {come}."
            ) from None


class _Forbid(TorchFunctionMode):
    def __init__(self, functions: tuple[Callable, ...]) -> None:
        super().__init__()
        self.functions = functions
        names = {_plain_name(function) for function in functions}
        self.names = names.union(*(SAME.get(name, ()) for name in names))

    def __torch_function__(
        self,
        func: Callable,
        types: Any,
        args: tuple = (),
        kwargs: dict | None = None,
    ) -> Any:
        # The same function is known to torch, to its tensors and to
        # torch.nn.functional as three objects of one name.
        if func in self.functions or _plain_name(func) in self.names:
            raise _does_it_all(_plain_name(func) or str(func))
        return func(*args, **(kwargs or {}))


def _plain_name(function: Callable) -> str:
    name = str(getattr(function, "__name__", ""))
    return "" if name.startswith("__") else name.strip("_")


def _does_it_all(name: str) -> Mistake:
    return Mistake(
        f"It calls torch's `{name}`, which does the task for you; write the "
        "steps yourself."
    )


@contextmanager
def _own_work(exercise: Exercise) -> Iterator[None]:
    """Refuse calls of the package's layers, and of what is forbidden."""
    layers = _layers(exercise.forbidden)
    functions = tuple(
        each for each in exercise.forbidden if not isinstance(each, type)
    )
    called: list[str] = []
    forbidden: list[str] = []

    def notice(frame: FrameType, event: str, argument: Any) -> None:
        if event != "call" or not frame.f_code.co_flags & CO_OPTIMIZED:
            return  # the body of a module that is being imported is no call
        if frame.f_code in layers:
            forbidden.append(layers[frame.f_code])
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("attncourse.") and not module.startswith(LENT):
            called.append(module)

    before = sys.getprofile()
    if exercise.own_work or layers:
        sys.setprofile(notice)
    try:
        with _Forbid(functions):
            yield
    finally:
        sys.setprofile(before)
    if forbidden:
        raise _does_it_all(forbidden[0])
    if exercise.own_work and called:
        raise Mistake(
            f"It calls `{called[0]}`, the package's own code; the task is "
            "to write that part yourself."
        )


def _layers(forbidden: tuple[Callable, ...]) -> dict[CodeType, str]:
    """Return the code that runs in forbidden layers and what derives."""
    return {
        method.__code__: layer.__name__
        for layer in forbidden
        if isinstance(layer, type)
        for method in (vars(layer).get("__init__"), vars(layer).get("forward"))
        if isfunction(method)
    }


def _signature(code: Any) -> Signature | None:
    try:
        plain = code.forward if isinstance(code, nn.Module) else code
        return signature(plain) if callable(plain) else None
    except (ValueError, TypeError):
        return None


def tensors_in(values: Any) -> Iterator[Tensor]:
    """Yield the tensors in lists, tuples and dictionaries."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, dict):
        yield from tensors_in(list(values.values()))
    elif isinstance(values, list | tuple):
        for each in values:
            yield from tensors_in(each)


def _same(was: Tensor, now: Tensor) -> bool:
    if was.shape != now.shape or was.dtype != now.dtype:
        return False
    return bool(((was == now) | ((was != was) & (now != now))).all())


def in_words(error: BaseException) -> str:
    """Return the kind of an error and its message, as one short sentence."""
    words = " ".join(str(error).split()).rstrip(".")
    if len(words) > 200:
        words = words[:200].rsplit(" ", 1)[0] + " …"
    kind = type(error).__name__
    return f"{kind}: {words}." if words else f"{kind}."


def _list(given: list[Any]) -> str:
    return ", ".join(map(_described, given)) or "nothing"


def _described(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, list | tuple | dict) and any(
        True for _ in tensors_in(value)
    ):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, nn.Module) or callable(value):
        return f"`{getattr(value, '__name__', type(value).__name__)}`"
    words = repr(value)
    return words if len(words) <= 40 else f"a {type(value).__name__}"
