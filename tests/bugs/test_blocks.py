"""Gates, branches and losses put together wrongly: numbers, and checkup."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from attncourse.bugs import blocks as wrong
from attncourse.checkup import checkup

pytestmark = [pytest.mark.lengthy, pytest.mark.usefixtures("as_shipped")]
CHANNELS = 32


def maps() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, CHANNELS, 7, 11, generator=generator)


def test_branches_of_the_batch() -> None:
    torch.manual_seed(0)
    module = wrong.BranchesOfTheBatch(CHANNELS).eval()
    _, weights = module.attend(maps())
    assert_close(weights.sum(0), torch.ones_like(weights[0]))
    _, alone = module.attend(maps()[:1])
    assert_close(alone, torch.ones_like(alone))
    assert "share one softmax" in repr(checkup(module, maps()).errors)


def test_reduction_as_width() -> None:
    hidden = [
        wrong.ReductionAsWidth(channels).reduce.out_features
        for channels in (32, 512)
    ]
    assert hidden == [16, 16]
    assert checkup(wrong.ReductionAsWidth(CHANNELS), maps()).ok


def test_gate_added_twice() -> None:
    torch.manual_seed(0)
    module, x = wrong.GateAddedTwice(CHANNELS), maps()
    ratio = module(x) / x
    assert ratio.min() > 2
    assert ratio.max() < 3
    assert checkup(module, x).ok


def test_in_place_shortcut() -> None:
    module, x = wrong.InPlaceShortcut(CHANNELS), maps()
    kept = x.clone()
    with torch.no_grad():
        module(x)
    assert_close(x, kept.relu())
    assert "changes its input" in repr(checkup(module, maps()).errors)


def test_detached_distillation() -> None:
    torch.manual_seed(0)
    student, teacher = torch.rand(2, 3, 5, 7)
    student.requires_grad_()
    module = wrong.DetachedDistillation()
    assert not module(student, teacher).requires_grad
    report = checkup(module, (student.detach(), teacher))
    assert "input 0 changes the output" in repr(report.errors)
