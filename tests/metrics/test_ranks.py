import pytest
import torch

from attncourse.metrics import rank_correlation


def test_order_alone_counts():
    first = torch.tensor([0.1, 0.2, 0.9, 3.0, 2.0])
    assert rank_correlation(first, first.exp()) == pytest.approx(1)
    assert rank_correlation(first, -first) == pytest.approx(-1)
    tied = torch.tensor([1, 1, 2, 2, 2])
    # Ranks 1.5 1.5 4 4 4 against 1 2 3 5 4.
    expected = torch.corrcoef(
        torch.tensor([[1, 2, 3, 5, 4], [1.5, 1.5, 4, 4, 4]])
    )[0, 1]
    assert rank_correlation(first, tied) == pytest.approx(expected.item())
