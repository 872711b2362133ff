"""The checkup reports no error on layers that are right."""

import pytest
import torch

from attncourse.checkup import checkup
from tests.attention.cases import CASES, Case
from tests.checkup.libraries import LIBRARIES, inputs

pytestmark = [pytest.mark.lengthy, pytest.mark.usefixtures("as_shipped")]


@pytest.mark.parametrize("name", LIBRARIES)
def test_no_error_in_a_library(name: str) -> None:
    torch.manual_seed(0)
    report = checkup(LIBRARIES[name][0](), inputs(name))
    assert report.ok, report
    assert "could not be finished" not in repr(report)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
@pytest.mark.parametrize("moved", [False, True], ids=["as built", "moved"])
def test_no_error_in_the_course(case: Case, moved: bool) -> None:
    torch.manual_seed(0)
    module = case.module() if moved else case.build()
    report = checkup(module, tuple(case.inputs()))
    assert report.ok, report
    if case.name == "SelfAttention2d" and moved:
        # The paper does not scale; a learned gamma weighs what comes of it.
        assert not report.warnings
        assert "scale" in {note.probe for note in report.notes}
    assert "could not be finished" not in repr(report)


def seen(name: str) -> str:
    torch.manual_seed(0)
    return repr(checkup(LIBRARIES[name][0](), inputs(name)))


def test_it_sees_into_fused_attention() -> None:
    text = seen("timm Attention")
    assert "runs over axis 3 (tokens) of scores shaped (3, 4, 10, 10)" in text
    assert "dot products of 16 numbers are multiplied by 0.25" in text


def test_it_tells_what_torch_means_by_a_mask() -> None:
    text = seen("torch MultiheadAttention, batch first")
    assert "where key_padding_mask is True a position is hidden" in text
    assert "a row with nothing to attend gives" in text


def test_it_tells_gates_from_shares() -> None:
    assert "1 sigmoid gates" in seen("torchvision SqueezeExcitation")
    assert "(cosines)" in seen("torchvision ShiftedWindowAttentionV2")


def test_it_takes_the_batch_where_the_layer_has_it() -> None:
    text = seen("torch MultiheadAttention, tokens first")
    assert "other samples change the last one by" in text
    assert "runs with batch 1" in text
