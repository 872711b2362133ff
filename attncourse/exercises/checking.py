"""`check`: judge an answer and say what is wrong with it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from attncourse.exercises.boxes import box, side_by_side
from attncourse.exercises.exercise import Answer, Mistake, find
from attncourse.exercises.guard import Guarded, in_words
from attncourse.viz import GREEN, VERMILLION

SEEDS = (0, 1)  # two draws: what was right for one may be a constant
listeners: list[Callable[["Verdict", Any], None]] = []
"""Called with each verdict of `check` and the answer it is on."""


@dataclass(frozen=True)
class Verdict:
    """What a check found; shown as a box in a notebook.

    ``target`` and ``yours`` are maps of shape ``(height, width)`` or None.
    """

    name: str
    passed: bool
    message: str
    target: Tensor | None = field(default=None, compare=False)
    yours: Tensor | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        word = "Right" if self.passed else "Not yet"
        return f"{word} ({self.name}). {self.message}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": repr(self)}

    @property
    def html(self) -> str:
        """A box with the message, and the two maps where there are any."""
        maps = ""
        if self.target is not None and self.yours is not None:
            maps = side_by_side(self.target, self.yours)
        title = "✓ Right" if self.passed else "✗ Not yet"
        colour = GREEN if self.passed else VERMILLION
        return box(title, self.name, self.message, colour, maps)


def check(name: str, answer: Any) -> Verdict:
    """Judge an answer to an exercise.

    A wrong answer is no error: whatever it does, a verdict comes back. The
    state of the random numbers is left as it was.

    Parameters
    ----------
    name
        Name of the exercise, such as ``"additive.scores"``.
    answer
        A function, a class or a value, as the task says.

    Raises
    ------
    LookupError
        If there is no such exercise.
    """
    verdict = judged(name, answer)
    for listener in listeners:
        listener(verdict, answer)
    return verdict


def judged(name: str, answer: Any) -> Verdict:
    """Judge an answer as `check` does, which nobody listens to."""
    exercise = find(name)
    try:
        _expect_kind(answer, exercise.answer)
        safe = Guarded(answer, exercise) if callable(answer) else answer
        for seed in SEEDS:
            with torch.random.fork_rng(devices=[]), torch.enable_grad():
                torch.manual_seed(seed)
                exercise.judge(safe)
    except Mistake as mistake:
        return Verdict(
            name, False, str(mistake), mistake.target, mistake.yours
        )
    except (Exception, SystemExit) as error:
        return Verdict(
            name,
            False,
            f"The answer could not be judged; the check stopped with "
            f"{in_words(error)}",
        )
    return Verdict(name, True, exercise.praise)


def _expect_kind(answer: Any, wanted: Answer) -> None:
    """Say so if a value comes where code should, or the other way round."""
    if answer is None or answer is ...:
        raise Mistake("Nothing is written here yet.")
    found = type(answer).__name__
    if wanted == "class" and isinstance(answer, nn.Module):
        raise Mistake(
            f"Hand in the class itself, `{found}`, not an object made of it."
        )
    if wanted != "value" and not callable(answer):
        raise Mistake(
            f"Hand in the {wanted} itself, by its name and without calling "
            f"it; this is a value of type {found}."
        )
    if wanted == "value" and inspect.isroutine(answer):
        raise Mistake("Hand in the value that you found, not a function.")
    if wanted == "function" and isinstance(answer, type):
        raise Mistake(
            f"Hand in a function; this is the class `{answer.__name__}`."
        )
