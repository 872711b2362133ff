"""`hint`: one step of the ladder at a time."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from attncourse.exercises.boxes import box
from attncourse.exercises.exercise import find
from attncourse.viz import BLUE

_given: Counter[str] = Counter()


@dataclass(frozen=True)
class Hint:
    """One hint; shown as a box in a notebook."""

    name: str
    step: int
    steps: int
    text: str

    def __repr__(self) -> str:
        return f"Hint {self.step} of {self.steps} ({self.name}). {self.text}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": repr(self)}

    @property
    def html(self) -> str:
        """A box with the hint."""
        title = f"Hint {self.step} of {self.steps}"
        return box(title, self.name, self.text, BLUE)


def hint(name: str, step: int | None = None) -> Hint:
    """Return the next hint of an exercise, or the one with this number.

    After the last hint the last one is given again.

    Raises
    ------
    LookupError
        If there is no such exercise.
    ValueError
        If there is no hint of that number.
    """
    hints = find(name).hints
    if step is None:
        step = min(_given[name] + 1, len(hints))
        _given[name] = step
    if not 1 <= step <= len(hints):
        raise ValueError(f"step must be 1 to {len(hints)}, got {step}")
    return Hint(name, step, len(hints), hints[step - 1])
