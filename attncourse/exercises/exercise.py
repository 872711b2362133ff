"""An exercise: how an answer to it is judged, a solution, and hints."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal, get_args

from torch import Tensor

from attncourse.exercises import topics as folder

Kind = Literal["write", "predict", "find", "change"]
Judge = Callable[[Any], None]


class Mistake(Exception):  # noqa: N818 - the reader made it, not the code
    """What is wrong with an answer, in one or two sentences.

    ``target`` and ``yours``, two maps of shape ``(height, width)``, are
    shown side by side where a picture helps.
    """

    def __init__(
        self,
        message: str,
        *,
        target: Tensor | None = None,
        yours: Tensor | None = None,
    ) -> None:
        super().__init__(message)
        self.target = target
        self.yours = yours


@dataclass(frozen=True)
class Exercise:
    """One task of a lesson.

    Attributes
    ----------
    name
        ``"topic.name"``; the topic is the file the exercise stands in.
    kind
        What the reader does: write code, predict a value, find the bug in
        printed code and hand in the fixed code, or change something.
    judge
        Receives the answer and raises :class:`Mistake` at the first thing
        that is wrong.
    solution
        An answer that is right.
    praise
        One sentence for a right answer: what it shows.
    hints
        From a nudge to nearly the solution.
    own_work
        True if the answer may not call the package's own layers.
    forbidden
        Functions of torch that would do the task for the reader.
    """

    name: str
    kind: Kind
    judge: Judge
    solution: Any
    praise: str
    hints: tuple[str, ...]
    own_work: bool
    forbidden: tuple[Callable, ...]


def exercise(
    name: str,
    *,
    kind: Kind,
    solution: Any,
    praise: str,
    hints: Sequence[str],
    own_work: bool | None = None,
    forbidden: Sequence[Callable] = (),
) -> Callable[[Judge], Exercise]:
    """Make an :class:`Exercise` of the function that judges answers.

    ``own_work`` is True by default where code is to be written or fixed.

    Raises
    ------
    ValueError
        If the name has no topic, the kind is unknown or there are fewer
        than two hints.
    """
    if name.count(".") != 1:
        raise ValueError(f"name must be 'topic.name', got {name!r}")
    if kind not in get_args(Kind):
        raise ValueError(f"kind must be one of {get_args(Kind)}, got {kind!r}")
    if len(hints) < 2:
        raise ValueError(f"hints must be at least 2, got {len(hints)}")
    own = kind in ("write", "find") if own_work is None else own_work

    def make(judge: Judge) -> Exercise:
        return Exercise(
            name,
            kind,
            judge,
            solution,
            praise,
            tuple(hints),
            own,
            tuple(forbidden),
        )

    return make


def exercises(topic: str | None = None) -> dict[str, Exercise]:
    """Return all exercises, or those of one topic, by their names."""
    topics = [module.name for module in iter_modules(folder.__path__)]
    if topic is not None:
        topics = [name for name in topics if name == topic]
    found: dict[str, Exercise] = {}
    for name in topics:
        module = import_module(f"{folder.__name__}.{name}")
        values = vars(module).values()
        mine = [value for value in values if isinstance(value, Exercise)]
        found |= {each.name: each for each in mine}
    return found


def find(name: str) -> Exercise:
    """Return an exercise by its name.

    Raises
    ------
    LookupError
        If there is none of that name; names the nearest.
    """
    known = exercises(str(name).partition(".")[0])
    if name in known:
        return known[name]
    names = list(known or exercises())
    near = get_close_matches(str(name), names, n=3, cutoff=0.4)
    near = (
        near or list(known) or sorted({f"{n.split('.')[0]}..." for n in names})
    )
    raise LookupError(
        f"no exercise named {name!r}; did you mean: {', '.join(near)}?"
    )
