"""Each wrong module is wrong by a number, and the right one is not."""

import re

import pytest
import torch

from attncourse.checkup.kinds import KINDS
from tests.checkup.corpus import Bug
from tests.checkup.corpus.kept import KEPT
from tests.checkup.corpus.public_ten import PUBLIC_TEN
from tests.checkup.corpus.tuning import TUNING

EVERY = PUBLIC_TEN + TUNING + KEPT
pytestmark = pytest.mark.usefixtures("as_shipped")


@pytest.mark.parametrize("bug", EVERY, ids=lambda bug: bug.thread)
def test_a_number_gives_it_away(bug: Bug) -> None:
    assert abs(bug.number(bug.built("right"))) < 1e-4
    assert bug.number(bug.built("wrong")) >= bug.at_least


@pytest.mark.parametrize("bug", EVERY, ids=lambda bug: bug.thread)
def test_both_run_on_the_inputs_and_can_be_trained(bug: Bug) -> None:
    for which in ("right", "wrong"):
        module = bug.built(which).train()
        inputs = bug.inputs()
        inputs[0].requires_grad_()
        outputs = module(*inputs)
        if isinstance(outputs, torch.Tensor):
            outputs = (outputs,)
        sum(output.square().sum() for output in outputs).backward()
        assert inputs[0].grad is not None
        assert all(output.isfinite().all() for output in outputs)


@pytest.mark.parametrize("bug", EVERY, ids=lambda bug: bug.thread)
def test_its_description_is_whole(bug: Bug) -> None:
    assert re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", bug.thread)
    assert bug.people.endswith(".")
    assert bug.kind in KINDS


def test_no_thread_is_told_twice() -> None:
    threads = [bug.thread for bug in EVERY]
    assert len(threads) == len(set(threads))
