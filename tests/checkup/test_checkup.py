"""What holds for any module: no crash, no trace, the same report twice."""

import json
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from attncourse.checkup import Finding, Report, checkup
from tests.checkup.wrong import TOKENS, Attention, InPlace

pytestmark = [pytest.mark.lengthy, pytest.mark.usefixtures("as_shipped")]


class Failing(nn.Module):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def forward(self, x):
        raise self.error


class Fragile(Attention):
    """Fails on everything but what it was given."""

    def forward(self, x):
        if abs(float(x[0, 0, 0]) - 0.5) > 1e-6 or x.dtype != torch.float32:
            raise RuntimeError("unexpected")
        return super().forward(x)


class Returning(nn.Module):
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value

    def forward(self, *_):
        return self.value


class Uncopyable(Attention):
    """Keeps a tensor with a graph on itself."""

    def forward(self, x):
        self.last = self.qkv(x)
        return super().forward(x)


class Stateful(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(64)
        self.attention = Attention()
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        return self.dropout(self.attention(self.norm(x.mT).mT))


class Random(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x) + random.random() + np.random.rand()


@pytest.mark.parametrize(
    "error",
    [RuntimeError("broken"), KeyError(1), AssertionError(), MemoryError()],
    ids=repr,
)
def test_an_exception_is_a_finding(error: Exception) -> None:
    report = checkup(Failing(error), torch.randn(2, 3, 5))
    (found,) = report.errors
    assert found.probe == "call"
    assert type(error).__name__ in found.seen


def test_leaving_the_program_is_a_finding() -> None:
    report = checkup(Failing(SystemExit(3)), torch.randn(2, 3, 5))
    assert "sys.exit(3) was called" in repr(report.errors)


def test_an_exception_in_a_probe_is_a_finding() -> None:
    x = torch.randn(*TOKENS)
    x[0, 0, 0] = 0.5
    report = checkup(Fragile(), x)
    assert "unexpected" in repr(report)


@pytest.mark.parametrize("value", [None, 3, "text", [], torch.ones(())])
def test_a_strange_output_is_a_finding(value: Any) -> None:
    report = checkup(Returning(value), torch.randn(2, 3, 5))
    assert report.findings


@pytest.mark.parametrize(
    "shape",
    [(), (1,), (7,), (0, 3, 64), (2, 0, 64), (1, 1, 64), (2, 2, 2, 2, 64)],
)
def test_any_shape_gets_a_report(shape: tuple[int, ...]) -> None:
    for module in (Attention(), nn.Identity(), nn.Conv2d(64, 2, 3)):
        assert isinstance(checkup(module, torch.randn(shape)), Report)


@pytest.mark.parametrize("fill", [torch.nan, torch.inf, 0.0, 1e30])
def test_any_number_gets_a_report(fill: float) -> None:
    report = checkup(Attention(), torch.full(TOKENS, fill))
    assert report.ok is (fill in {0.0})


def test_whole_numbers_are_taken() -> None:
    words = nn.Sequential(nn.Embedding(11, 64), Attention())
    report = checkup(words, torch.randint(11, (3, 7)))
    assert report.ok, report


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", [Stateful, InPlace, Random, Uncopyable])
def test_nothing_is_left_behind(kind: type, training: bool) -> None:
    torch.manual_seed(3)
    module, x = kind().train(training), torch.randn(*TOKENS)
    if kind is Uncopyable:
        module(x)
    kept = {k: v.clone() for k, v in module.state_dict().items()}
    same = x.clone()
    state, others = torch.random.get_rng_state(), random.getstate()
    numbers = np.random.get_state()[1].copy()
    checkup(module, x)
    assert torch.equal(x, same)
    assert torch.equal(state, torch.random.get_rng_state())
    assert others == random.getstate()
    assert (numbers == np.random.get_state()[1]).all()
    for name, value in module.state_dict().items():
        assert torch.equal(value, kept[name])
    assert all(m.training is training for m in module.modules())
    assert all(p.grad is None for p in module.parameters())
    assert torch.backends.mha.get_fastpath_enabled()


@pytest.mark.parametrize("kind", [Stateful, Random])
def test_the_same_report_twice(kind: type) -> None:
    torch.manual_seed(3)
    module, x = kind(), torch.randn(*TOKENS)
    first = checkup(module, x).to_json()
    torch.manual_seed(4)
    assert checkup(module, x).to_json() == first


def test_gradients_of_the_caller_stay() -> None:
    module, x = Attention(), torch.randn(*TOKENS, requires_grad=True)
    module(x).sum().backward()
    kept = module.qkv.weight.grad.clone(), x.grad.clone()
    checkup(module, x)
    assert torch.equal(module.qkv.weight.grad, kept[0])
    assert torch.equal(x.grad, kept[1])


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_works_where_the_caller_wants_no_gradients(mode: Any) -> None:
    module = Attention()
    with mode():
        report = checkup(module, torch.randn(*TOKENS))
        assert not torch.is_grad_enabled()
    assert report.ok, report


def test_a_dataclass_is_an_output() -> None:
    @dataclass
    class Result:
        values: torch.Tensor
        name: str = "result"

    class Wrapped(Attention):
        def forward(self, x):
            return Result(super().forward(x))

    report = checkup(Wrapped(), torch.randn(*TOKENS))
    assert {finding.probe for finding in report} == {"kind"}, report


@pytest.mark.parametrize(
    ("module", "inputs", "options", "message"),
    [
        (Attention(), (), {}, "inputs is tuple without a tensor"),
        (Attention(), None, {}, "inputs is NoneType without a tensor"),
        (3, torch.ones(2), {}, "module is int; an nn.Module"),
        (Attention(), torch.ones(2), {"mask_true": "yes"}, "mask_true is"),
        (Attention(), torch.ones(2), {"batch_axis": 2}, "batch_axis is 2"),
    ],
)
def test_misuse_is_refused(
    module: Any, inputs: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        checkup(module, inputs, **options)


@pytest.fixture
def report() -> Report:
    return Report(
        "Layer",
        (
            Finding("note", "order", "a < b"),
            Finding("passed", "batch", "fine"),
            Finding("error", "scale", "much", "because", "divide"),
        ),
    )


def test_a_report_reads_as_text(report: Report) -> None:
    lines = repr(report).splitlines()
    assert lines[0] == "Layer: 1 error, 0 warnings, 1 note, 1 passed"
    assert lines[1].startswith("error   scale: much")
    assert lines[2].split() == ["why", "because"]
    assert [f.grade for f in report] == ["error", "note"]


def test_a_report_reads_as_html(report: Report) -> None:
    html = report._repr_html_()
    assert html.count("<li>") == 3
    assert html.index("<strong>error</strong>") < html.index("a &lt; b")
    assert "Why: because. Fix: divide." in html
    assert "<details>" in html
    assert "<em>batch</em>: fine." in html


def test_a_report_reads_as_json(report: Report) -> None:
    content = json.loads(report.to_json())
    assert content["module"] == "Layer"
    assert content["ok"] is False
    assert content["findings"][0] == {
        "grade": "error",
        "probe": "scale",
        "seen": "much",
        "reason": "because",
        "fix": "divide",
        "path": "",
    }
    assert [f["probe"] for f in content["passed"]] == ["batch"]
