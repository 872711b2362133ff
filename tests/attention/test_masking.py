import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from attncourse.attention.masking import check_mask, masked_softmax


@given(
    rows=st.integers(1, 7),
    positions=st.integers(1, 11),
    keep=st.floats(0, 1),
    seed=st.integers(0, 2**16),
)
def test_rows_sum_to_one_or_to_zero(
    rows: int, positions: int, keep: float, seed: int
) -> None:
    torch.manual_seed(seed)
    scores = 10 * torch.randn(rows, positions, dtype=torch.float64)
    mask = torch.rand(rows, positions) < keep
    weights = masked_softmax(scores, mask)
    assert_close(weights.sum(-1), mask.any(-1).double())
    assert (weights[~mask] == 0).all()


@given(shift=st.floats(-1e4, 1e4), seed=st.integers(0, 2**16))
def test_a_common_shift_cancels(shift: float, seed: int) -> None:
    torch.manual_seed(seed)
    scores = torch.randn(3, 5, dtype=torch.float64)
    assert_close(masked_softmax(scores + shift), masked_softmax(scores))


def test_gradients_are_finite_and_zero_in_empty_rows() -> None:
    scores = torch.randn(3, 5, requires_grad=True)
    mask = torch.tensor([True, False, True])[:, None].expand(3, 5)
    with torch.autograd.set_detect_anomaly(True):
        masked_softmax(scores, mask).square().sum().backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
    assert (scores.grad[1] == 0).all()


def test_half_precision_is_computed_in_float32() -> None:
    scores = torch.randn(3, 4099).half()
    weights = masked_softmax(scores)
    assert weights.dtype == torch.float32
    assert_close(weights.sum(-1), torch.ones(3))


@pytest.mark.parametrize("shape", [(5,), (3, 5), (1, 5), (2, 1, 1)])
def test_a_mask_that_broadcasts_is_accepted(shape: tuple[int, ...]) -> None:
    check_mask(torch.ones(shape, dtype=torch.bool), (2, 3, 5))


@pytest.mark.parametrize("shape", [(3,), (5, 3), (7, 2, 3, 5)])
def test_another_mask_is_refused_with_both_shapes(
    shape: tuple[int, ...],
) -> None:
    with pytest.raises(ValueError, match=r"mask of shape .* \(2, 3, 5\)"):
        check_mask(torch.ones(shape, dtype=torch.bool), (2, 3, 5))


def test_an_additive_mask_is_refused_with_advice() -> None:
    with pytest.raises(ValueError, match=r"torch.float32.*mask == 0"):
        check_mask(torch.zeros(3, 5), (3, 5))
