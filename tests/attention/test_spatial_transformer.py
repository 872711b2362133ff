import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from attncourse.attention import SpatialTransformer
from attncourse.attention.sampling import affine_sample
from attncourse.attention.spatial_transformer import (
    Localization,
    affine,
    rotation,
    scaling,
    similarity,
    translation,
)

FAMILIES = [affine, similarity, translation, scaling, rotation]


class Constant(nn.Module):
    """A localisation network that always says the same."""

    def __init__(self, *numbers: float) -> None:
        super().__init__()
        self.numbers = nn.Parameter(torch.tensor(numbers))

    def forward(self, x: Tensor) -> Tensor:
        return self.numbers.expand(x.shape[0], -1)


@pytest.mark.parametrize("transform", FAMILIES)
@pytest.mark.parametrize("steps", [1, 3])
def test_it_starts_as_the_identity(transform, steps: int) -> None:
    torch.manual_seed(0)
    module = SpatialTransformer(3, transform, steps=steps)
    x = torch.randn(2, 3, 11, 13)
    assert_close(module(x), x)


def test_only_the_last_layer_learns_at_first_and_all_do_then() -> None:
    torch.manual_seed(0)
    module = SpatialTransformer(3)
    optimiser = torch.optim.SGD(module.parameters(), lr=0.01)
    x = torch.randn(5, 3, 11, 13)
    for step in range(2):
        optimiser.zero_grad()
        module(x).square().mean().backward()
        first = module.localization.features[0].weight.grad
        last = module.localization.numbers.weight.grad
        assert (first.abs().sum() > 0) == (step == 1)
        assert last.abs().sum() > 0
        optimiser.step()


def test_a_rotation_keeps_lengths_on_a_map_that_is_not_square() -> None:
    x = torch.zeros(1, 1, 64, 32)
    x[0, 0, 20:44, 15:17] = 1  # an upright bar, 24 x 2
    module = SpatialTransformer(
        1, rotation, localization=Constant(math.pi / 2)
    )
    turned = module(x)[0, 0]
    lit = (turned > 0.5).nonzero()
    height, width = (lit.amax(0) - lit.amin(0) + 1).tolist()
    assert (height, width) == (2, 24)


