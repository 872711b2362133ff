"""Each mistake in one head is wrong by a number, and the checkup sees it."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from attncourse.bugs import single_head as wrong
from attncourse.checkup import checkup

pytestmark = [pytest.mark.lengthy, pytest.mark.usefixtures("as_shipped")]
BATCH, COUNT, DIM = 3, 11, 64


def tokens() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(BATCH, COUNT, DIM, generator=generator)


def built(kind: type[wrong.SingleHead]) -> wrong.SingleHead:
    torch.manual_seed(0)
    return kind(DIM).eval()


def hidden_last() -> Tensor:
    """Sample 0 hides its last three keys, the others nothing."""
    mask = torch.ones(BATCH, COUNT, COUNT, dtype=torch.bool)
    mask[0, :, -3:] = False
    return mask


def totals(head: wrong.SingleHead) -> Tensor:
    """What each query multiplies the values with, summed."""
    scores = torch.randn(BATCH, COUNT, COUNT)
    return head.weights(scores).sum(-1)


def test_the_right_head_is_clean() -> None:
    report = checkup(built(wrong.SingleHead), tokens())
    assert not [*report.errors, *report.warnings], report


def test_softmax_over_queries() -> None:
    head = built(wrong.SoftmaxOverQueries)
    columns = head.weights(torch.randn(BATCH, COUNT, COUNT)).sum(1)
    assert_close(columns, torch.ones_like(columns))
    assert (totals(head) - 1).abs().max() > 0.1


def test_softmax_over_samples() -> None:
    head = built(wrong.SoftmaxOverSamples)
    one = head.weights(torch.randn(1, 1, COUNT))
    assert_close(one, torch.ones_like(one))
    x = tokens()
    changed = torch.cat([x[:1], 2 * x[1:]])
    assert not torch.allclose(head(x)[0], head(changed)[0], atol=1e-3)


def test_scaled_too_late() -> None:
    head = built(wrong.ScaledTooLate)
    with torch.no_grad():
        head.project.bias[2 * DIM :] = 1
        head.project.weight[2 * DIM :] = 0  # every value is one
    output = head(tokens())
    assert_close(output, torch.full_like(output, DIM**-0.5))


def test_unscaled() -> None:
    right, bare = built(wrong.SingleHead), built(wrong.Unscaled)
    with torch.no_grad():
        right.project.weight[:DIM] *= DIM**0.5
        right.project.bias[:DIM] *= DIM**0.5
    assert_close(bare(tokens()), right(tokens()))


def test_inverted_mask() -> None:
    right, turned = built(wrong.SingleHead), built(wrong.InvertedMask)
    mask = torch.rand(BATCH, COUNT, COUNT) > 0.5
    assert_close(turned(tokens(), mask), right(tokens(), ~mask))


def test_forgotten_mask() -> None:
    head = built(wrong.ForgottenMask)
    assert_close(head(tokens(), hidden_last()), head(tokens()))


def test_huge_fill() -> None:
    x, mask = tokens().half(), hidden_last()
    assert built(wrong.SingleHead).half()(x, mask).isfinite().all()
    with pytest.raises(RuntimeError, match="without overflow"):
        built(wrong.HugeFill).half()(x, mask)


def test_empty_row() -> None:
    head, mask = built(wrong.EmptyRow), hidden_last()
    mask[0, 0] = False
    output = head(tokens(), mask)
    assert output[0, 0].isnan().all()
    output[1].sum().backward()  # of a sample that is in order
    assert head.project.weight.grad.isnan().any()
    assert built(wrong.SingleHead)(tokens(), mask).isfinite().all()


def test_one_number_softmax() -> None:
    torch.manual_seed(0)
    pool = wrong.OneNumberSoftmax(DIM)
    assert_close(pool(tokens()), tokens().sum(1))
    pool(tokens()).sum().backward()
    assert not pool.score.weight.grad.any()


def test_positions_of_the_batch() -> None:
    head, x = built(wrong.PositionsOfTheBatch), tokens()
    same = x[:1].expand_as(x)
    assert not torch.allclose(head(same)[0], head(same)[1], atol=1e-3)
    order = torch.randperm(COUNT)
    assert_close(head(x[:, order]), head(x)[:, order])


def test_one_position_for_all() -> None:
    head, x = built(wrong.OnePositionForAll), tokens()
    order = torch.randperm(COUNT)
    assert_close(head(x[:, order]), head(x)[:, order])


@pytest.mark.parametrize(
    ("name", "probe", "words"),
    [
        ("SoftmaxOverQueries", "normalisation", "along the other axis"),
        ("SoftmaxOverSamples", "normalisation", "(batch x tokens)"),
        ("ScaledTooLate", "normalisation", "0.125 in total"),
        ("Unscaled", "scale", "multiplied by 1 "),
        ("InvertedMask", "mask", "True a position is hidden"),
        ("ForgottenMask", "mask", "no effect"),
        ("HugeFill", "precision", "without overflow"),
        ("EmptyRow", "mask", "nothing to attend gives"),
        ("OneNumberSoftmax", "normalisation", "length one"),
        ("PositionsOfTheBatch", "batch", "alone gets an output"),
        ("OnePositionForAll", "order", "position_table"),
    ],
)
def test_the_checkup_sees_it(name: str, probe: str, words: str) -> None:
    torch.manual_seed(0)
    report = checkup(getattr(wrong, name)(DIM), tokens())
    found = [*report.errors, *report.warnings]
    assert any(f.probe == probe and words in str(f) for f in found), report
