"""Hints climb a ladder; a solution is shown with the verdict on it."""

import pytest

from attncourse.exercises import (
    Hint,
    check,
    exercise,
    exercises,
    hint,
    solution,
)
from attncourse.exercises import hints as module
from tests.viz.parsing import elements

NAME = "additive.scores"
HINTS = exercises("additive")[NAME].hints


@pytest.fixture(autouse=True)
def forgotten() -> None:
    module._given.clear()


def test_hints_come_one_after_the_other() -> None:
    given = [hint(NAME) for _ in range(len(HINTS) + 2)]
    texts = [each.text for each in given]
    assert texts == [*HINTS, HINTS[-1], HINTS[-1]]
    assert [each.step for each in given[:3]] == [1, 2, 3]


def test_a_hint_can_be_asked_for_by_number() -> None:
    assert hint(NAME, 2).text == HINTS[1]
    assert hint(NAME).step == 1


@pytest.mark.parametrize("step", [0, 4, -1])
def test_no_such_step(step: int) -> None:
    with pytest.raises(ValueError, match=f"step must be 1 to 3, got {step}"):
        hint(NAME, step)


def test_no_such_exercise() -> None:
    with pytest.raises(LookupError, match=r"did you mean: additive\.scores"):
        hint("additive.score")
    with pytest.raises(LookupError, match=r"did you mean: additive\.scores"):
        solution("additive.score")


def test_a_hint_is_a_box_and_a_line() -> None:
    bundle = Hint("a.b", 1, 3, "Use `@`.")._repr_mimebundle_()
    assert bundle["text/plain"] == "Hint 1 of 3 (a.b). Use `@`."
    assert "Hint 1 of 3" in bundle["text/html"]
    assert "<code>@</code>" in bundle["text/html"]


SOLVED = [name for name, each in exercises().items() if not each.hand_in]


@pytest.mark.parametrize("name", SOLVED)
def test_a_solution_shows_what_passes(name: str) -> None:
    shown = solution(name)
    assert shown.verdict == check(name, exercises()[name].solution)
    bundle = shown._repr_mimebundle_()
    answer = exercises()[name].solution
    if callable(answer):
        assert shown.sources[-1].name == answer.__name__
        (code,) = elements(bundle["text/html"], "pre")[-1:]
        assert answer.__name__ in code.text
    else:
        assert shown.value in bundle["text/plain"]
    assert bundle["text/plain"].endswith(repr(shown.verdict))


def test_a_task_to_hand_in_shows_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = exercise(
        "made.here",
        kind="predict",
        answer="value",
        hand_in=True,
        praise="Right.",
        hints=("one", "two"),
    )(lambda answer: None)
    monkeypatch.setattr(
        "attncourse.exercises.solutions.find", lambda name: made
    )
    shown = solution("made.here")
    assert shown.verdict is None
    bundle = shown._repr_mimebundle_()
    assert bundle["text/plain"] == repr(shown)
    for text in bundle.values():
        assert "to be handed in, so no answer is shown" in text
        assert "made.here" in text
