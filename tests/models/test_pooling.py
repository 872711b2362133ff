import torch
from torch.testing import assert_close

from attncourse.models import AveragePooling2d, MaxPooling2d


def test_average_pooling_is_the_mean_with_equal_weights() -> None:
    x = torch.randn(2, 3, 5, 7)
    pooled, weights = AveragePooling2d().attend(x)
    assert_close(pooled, x.mean((2, 3)))
    assert_close(weights, torch.full((2, 1, 5, 7), 1 / 35))
    assert_close(AveragePooling2d()(x), pooled)


def test_max_pooling_maps_the_positions_that_won() -> None:
    x = torch.zeros(1, 4, 5, 7)
    x[0, 0, 1, 2] = x[0, 1, 1, 2] = x[0, 2, 4, 6] = 1  # channel 3: all tie
    pooled, weights = MaxPooling2d().attend(x)
    assert pooled.tolist() == [[1, 1, 1, 0]]
    tie = 1 / (4 * 35)
    assert_close(weights[0, 0, 1, 2], torch.tensor(2 / 4 + tie))
    assert_close(weights[0, 0, 4, 6], torch.tensor(1 / 4 + tie))
    assert_close(weights.sum(), torch.tensor(1.0))
    assert torch.equal(MaxPooling2d()(x), pooled)
