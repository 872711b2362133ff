"""The checkup finds every mistake, and says which it is."""

from typing import Any

import pytest
import torch
from torch import nn

from attncourse.checkup import checkup
from tests.checkup.wrong import MAP, TOKENS, WRONG, Attention, Masked, case

pytestmark = [
    pytest.mark.lengthy,
    pytest.mark.usefixtures("as_shipped"),
    pytest.mark.filterwarnings("ignore:Initializing zero-element tensors"),
]


@pytest.mark.parametrize("name", WRONG)
def test_the_mistake_is_found(name: str) -> None:
    _, _, grade, probe, words = WRONG[name]
    report = checkup(*case(name))
    found = [f for f in report if (f.grade, f.probe) == (grade, probe)]
    assert any(words in str(finding) for finding in found), report
    assert all(finding.reason and finding.fix for finding in found)
    assert report.ok is (grade != "error")


@pytest.mark.parametrize("kind", [Attention, Masked])
def test_the_right_version_is_clean(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    report = checkup(kind(), torch.randn(*TOKENS))
    assert [f for f in report if f.probe not in {"mask", "kind"}] == []
    assert report.ok


def seen(module: Any, *shape: int, **options: Any) -> str:
    torch.manual_seed(0)
    return repr(checkup(module, torch.randn(*shape), **options))


def test_the_caller_says_what_a_mask_means() -> None:
    torch.manual_seed(0)
    hides, shows = WRONG["mask inverted"][0], Masked
    x = torch.randn(*TOKENS)
    assert not checkup(hides(), x, mask_true="keep").ok
    assert checkup(hides(), x, mask_true="block").ok
    assert checkup(shows(), x, mask_true="keep").ok
    assert not checkup(shows(), x, mask_true="block").ok


def test_a_mask_with_another_name_is_named_by_the_caller() -> None:
    class Visible(Masked):
        def forward(self, x, visible=None):
            return super().forward(x, visible)

    assert "where visible is True" in seen(Visible(), *TOKENS, mask="visible")
    assert "visible" not in seen(Visible(), *TOKENS)


def test_a_mask_among_the_inputs_is_used() -> None:
    torch.manual_seed(0)
    x = torch.randn(*TOKENS)
    mask = torch.ones(10, 10, dtype=torch.bool)
    for inputs in ((x, mask), {"x": x, "mask": mask}):
        report = checkup(Masked(), inputs)
        assert report.ok, report
        assert any(
            "what is hidden is ignored" in str(f) for f in (report.passed)
        )


@pytest.mark.parametrize("width", [4, 16, 64])
def test_a_missing_scale_is_graded_by_its_effect(width: int) -> None:
    class Unscaled(nn.Module):
        def forward(self, x):
            return (x @ x.mT / 2).softmax(-1) @ x

    report = checkup(Unscaled(), torch.randn(3, 11, width))
    grade = {4: "passed", 16: "error", 64: "error"}[width]
    assert {f.grade for f in report.all_findings if f.probe == "scale"} == {
        grade
    }


def test_cosines_need_no_scale() -> None:
    class Cosine(nn.Module):
        def forward(self, x):
            unit = nn.functional.normalize(x, dim=-1)
            return (10 * unit @ unit.mT).softmax(-1) @ x

    text = seen(Cosine(), *TOKENS)
    assert "length one (cosines)" in text
    assert "error" not in text.replace("0 errors", "")


def test_a_fixed_table_of_positions_is_a_note() -> None:
    class Positions(Attention):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.randn(1, 10, 64))

        def forward(self, x):
            return super().forward(x + self.table)

    report = checkup(Positions(), torch.randn(*TOKENS))
    (note,) = [f for f in report if f.probe == "sizes"]
    assert note.grade == "note"
    assert "table (1, 10, 64) has one entry for each position" in note.reason


def test_a_module_that_names_its_sizes_is_a_note() -> None:
    class Strict(Attention):
        def forward(self, x):
            if x.shape[1] != 10:
                raise ValueError("ten tokens are needed")
            return super().forward(x)

    report = checkup(Strict(), torch.randn(*TOKENS))
    assert report.ok
    assert "ten tokens are needed" in repr(report.notes)


def test_a_gate_that_starts_closed_is_opened_and_noted() -> None:
    class Gated(Attention):
        def __init__(self):
            super().__init__()
            self.gamma = nn.Parameter(torch.zeros(()))

        def forward(self, x):
            return x + self.gamma * super().forward(x)

        def weights(self, scores):
            return (scores / 8).softmax(-2)

    report = checkup(Gated(), torch.randn(*TOKENS))
    assert any("gamma is zero" in f.seen for f in report.notes)
    assert any("other axis" in f.reason + f.seen for f in report.errors)


def test_buffers_that_change_in_eval_mode_are_noted() -> None:
    class Counting(Attention):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            self.calls += 1
            return super().forward(x)

    assert "changes calls" in seen(Counting(), *TOKENS)


def test_compile_and_export_are_tried_when_asked() -> None:
    class Deciding(Attention):
        def forward(self, x):
            return super().forward(x) if x.sum() > 0 else x

    assert "deployment" not in seen(Deciding(), *TOKENS)
    text = seen(Deciding(), *TOKENS, deploy=True)
    assert "torch.compile fails" in text
    assert "torch.export fails" in text
    text = seen(Attention(), *TOKENS, deploy=True)
    assert "torch.compile works" in text
    assert "torch.export works" in text


def test_softmax_over_one_side_of_a_map_names_it() -> None:
    for axis, name in ((2, "height"), (3, "width")):

        class Gate(nn.Module):
            def forward(self, x, axis=axis):
                return x * x.mean(1, keepdim=True).softmax(axis)

        assert f"axis {axis} ({name})" in seen(Gate(), *MAP)
