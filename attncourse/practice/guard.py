"""Calling a reader's code so that nothing it does can upset a check."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from attncourse.practice.exercise import Exercise, Mistake


class Guarded:
    """A callable answer; what goes wrong inside becomes a `Mistake`.

    A class is called to build a module, and that module is guarded too.
    Attributes are those of the answer.
    """

    def __init__(self, answer: Callable, exercise: Exercise) -> None:
        self._answer = answer
        self._exercise = exercise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answer, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the answer."""
        given = [*args, *kwargs.values()]
        before = [a.clone() if isinstance(a, Tensor) else a for a in given]
        try:
            with _own_work(self._exercise):
                result = self._answer(*args, **kwargs)
        except (Mistake, KeyboardInterrupt):
            raise
        except NotImplementedError:
            raise Mistake("Nothing is written here yet.") from None
        except BaseException as error:
            raise Mistake(
                f"It raised {type(error).__name__}: {error}. "
                f"It was called with {_words(given)}."
            ) from error
        if result is None or result is ...:
            raise Mistake(
                "It returns nothing yet; end it with `return` and your result."
            )
        for was, now in zip(before, given, strict=True):
            if isinstance(was, Tensor) and not torch.equal(was, now):
                raise Mistake(
                    "It changes its input in place; the caller's tensor is "
                    "different afterwards."
                )
        if isinstance(result, nn.Module):
            return Guarded(result, self._exercise)
        return result


class _Forbid(TorchFunctionMode):
    def __init__(self, functions: tuple[Callable, ...]) -> None:
        super().__init__()
        self.functions = functions

    def __torch_function__(
        self,
        func: Callable,
        types: Any,
        args: tuple = (),
        kwargs: dict | None = None,
    ) -> Any:
        if func in self.functions:
            name = getattr(func, "__name__", str(func))
            raise Mistake(
                f"It calls torch's `{name}`, which does the task for you; "
                "write the steps yourself."
            )
        return func(*args, **(kwargs or {}))


@contextmanager
def _own_work(exercise: Exercise) -> Iterator[None]:
    """Refuse calls of the package's layers, and of what is forbidden."""
    called: set[str] = set()

    def notice(frame: FrameType, event: str, argument: Any) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith("attncourse."):
            called.add(module)

    before = sys.getprofile()
    if exercise.own_work:
        sys.setprofile(notice)
    try:
        with _Forbid(exercise.forbidden):
            yield
    finally:
        sys.setprofile(before)
    lent = {name for name in called if ".practice" not in name}
    if lent:
        raise Mistake(
            f"It calls `{min(lent)}`, the package's own code; the task is "
            "to write that part yourself."
        )


def _words(given: list[Any]) -> str:
    words = [
        f"a tensor of shape {tuple(each.shape)}"
        if isinstance(each, Tensor)
        else repr(each)
        for each in given
    ]
    return ", ".join(words) or "nothing"
