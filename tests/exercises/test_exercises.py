"""Every exercise: the solution passes, wrong answers hear what is wrong.

Wrong answers stand in the table of the exercise itself, where its judge
knows them, and in `WRONG` of the topic's file in `answers`.
"""

import re
from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest
import torch

from attncourse.exercises import check, exercises
from tests.exercises import answers as folder

EXERCISES = exercises()
WRONG: dict[str, list[tuple[Any, str]]] = {
    name: [(answer, f"^{re.escape(said)}$") for answer, said in each.wrong]
    for name, each in EXERCISES.items()
}
RIGHT: dict[str, list[Any]] = {}  # beside the solution, in other forms
REFERENCE: dict[str, Any] = {}  # of the tasks to hand in
for module in iter_modules(folder.__path__):
    answers = import_module(f"{folder.__name__}.{module.name}")
    for name, pairs in getattr(answers, "WRONG", {}).items():
        WRONG.setdefault(name, []).extend(pairs)
    RIGHT |= getattr(answers, "RIGHT", {})
    REFERENCE |= getattr(answers, "REFERENCE", {})
CODE = [name for name, each in EXERCISES.items() if each.answer != "value"]

every_exercise = pytest.mark.parametrize("name", EXERCISES)
every_code = pytest.mark.parametrize("name", CODE)

pytestmark = [pytest.mark.lengthy, pytest.mark.usefixtures("as_shipped")]


def test_wrong_answers_belong_to_exercises() -> None:
    assert set(WRONG) == set(EXERCISES)


def test_right_answers_belong_to_exercises() -> None:
    assert set(RIGHT) <= set(EXERCISES)


def test_tasks_to_hand_in_have_a_reference() -> None:
    to_hand_in = {name for name, each in EXERCISES.items() if each.hand_in}
    assert set(REFERENCE) == to_hand_in


def solved(name: str) -> Any:
    """Return the solution, or the reference of a task to hand in."""
    each = EXERCISES[name]
    return REFERENCE[name] if each.hand_in else each.solution


@every_exercise
def test_solution_passes(name: str) -> None:
    verdict = check(name, solved(name))
    assert verdict.passed, verdict.message


@every_exercise
def test_solution_passes_whatever_was_drawn_before(name: str) -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    assert check(name, solved(name)).passed
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        pytest.param(name, answer, id=f"{name}-{index}")
        for name, right in RIGHT.items()
        for index, answer in enumerate(right)
    ],
)
def test_right_answers_of_other_forms_pass(name: str, answer: Any) -> None:
    verdict = check(name, answer)
    assert verdict.passed, verdict.message


@every_exercise
def test_at_least_four_different_wrong_answers(name: str) -> None:
    assert len({message for _, message in WRONG[name]}) >= 4


@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        pytest.param(name, answer, message, id=f"{name}-{index}")
        for name, pairs in WRONG.items()
        for index, (answer, message) in enumerate(pairs)
    ],
)
def test_wrong_answer_hears_what_is_wrong(
    name: str, answer: Any, message: str
) -> None:
    verdict = check(name, answer)
    assert not verdict.passed
    assert re.search(message, verdict.message), verdict.message
    sentences = re.findall(r"[.?!](?:\s|$)", verdict.message)
    assert 1 <= len(sentences) <= 2, verdict.message


@every_exercise
@pytest.mark.parametrize("stub", [None, ...])
def test_nothing_written_is_not_enough(name: str, stub: Any) -> None:
    assert not check(name, stub).passed


def unwritten(*args: Any, **kwargs: Any) -> Any:
    raise NotImplementedError


def returns_none(*args: Any, **kwargs: Any) -> Any:
    return None


def returns_zero(*args: Any, **kwargs: Any) -> Any:
    return 0


def first_input(*args: Any, **kwargs: Any) -> Any:
    return args[0] if args else 0


def falls_over(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("shapes do not match")


class Odd:
    def __call__(self) -> None: ...


@every_exercise
@pytest.mark.parametrize(
    "answer",
    [
        unwritten,
        returns_none,
        returns_zero,
        first_input,
        falls_over,
        Odd,
        Odd(),
        "no answer",
        float("nan"),
        [],
    ],
)
def test_never_raises_and_never_passes(name: str, answer: Any) -> None:
    assert not check(name, answer).passed


@every_code
def test_a_constant_does_not_pass(name: str) -> None:
    kept: list[Any] = []
    solution: Callable = solved(name)
    if isinstance(solution, type):
        pytest.skip("a class: a module has no constant to return")

    def constant(*args: Any, **kwargs: Any) -> Any:
        if not kept:
            kept.append(solution(*args, **kwargs))
        return kept[0]

    assert not check(name, constant).passed


@every_exercise
def test_hints_climb(name: str) -> None:
    hints = EXERCISES[name].hints
    assert len(hints) >= 2
    assert len(set(hints)) == len(hints)