@pytest.mark.parametrize(
    ("transform", "numbers", "matrix"),
    [
        (translation, (0.3, -0.2), [[1, 0, 0.3], [0, 1, -0.2]]),
        (scaling, (math.log(0.5),), [[0.5, 0, 0], [0, 0.5, 0]]),
        (
            affine,
            (0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
            [[1.1, 0.2, 0.3], [0.4, 1.5, 0.6]],
        ),
        (
            similarity,
            (math.log(2), math.pi / 6, 0.3, -0.2),
            [[3**0.5, -1 * 0.5, 0.3], [1 / 0.5, 3**0.5, -0.2]],
        ),
    ],
)
def test_each_family_makes_its_matrix(transform, numbers, matrix) -> None:
    module = SpatialTransformer(1, transform, localization=Constant(*numbers))
    theta = module.theta(torch.zeros(2, 1, 4, 8))
    assert_close(theta, torch.tensor([matrix, matrix], dtype=torch.float32))


@pytest.mark.parametrize("transform", FAMILIES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_matrix_keeps_the_type_and_the_device(transform, dtype) -> None:
    numbers = torch.zeros(2, transform.count, dtype=dtype)
    matrix = transform.matrix(numbers, 0.5)
    assert_close(matrix, torch.eye(2, 3, dtype=dtype).expand(2, -1, -1))
    assert transform.matrix(numbers.to("meta"), 0.5).device.type == "meta"


def test_a_restricted_family_only_restricts() -> None:
    names = {family.count for family in FAMILIES}
    assert names == {6, 4, 2, 1}


def test_steps_compose_to_a_power_of_the_matrix() -> None:
    numbers = (0.1, -0.2, 0.05, 0.15, -0.1, 0.02)
    module = SpatialTransformer(1, steps=3, localization=Constant(*numbers))
    single = SpatialTransformer(1, localization=Constant(*numbers))
    x = torch.randn(1, 1, 11, 13)
    square = torch.eye(3)
    square[:2] = single.theta(x)[0]
    assert_close(module.theta(x)[0], torch.matrix_power(square, 3)[:2])


def test_rotations_of_a_map_that_is_not_square_add_up() -> None:
    thrice = SpatialTransformer(
        1, rotation, steps=3, localization=Constant(0.2)
    )
    once = SpatialTransformer(1, rotation, localization=Constant(0.6))
    x = torch.zeros(1, 1, 11, 17)
    assert_close(thrice.theta(x), once.theta(x))


def test_what_leaves_the_frame_can_come_back() -> None:
    """Zooming in and out again loses the border when images are chained."""

    class InThenOut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.zooms = [math.log(0.5), math.log(2.0)]

        def forward(self, x: Tensor) -> Tensor:
            zoom = self.zooms[self.calls]
            self.calls += 1
            return x.new_full((x.shape[0], 1), zoom)

    localization = InThenOut()
    localization.calls = 0
    module = SpatialTransformer(1, scaling, steps=2, localization=localization)
    x = torch.rand(1, 1, 12, 12) + 1
    assert_close(module(x), x)
    chained = x
    for zoom in localization.zooms:
        matrix = scaling.matrix(torch.tensor([[zoom]]), 1.0)
        chained = affine_sample(chained, matrix, (12, 12))
    assert (chained - x).abs().mean() > 0.3


def test_one_step_sees_the_map_and_the_next_what_was_made_of_it() -> None:
    seen = []

    class Recording(Constant):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x)
            return super().forward(x)

    module = SpatialTransformer(
        1, translation, steps=2, localization=Recording(0.5, 0.0)
    )
    x = torch.randn(1, 1, 8, 8)
    module(x)
    assert_close(seen[0], x)
    assert_close(seen[1][..., :6], x[..., 2:])


def test_the_output_may_have_another_size() -> None:
    module = SpatialTransformer(1, size=(5, 7))
    assert module(torch.randn(2, 1, 11, 13)).shape == (2, 1, 5, 7)


def test_the_localisation_network_equals_itself_written_out() -> None:
    torch.manual_seed(0)
    network = Localization(3, 6).double().eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    x = torch.randn(2, 3, 11, 13, dtype=torch.float64)
    first, first_norm, _, second, second_norm, _ = network.features
    assert first.weight.shape == (16, 3, 5, 5)
    assert second.weight.shape == (16, 16, 3, 3)
    maps = F.conv2d(x, first.weight, stride=2, padding=2)
    maps = first_norm(maps).clamp(min=0)
    maps = F.conv2d(maps, second.weight, stride=2, padding=1)
    maps = second_norm(maps).clamp(min=0)
    assert maps.shape == (2, 16, 3, 4)
    powers = network.heat(maps).exp()
    assert powers.shape[1] == 8
    shares = powers / powers.sum((2, 3), keepdim=True)
    across = torch.tensor([-0.75, -0.25, 0.25, 0.75], dtype=torch.float64)
    down = torch.tensor([-2 / 3, 0, 2 / 3], dtype=torch.float64)
    found = torch.stack(
        [(shares.sum(2) * across).sum(-1), (shares.sum(3) * down).sum(-1)], -1
    )
    summary = torch.cat([maps.mean((2, 3)), found.flatten(1)], 1)
    expected = network.numbers(network.hidden(summary).tanh())
    assert_close(network(x), expected)


def test_the_soft_arg_max_finds_a_shifted_blob() -> None:
    """A few steps of training centre a bright spot."""
    torch.manual_seed(0)
    module = SpatialTransformer(1, translation)
    optimiser = torch.optim.Adam(module.parameters(), lr=0.01)
    grid = torch.arange(16)
    for _ in range(150):
        centre = torch.randint(4, 12, (32, 2))
        distance = (grid[:, None] - centre[:, None, :1]).unsqueeze(2) ** 2
        across = (grid[None] - centre[:, 1:]).unsqueeze(1) ** 2
        x = torch.exp(-(distance.squeeze(-1) + across) / 4.0).unsqueeze(1)
        target = 2 * centre.flip(1) / 16 - 15 / 16
        loss = (module.theta(x)[..., 2] - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.01


@pytest.mark.parametrize(("channels", "steps"), [(0, 1), (3, 0)])
def test_impossible_numbers_are_refused(channels: int, steps: int) -> None:
    with pytest.raises(ValueError, match=f"got {channels} and {steps}"):
        SpatialTransformer(channels, steps=steps)
