"""`check` gives a verdict, whatever it is handed."""

import re
import time
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from attncourse.exercises import Mistake, Verdict, check, exercise
from attncourse.exercises.probes import (
    expect_choice,
    expect_number,
    expect_tensor,
)
from attncourse.exercises.topics.additive import scores_solution
from tests.viz.parsing import elements


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("additive.score", "additive.scores"),
        ("aditive.scores", "additive.scores"),
        ("scores", "additive.scores"),
        ("additive", "additive.scores"),
        ("xyz.qqq", r"additive\.\.\."),
        (scores_solution, "scores"),
    ],
)
@pytest.mark.usefixtures("as_shipped")
def test_unknown_name_names_the_nearest(name: Any, near: str) -> None:
    with pytest.raises(LookupError, match=f"no exercise named .*{near}"):
        check(name, scores_solution)


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the check find an exercise made here."""

    def put(judge: Any, solution: Any = None, **more: Any) -> None:
        made = exercise(
            "made.here",
            kind="change",
            solution=solution,
            praise="Right it is.",
            hints=("one", "two"),
            **more,
        )(judge)
        monkeypatch.setattr(
            "attncourse.exercises.checking.find", lambda name: made
        )

    return put


def judge_double(answer: Any) -> None:
    x = torch.rand(3)
    expect_tensor(answer(x), "The double", (3,))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "Nothing is written"),
        (..., "Nothing is written"),
        (torch.ones(3), "Hand in the function itself.*type Tensor"),
        (nn.Linear, "Hand in a function; this is the class `Linear`"),
        (lambda x: (x, x), r"one tensor, but is a tuple of 2"),
        (lambda x: [x], r"one tensor, but is a list of 1"),
        (lambda x: x.tolist()[0], "a tensor, but is of type float"),
        (lambda x: x * 1j, "is complex"),
        (lambda x: x / 0, "finite"),
        (lambda x: x[None], r"shape \(3,\), but has \(1, 3\)"),
        (lambda: 1, r"takes no arguments"),
    ],
)
def test_what_is_handed_in_is_said(
    register: Any, answer: Any, words: str
) -> None:
    register(judge_double, lambda x: 2 * x)
    verdict = check("made.here", answer)
    assert not verdict.passed
    assert re.search(words, verdict.message), verdict.message


@pytest.mark.parametrize("answer", [nn.Linear(3, 3), 7])
def test_a_class_is_asked_for(register: Any, answer: Any) -> None:
    register(judge_double, nn.ReLU)
    message = check("made.here", answer).message
    assert message.startswith("Hand in the class itself")


def test_a_value_is_asked_for(register: Any) -> None:
    register(lambda answer: None, 3.0)
    assert not check("made.here", lambda: 3.0).passed
    assert check("made.here", 3.0).message == "Right it is."


@pytest.mark.parametrize(
    ("answer", "wrong", "words"),
    [
        ("function", nn.Linear, "Hand in a function; this is the class"),
        ("function", 3.0, "Hand in the function itself"),
        ("class", nn.Linear(3, 3), "Hand in the class itself"),
        ("value", len, "Hand in the value"),
    ],
)
def test_a_task_to_hand_in_is_judged(
    register: Any, answer: Any, wrong: Any, words: str
) -> None:
    register(lambda answer: None, hand_in=True, answer=answer)
    verdict = check("made.here", wrong)
    assert not verdict.passed
    assert verdict.message.startswith(words)


def test_a_task_to_hand_in_can_be_solved(register: Any) -> None:
    register(judge_double, hand_in=True, answer="function")
    assert check("made.here", lambda x: 2 * x).passed
    assert not check("made.here", lambda x, y: x).passed


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "hand_in must be True without a solution"),
        ({"solution": 3, "hand_in": True}, "hand_in must be True without"),
        ({"hand_in": True}, "answer must be one of .* got None"),
        ({"hand_in": True, "answer": "layer"}, "answer must be one of"),
        ({"solution": 3, "answer": "value"}, "answer is for tasks to hand in"),
    ],
)
@pytest.mark.usefixtures("as_shipped")
def test_tasks_that_make_no_sense(
    register: Any, more: Any, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        register(judge_double, **more)


@pytest.mark.parametrize("error", [ZeroDivisionError("no."), SystemExit()])
def test_a_judge_that_falls_over_is_a_verdict(
    register: Any, error: BaseException
) -> None:
    def judge(answer: Any) -> None:
        raise error

    register(judge, 3.0)
    verdict = check("made.here", 4.0)
    assert not verdict.passed
    assert f"stopped with {type(error).__name__}" in verdict.message


def test_judges_may_ask_for_gradients(register: Any) -> None:
    def judge(answer: Any) -> None:
        answer(torch.ones(3, requires_grad=True)).sum().backward()

    register(judge, lambda x: x)
    with torch.no_grad():
        assert check("made.here", lambda x: 2 * x).passed
        assert not torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3.0), (2.5, 2.5), (torch.tensor([4]), 4.0), (np.float32(0.5), 0.5)],
)
def test_numbers(value: Any, number: float) -> None:
    assert expect_number(value, "n") == number


@pytest.mark.parametrize("value", [True, "3", float("nan"), torch.ones(2)])
def test_no_numbers(value: Any) -> None:
    with pytest.raises(Mistake, match="n should be a number"):
        expect_number(value, "n")


def test_choices() -> None:
    assert expect_choice(" Rows", "It", ("rows", "columns")) == "rows"
    with pytest.raises(Mistake, match="one of 'rows', 'columns', but is 3"):
        expect_choice(3, "It", ("rows", "columns"))


MAP = torch.rand(4, 6)


def test_a_verdict_is_a_box_and_a_line() -> None:
    verdict = Verdict("a.b", False, "Over `dim=2` <all>.")
    bundle = verdict._repr_mimebundle_()
    assert bundle["text/plain"] == "Not yet (a.b). Over `dim=2` <all>."
    assert "✗ Not yet" in bundle["text/html"]
    assert "<code>dim=2</code> &lt;all&gt;." in bundle["text/html"]
    assert "<img" not in bundle["text/html"]
    assert "✓ Right" in Verdict("a.b", True, "So.").html


@pytest.mark.usefixtures("as_shipped")
@pytest.mark.parametrize("target", [MAP, MAP - 0.5, MAP[None], MAP[0]])
def test_two_maps_are_shown_side_by_side(target: Tensor) -> None:
    yours = target.clone().requires_grad_()
    with torch.no_grad():
        yours.view(-1)[1] = 9
    verdict = Verdict("a.b", False, "They differ.", target, yours)
    image = elements(verdict.html, "img")[0]
    alt = image.attributes["alt"]
    assert "one colour scale" in alt
    assert "differ most at row 1, column 2" in alt
    assert image.attributes["src"].startswith("data:image/")
    assert "They differ." in repr(verdict)


@pytest.mark.usefixtures("as_shipped")
@pytest.mark.parametrize(
    "yours", [MAP / 0, torch.empty(0, 6), torch.ones(2, 3, 5)]
)
def test_what_cannot_be_drawn_is_left_out(yours: Tensor) -> None:
    assert "<img" not in Verdict("a.b", False, "No.", MAP, yours).html


def test_maps_of_two_sizes_are_shown() -> None:
    html = Verdict("a.b", False, "No.", MAP, MAP[:3]).html
    assert "Yours has 3 rows" in elements(html, "img")[0].attributes["alt"]


@pytest.mark.usefixtures("as_shipped")
def test_a_check_is_quick() -> None:
    check("additive.scores", scores_solution)
    begun = time.process_time()
    check("additive.scores", scores_solution)
    assert time.process_time() - begun < 0.5
