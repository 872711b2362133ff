"""What judges ask of an answer."""

from typing import Any

import pytest
import torch

from attncourse.exercises import Mistake
from attncourse.exercises.probes import (
    expect_detached,
    expect_tensor,
    gradient,
    refuse,
    same,
)


@pytest.mark.parametrize(
    "value", [torch.ones(3), torch.ones(3) > 0, torch.ones(3).half()]
)
def test_an_index_is_of_an_integer_dtype(value: torch.Tensor) -> None:
    with pytest.raises(Mistake, match=f"integer dtype.*it is {value.dtype}"):
        expect_tensor(value, "It", (3,), integer=True)
    assert expect_tensor(value, "It", (3,)) is value
    whole = value.to(torch.uint8)
    assert expect_tensor(whole, "It", (3,), integer=True) is whole


@pytest.mark.parametrize(
    ("yours", "wrong", "equal"),
    [
        (torch.ones(2), torch.ones(2) + 1e-6, True),
        (torch.ones(2), torch.ones(3), False),
        (0.25, 0.250001, True),
        (1, 1.0, True),
        (0.25, 0.26, False),
        ("rows", "rows", True),
        ("rows", 3, False),
        ({"a": 1, "b": "x"}, {"a": 1.0, "b": "x"}, True),
        ({"a": 1}, {"b": 1}, False),
        ((1, torch.ones(2)), [1, torch.ones(2)], True),
        ((1, 2), (1,), False),
        (None, 3, False),
    ],
)
def test_same(yours: Any, wrong: Any, equal: bool) -> None:
    assert same(yours, wrong) == equal


def test_a_wrong_answer_hears_its_own_message() -> None:
    table = ((lambda x: 2 * x, "Doubled."), (lambda x: -x, "Negated."))
    x = torch.rand(3)
    refuse(x, table, x)
    with pytest.raises(Mistake, match="Negated"):
        refuse(-x, table, x)
    with pytest.raises(Mistake, match="Half"):
        refuse(0.5, ((0.5, "Half."),))


def test_a_draw_that_is_not_detached_is_seen() -> None:
    mean = torch.randn(4, requires_grad=True)
    drawn = mean + torch.randn(4)
    expect_detached(drawn.detach(), "The draw", mean, "the mean")
    with pytest.raises(Mistake, match="flows through it into the mean"):
        expect_detached(drawn, "The draw", mean, "the mean")
    other = torch.randn(4, requires_grad=True)
    expect_detached(other * 2, "The draw", mean, "the mean")
    assert torch.equal(gradient(2 * drawn, mean), torch.full((4,), 2.0))
    assert not gradient(drawn.detach(), mean).any()
    assert not gradient(other, mean).any()
