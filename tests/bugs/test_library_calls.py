"""Torch's functions called wrongly: a number for each, and the checkup."""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from attncourse.attention import MultiHeadAttention
from attncourse.bugs import library_calls as wrong
from attncourse.checkup import checkup

pytestmark = [pytest.mark.lengthy, pytest.mark.usefixtures("as_shipped")]
BATCH, COUNT, DIM, HEADS = 3, 11, 64, 4


def tokens() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(BATCH, COUNT, DIM, generator=generator)


def built(kind: type[nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return kind(DIM, HEADS).eval()


def test_batch_first_forgotten() -> None:
    module, x = built(wrong.BatchFirstForgotten), tokens()
    others = torch.cat([x[:1], -x[1:]])
    assert not torch.allclose(module(x)[0], module(others)[0], atol=1e-3)
    nudged = x.clone()
    nudged[0, 1] += 1  # another token of the same sample: no effect
    assert_close(module(nudged)[0, 0], module(x)[0, 0])


def test_repeated_mask() -> None:
    module, x = built(wrong.RepeatedMask), tokens()
    mask = torch.ones(BATCH, COUNT, COUNT, dtype=torch.bool)
    mask[0, :, -3:] = False
    nudged = x.clone()
    nudged[0, -3:] += 1  # hidden from sample 0, or so it should be
    gap = (module(nudged, mask) - module(x, mask))[0, :-3]
    assert gap.abs().max() > 0.01
    attention = module.attention
    each = (~mask).repeat_interleave(HEADS, dim=0)
    one = attention(x, x, x, attn_mask=each)[0]
    two = attention(nudged, nudged, nudged, attn_mask=each)[0]
    assert_close(one[0, :-3], two[0, :-3])


def test_heads_joined_by_view() -> None:
    right, joined = built(MultiHeadAttention), built(wrong.HeadsJoinedByView)
    order, x = torch.randperm(COUNT), tokens()
    assert_close(right(x[:, order]), right(x)[:, order])
    assert not torch.allclose(joined(x[:, order]), joined(x)[:, order])


def test_dropout_in_evaluation() -> None:
    module, x = built(wrong.DropoutInEvaluation), tokens()
    assert not torch.allclose(module(x), module(x))


def test_weights_after_dropout() -> None:
    torch.manual_seed(0)
    module, x = wrong.WeightsAfterDropout(), tokens()
    total = module(x, x, x)[1].sum(-1)
    assert (total - 1).abs().max() > 0.2
    total = module.eval()(x, x, x)[1].sum(-1)
    assert_close(total, torch.ones_like(total))


def test_mixed_corners() -> None:
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    identity = torch.eye(2, 3)[None]
    error = wrong.MixedCorners()(ramp, identity) - ramp
    assert error.abs().max() > 0.3


def test_rollout() -> None:
    weights = torch.randn(1, COUNT, COUNT).softmax(-1)
    total = wrong.rollout_step(weights).sum(-1)
    assert (total - 1).abs().max() > 0.01
    with pytest.raises(RuntimeError, match="must match the size"):
        wrong.rollout_step(torch.cat([weights, weights]))


@pytest.mark.parametrize(
    ("name", "probe", "words"),
    [
        ("BatchFirstForgotten", "batch", "batch_first=False"),
        ("RepeatedMask", "mask", "changes the visible output"),
        ("HeadsJoinedByView", "order", "treat positions alike"),
        ("DropoutInEvaluation", "side effects", "random masks were drawn"),
    ],
)
def test_the_checkup_sees_it(name: str, probe: str, words: str) -> None:
    report = checkup(built(getattr(wrong, name)), tokens())
    found = [*report.errors, *report.warnings]
    assert any(f.probe == probe and words in str(f) for f in found), report


def test_the_checkup_sees_weights_after_dropout() -> None:
    report = checkup(wrong.WeightsAfterDropout(), (tokens(),) * 3)
    (found,) = report.warnings
    assert "in training" in found.seen


def test_the_checkup_sees_the_rollout() -> None:
    weights = torch.randn(1, COUNT, COUNT).softmax(-1)
    report = checkup(wrong.rollout_step, weights)
    assert "a batch of 2 fails" in repr(report.errors)


def test_the_checkup_sees_mixed_corners() -> None:
    maps = torch.randn(2, 3, 5, 7)
    report = checkup(wrong.MixedCorners(), (maps, torch.randn(2, 2, 3)))
    assert "align_corners=True and read" in repr(report.errors)
