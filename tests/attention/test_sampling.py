import math

import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import map_coordinates
from torch import Tensor
from torch.testing import assert_close

from attncourse.attention.sampling import (
    affine_grid,
    affine_sample,
    cell_centres,
    compose,
    reading_map,
)

IDENTITY = torch.eye(2, 3, dtype=torch.float64)[None]


def theta_of(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, 2, 3, generator=generator, dtype=torch.float64)
    return IDENTITY + 0.3 * noise


def ramp(height: int = 11, width: int = 13) -> Tensor:
    values = torch.arange(height * width, dtype=torch.float64)
    return values.reshape(1, 1, height, width).sin()


def test_the_identity_changes_nothing() -> None:
    x = ramp()
    assert_close(affine_sample(x, IDENTITY, (11, 13)), x)


def test_it_equals_scipy() -> None:
    x, theta = ramp(), theta_of()
    height, width, rows, columns = 11, 13, 5, 7
    v, u = torch.meshgrid(
        (2 * torch.arange(rows).double() + 1) / rows - 1,
        (2 * torch.arange(columns).double() + 1) / columns - 1,
        indexing="ij",
    )
    positions = torch.stack([u, v, torch.ones_like(u)], -1)
    found = positions @ theta[0].T
    column = ((found[..., 0] + 1) * width - 1) / 2
    row = ((found[..., 1] + 1) * height - 1) / 2
    expected = map_coordinates(
        x[0, 0].numpy(),
        [row.numpy(), column.numpy()],
        order=1,
        mode="grid-constant",
    )
    sampled = affine_sample(x, theta, (rows, columns))[0, 0]
    assert_close(sampled, torch.from_numpy(expected))


def test_the_grid_equals_that_of_torch() -> None:
    theta = torch.cat([theta_of(4), theta_of(5)])
    expected = F.affine_grid(theta, [2, 1, 5, 7], align_corners=False)
    assert_close(affine_grid(theta, (5, 7)), expected.flatten(1, 2))


def test_a_positive_shift_moves_the_content_left() -> None:
    x = torch.zeros(1, 1, 5, 8)
    x[0, 0, 2, 5] = 1
    theta = torch.tensor([[[1.0, 0, 0.5], [0, 1, 0]]])
    moved = affine_sample(x, theta, (5, 8))
    assert moved[0, 0, 2, 3] == 1


def test_the_composed_matrix_is_first_times_then() -> None:
    """Blurring apart, two samplings equal one; the other order does not."""
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, 67, dtype=torch.float64),
        torch.linspace(-1, 1, 71, dtype=torch.float64),
        indexing="ij",
    )
    image = torch.exp(-4 * ((x - 0.1) ** 2 + 2 * (y + 0.2) ** 2))[None, None]
    first, then = 0.5 * theta_of(1), 0.8 * theta_of(2)
    size = (67, 71)
    twice = affine_sample(affine_sample(image, first, size), then, size)
    once = affine_sample(image, compose(first, then), size)
    other = affine_sample(image, compose(then, first), size)
    inner = (..., slice(10, -10), slice(10, -10))
    near = (twice - once)[inner].abs().mean()
    assert near < 0.1 * (twice - other)[inner].abs().mean()


def test_the_reading_map_is_the_gradient_of_the_sum() -> None:
    x = ramp().requires_grad_()
    theta = theta_of(3)
    affine_sample(x, theta, (5, 7)).mean().backward()
    found = reading_map(theta, (5, 7), (11, 13))
    assert x.grad is not None
    assert_close(found, x.grad)


def test_the_reading_map_of_the_identity_is_flat_and_sums_to_one() -> None:
    found = reading_map(IDENTITY, (11, 13), (11, 13))
    assert_close(found, torch.full_like(found, 1 / (11 * 13)))


def test_a_matrix_in_low_precision_gives_a_reading_map_in_float32() -> None:
    theta = theta_of(3).bfloat16()
    found = reading_map(theta, (5, 7), (11, 13))
    assert_close(found, reading_map(theta.float(), (5, 7), (11, 13)))


def test_nothing_is_made_on_another_device() -> None:
    theta = theta_of().to("meta")
    assert reading_map(theta, (5, 7), (11, 13)).device.type == "meta"
    assert affine_grid(theta, (5, 7)).device.type == "meta"
    assert cell_centres(5, theta).device.type == "meta"
    assert compose(theta, theta).device.type == "meta"


def test_looking_outside_reads_nothing() -> None:
    theta = IDENTITY + torch.tensor([[[0, 0, 5.0], [0, 0, 0]]])
    assert (affine_sample(ramp(), theta, (5, 7)) == 0).all()
    assert (reading_map(theta, (5, 7), (11, 13)) == 0).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_images_get_a_grid_in_float32(dtype) -> None:
    x = torch.linspace(0, 1, 501).expand(1, 1, 3, 501).to(dtype)
    angle = math.radians(1)
    theta = torch.tensor(
        [[[math.cos(angle), 0, 0.3], [0, math.cos(angle), 0]]]
    )
    rough = affine_sample(x, theta, (3, 501))
    exact = affine_sample(x.double(), theta.double(), (3, 501))
    assert rough.dtype == dtype
    assert (rough.double() - exact).abs().max() < 5e-3
