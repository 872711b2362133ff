"""`solution`: an answer that is right, and the check's verdict on it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from inspect import unwrap
from pprint import pformat
from types import CodeType
from typing import Any

from attncourse.exercises.boxes import box
from attncourse.exercises.checking import Verdict, judged
from attncourse.exercises.exercise import find
from attncourse.viz import BLUE, Source, source
from attncourse.viz.folding import fold

TO_HAND_IN = (
    "This task is to be handed in, so no answer is shown here. `check` says "
    "whether yours is right, and `hint` helps on the way."
)


@dataclass(frozen=True)
class Solution:
    """A right answer: its code or its value, and the verdict on it.

    Of a task to hand in it shows neither, and its verdict is None.
    """

    name: str
    sources: tuple[Source, ...] = ()
    value: str = ""
    verdict: Verdict | None = None

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}

    @property
    def text(self) -> str:
        """Code or value, and the verdict below it."""
        if self.verdict is None:
            return f"To hand in ({self.name}). {TO_HAND_IN}"
        parts = [each.text for each in self.sources]
        parts += [self.value] if self.value else []
        return "\n\n".join([*parts, repr(self.verdict)])

    @property
    def html(self) -> str:
        """The code, highlighted, or the value, and the verdict: closed."""
        if self.verdict is None:
            return box("To hand in", self.name, TO_HAND_IN, BLUE)
        shown = "".join(each.html for each in self.sources)
        if self.value:
            shown += f"<pre>{escape(self.value)}</pre>"
        return fold("Solution", shown + self.verdict.html)


def solution(name: str) -> Solution:
    """Show a right answer to an exercise, and the check's verdict on it.

    Of a function or a class it shows the source, after the parts of the same
    file that it calls. Of a task to hand in it shows no answer and says so.

    Parameters
    ----------
    name
        Name of the exercise, such as ``"additive.scores"``.

    Raises
    ------
    LookupError
        If there is no such exercise.
    """
    exercise = find(name)
    if exercise.hand_in:
        return Solution(name)
    answer = exercise.solution
    verdict = judged(name, answer)
    if not callable(answer):
        return Solution(name, (), pformat(answer, width=79), verdict)
    parts = [*dict.fromkeys(_helpers(answer)), answer]
    shown = tuple(source(part, docstring=False) for part in parts)
    return Solution(name, shown, "", verdict)


def _helpers(answer: Callable) -> Iterator[Callable]:
    """Yield what `answer` calls of its own file, the innermost first."""
    seen = {answer}

    def below(caller: Callable) -> Iterator[Callable]:
        for part in _parts(caller):
            if part not in seen:
                seen.add(part)
                yield from below(part)
                yield part

    yield from below(answer)


def _parts(caller: Callable) -> Iterator[Callable]:
    methods = [caller, *vars(caller).values()]
    for method in methods if isinstance(caller, type) else [caller]:
        plain = unwrap(method) if callable(method) else None
        code = getattr(plain, "__code__", None)
        if code is not None:
            known = getattr(plain, "__globals__", {})
            for word in _names(code):
                part = known.get(word)
                if callable(part) and part.__module__ == caller.__module__:
                    yield part
    if isinstance(caller, type):
        yield from (
            base
            for base in caller.__bases__
            if base.__module__ == caller.__module__
        )


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
