import pytest
import torch
from torch.testing import assert_close

from attncourse.attention import GeneralizedMeanPooling
from attncourse.models import MaxPooling2d


def test_it_equals_the_formula() -> None:
    x = torch.rand(2, 3, 5, 7, dtype=torch.float64) + 0.1
    pooled = GeneralizedMeanPooling(2.5).double()(x)
    assert_close(pooled, x.pow(2.5).mean((2, 3)).pow(1 / 2.5))
    cubes = GeneralizedMeanPooling().double()(x)
    assert_close(cubes, x.pow(3).mean((2, 3)).pow(1 / 3))


def test_power_one_is_the_average_with_equal_weights() -> None:
    x = torch.rand(2, 3, 5, 7) + 0.1
    pooled, weights = GeneralizedMeanPooling(1.0).attend(x)
    assert_close(pooled, x.mean((2, 3)))
    assert_close(weights, torch.full((2, 1, 5, 7), 1 / 35))


def test_a_large_power_is_the_maximum_with_its_map() -> None:
    x = torch.rand(2, 3, 5, 7, dtype=torch.float64)
    pooled, weights = GeneralizedMeanPooling(9000.0).double().attend(x)
    expected, won = MaxPooling2d().attend(x)
    assert_close(pooled, expected, atol=1e-3, rtol=0)
    assert_close(weights, won, atol=0.2, rtol=0)
    assert pooled.isfinite().all()


def test_weights_are_the_shares_of_the_derivative() -> None:
    x = torch.rand(1, 1, 5, 7, dtype=torch.float64, requires_grad=True)
    pooled, weights = GeneralizedMeanPooling().double().attend(x)
    (slope,) = torch.autograd.grad(pooled.sum(), x)
    assert_close(weights, slope / slope.sum())


def test_negative_values_count_as_the_floor_and_stay_finite() -> None:
    x = torch.full((1, 2, 5, 7), -3.0, requires_grad=True)
    module = GeneralizedMeanPooling(eps=1e-3)
    pooled = module(x)
    assert_close(pooled, torch.full((1, 2), 1e-3))
    pooled.sum().backward()
    assert x.grad is not None
    assert (x.grad == 0).all()
    assert module.power.grad is not None
    assert module.power.grad.isfinite()


def test_huge_values_in_half_precision_do_not_overflow() -> None:
    x = torch.full((1, 2, 5, 7), 3e4).half()
    pooled = GeneralizedMeanPooling(7.0).half()(x)
    assert_close(pooled, torch.full((1, 2), 3e4).half())


@pytest.mark.parametrize(
    ("power", "eps", "message"),
    [(0.5, 1e-6, "power must be at least 1"), (3.0, 0.0, "eps must be")],
)
def test_impossible_settings_are_refused(
    power: float, eps: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        GeneralizedMeanPooling(power, eps=eps)
