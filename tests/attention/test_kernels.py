"""The fast ways compute what the plain line in their docstring says.

Which kernel of torch they reach is tested in ``test_dot_product.py``.
"""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from attncourse.attention import _kernels


def noise(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("value_dim", [2, 7, 13])
@pytest.mark.parametrize("lead", [(), (2,), (2, 3), (2, 3, 1)])
def test_fused_attention(lead: tuple[int, ...], value_dim: int) -> None:
    query, key = noise(*lead, 5, 7), noise(*lead, 11, 7)
    value = noise(*lead, 11, value_dim)
    bias = noise(5, 11)
    found = _kernels.fused_attention(query, key, value, None, bias, 0.3)
    weights = (0.3 * query @ key.mT + bias).softmax(-1)
    assert_close(found, weights @ value)


@pytest.mark.parametrize("queries", [1, 31, 32, 33, 70])
def test_additive_scores(queries: int) -> None:
    query, key, direction = noise(2, queries, 7), noise(2, 11, 7), noise(1, 7)
    pairs = torch.tanh(query[:, :, None] + key[:, None])
    expected = torch.einsum("bqkh,h->bqk", pairs, direction[0])
    assert_close(_kernels.additive_scores(query, key, direction), expected)


def test_additive_scores_of_no_queries() -> None:
    found = _kernels.additive_scores(
        noise(2, 0, 7), noise(2, 3, 7), noise(1, 7)
    )
    assert found.shape == (2, 0, 3)


@pytest.mark.usefixtures("as_shipped")
def test_mixture_wants_a_weight_for_each_map() -> None:
    with pytest.raises(ValueError, match="longer"):
        _kernels.mixture(noise(2, 1).unbind(), noise(3, 1).unbind())


@pytest.mark.parametrize("count", [1, 2, 5])
def test_mixture(count: int) -> None:
    weights, maps = noise(count, 2, 7, 1, 1), noise(count, 2, 7, 5, 3)
    found = _kernels.mixture(weights.unbind(), maps.unbind())
    assert_close(found, (weights * maps).sum(0))


def test_mixture_has_the_type_of_the_maps() -> None:
    weights, maps = (
        noise(2, 2, 7, 1, 1).float(),
        noise(2, 2, 7, 5, 3).bfloat16(),
    )
    assert (
        _kernels.mixture(weights.unbind(), maps.unbind()).dtype == maps.dtype
    )


@pytest.mark.parametrize(
    ("largest", "axes"),
    [
        (_kernels.largest_over_positions, (2, 3)),
        (_kernels.largest_over_channels, (1,)),
    ],
)
def test_largest(largest, axes: tuple[int, ...]) -> None:
    x = noise(2, 7, 5, 3)
    expected = x.amax(axes, keepdim=axes == (1,))
    assert torch.equal(largest(x), expected)
    x.requires_grad_()
    assert torch.equal(largest(x), expected)
    with torch.no_grad():
        assert torch.equal(largest(x), expected)
    (gradient,) = torch.autograd.grad(largest(x).sum(), x)
    assert torch.equal(gradient, (x == x.amax(axes, keepdim=True)).double())


@pytest.mark.parametrize(
    "largest",
    [_kernels.largest_over_positions, _kernels.largest_over_channels],
)
def test_of_ties_one_gets_the_gradient(largest) -> None:
    x = torch.ones(1, 3, 1, 3, requires_grad=True)
    largest(x).sum().backward()
    assert (x.grad != 0).sum() == 3
