"""An exercise: how an answer to it is judged, a solution, and hints.

Wrong answers that many give are written once, as a table of answer and
message. The judge hands it to `probes.refuse`, and the tests read it from
the exercise: each wrong answer must hear its own message and no other::

    def not_shifted(theta):
        return undo_solution(theta) * torch.tensor([1.0, 1.0, 0.0])

    UNDO_WRONG = (
        (not_shifted, "The shift is missing."),
        ...
    )

    @exercise("spatial_transformer.undo", ..., wrong=UNDO_WRONG)
    def undo(answer):
        theta = _matrix()
        yours = expect_tensor(answer(theta), "The matrix", (2, 3))
        refuse(yours, UNDO_WRONG, theta)
        expect_close(yours, undo_solution(theta), "It is not the inverse.")

A wrong answer may call the solution but nothing that is forbidden in the
exercise. Those that fail in another way (a wrong shape, an error, a
forbidden call) stay in `WRONG` of `tests/exercises/answers/TOPIC.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal, get_args

from torch import Tensor

from attncourse.exercises import topics as folder

Kind = Literal["write", "predict", "find", "change"]
Answer = Literal["function", "class", "value"]
Judge = Callable[[Any], None]
Wrong = tuple[tuple[Any, str], ...]
"""Wrong answers, or values, each with the message for it."""


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
    answer
        What the reader hands to `check`.
    solution
        An answer that is right, or None where the task is to be handed in.
    praise
        One sentence for a right answer: what it shows.
    hints
        From a nudge to nearly the solution.
    own_work
        True if the answer may not call the package's own layers.
    forbidden
        Functions of torch that would do the task for the reader.
    wrong
        Wrong answers that the judge knows, each with its message.
    """

    name: str
    kind: Kind
    judge: Judge
    answer: Answer
    solution: Any
    praise: str
    hints: tuple[str, ...]
    own_work: bool
    forbidden: tuple[Callable, ...]
    wrong: Wrong

    @property
    def hand_in(self) -> bool:
        """Whether the task is to be handed in and has no solution here."""
        return self.solution is None


def exercise(
    name: str,
    *,
    kind: Kind,
    solution: Any = None,
    answer: Answer | None = None,
    hand_in: bool = False,
    praise: str,
    hints: Sequence[str],
    own_work: bool | None = None,
    forbidden: Sequence[Callable] = (),
    wrong: Wrong = (),
) -> Callable[[Judge], Exercise]:
    """Make an :class:`Exercise` of the function that judges answers.

    ``own_work`` is True by default where code is to be written or fixed.

    A task to hand in has ``hand_in=True`` and, since there is no solution
    that could show it, the kind of answer: ``answer="function"``,
    ``"class"`` or ``"value"``. The answer that proves its check stands in
    `tests/exercises/answers` alone, so its judge should test properties and
    not compute the answer in readable steps.

    Raises
    ------
    ValueError
        If the name has no topic, the kind is unknown, there are fewer than
        two hints, or a task has neither or both of a solution and
        ``hand_in=True``.
    """
    if name.count(".") != 1:
        raise ValueError(f"name must be 'topic.name', got {name!r}")
    if kind not in get_args(Kind):
        raise ValueError(f"kind must be one of {get_args(Kind)}, got {kind!r}")
    if len(hints) < 2:
        raise ValueError(f"hints must be at least 2, got {len(hints)}")
    if hand_in != (solution is None):
        raise ValueError(
            "hand_in must be True without a solution and False with one, "
            f"got hand_in={hand_in} and solution={solution!r}"
        )
    if solution is not None and answer is not None:
        raise ValueError(
            "answer is for tasks to hand in; here the solution says it, "
            f"got {answer!r}"
        )
    wanted = answer if solution is None else _kind_of(solution)
    if wanted is None or wanted not in get_args(Answer):
        raise ValueError(
            f"answer must be one of {get_args(Answer)}, got {answer!r}"
        )
    own = kind in ("write", "find") if own_work is None else own_work

    def make(judge: Judge) -> Exercise:
        return Exercise(
            name,
            kind,
            judge,
            wanted,
            solution,
            praise,
            tuple(hints),
            own,
            tuple(forbidden),
            wrong,
        )

    return make


def _kind_of(solution: Any) -> Answer:
    if isinstance(solution, type):
        return "class"
    return "function" if callable(solution) else "value"


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
