"""An answer without an end ends as a verdict."""

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import nbclient
import nbformat
import pytest
import torch

from attncourse.exercises import check, limit
from attncourse.exercises.limit import Clock, TimeIsUp


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit, "SECONDS", 0.3)


def loop(*args: Any) -> None:
    while True:
        pass


def loop_in_torch(*args: Any) -> None:
    x = torch.rand(20, 20)
    while True:
        x = x @ x / x.norm()


def catches_errors(*args: Any) -> None:
    while True:
        try:
            loop()
        except Exception:
            continue


def catches_once(*args: Any) -> None:
    try:
        loop()
    except BaseException:
        loop()


ENDLESS = [loop, loop_in_torch, catches_errors, catches_once]


@pytest.mark.usefixtures("as_shipped")
@pytest.mark.parametrize("answer", ENDLESS)
def test_a_loop_without_an_end_is_a_verdict(answer: Callable) -> None:
    verdict = check("spatial_transformer.undo", answer)
    assert not verdict.passed
    assert "did not end in time" in verdict.message
    assert sys.getprofile() is None
    assert check("spatial_transformer.undo", torch.rand).message


def test_a_constructor_or_a_method_may_not_loop_either() -> None:
    from attncourse.exercises import Mistake
    from tests.exercises.test_guard import guarded

    class Endless:
        def forward(self) -> None:
            loop()

    with pytest.raises(Mistake, match="did not end in time"):
        guarded(Endless)().forward()


def test_it_holds_in_any_thread() -> None:
    ended = []

    def run() -> None:
        try:
            Clock().call(loop, (), {})
        except TimeIsUp:
            ended.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    assert ended == [True]


def test_calls_share_their_time() -> None:
    clock = Clock(60.0)
    for _ in range(3):
        clock.call(time.sleep, (0.05,), {})
    assert clock.left < 59.86
    assert Clock().call(int, ("7",), {}) == 7


def test_nothing_arrives_after_the_call() -> None:
    """Calls that end just when their time does."""
    for step in range(200):
        with suppress(TimeIsUp):
            Clock(0.01).call(time.sleep, (0.0098 + step % 5 * 1e-4,), {})
        sum(range(5000))
    time.sleep(1.2 * limit.STEP)
    assert sum(range(1000)) == 499500


@pytest.mark.parametrize("profiled", [True, False])
def test_a_profile_function_does_no_harm(profiled: bool) -> None:
    before = sys.getprofile()
    sys.setprofile((lambda *_: None) if profiled else None)
    try:
        with pytest.raises(TimeIsUp):
            Clock(0.1).call(loop, (), {})
    finally:
        sys.setprofile(before)


def test_a_debugger_is_left_alone() -> None:
    names = {"__name__": "bdb", "time": time}
    exec("def wait(): time.sleep(0.5); return 1", names)
    assert Clock(0.1).call(names["wait"], (), {}) == 1


@pytest.mark.lengthy
def test_it_holds_in_a_notebook() -> None:
    code = """
from attncourse.exercises import check, limit
limit.SECONDS = 0.5
def endless(theta):
    while True: pass
print(check("spatial_transformer.undo", endless).message)
"""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(book, timeout=300).execute()
    assert "did not end in time" in book.cells[0].outputs[0].text
