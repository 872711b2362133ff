from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from attncourse.attention import ResidualAttention
from tests.attention.contracts import noise, scrambled

Build = Callable[..., ResidualAttention]


def closed(module: ResidualAttention) -> ResidualAttention:
    """The module with a mask that is exactly zero everywhere."""
    norm, _, last = module.mask[-2]
    nn.init.zeros_(norm.weight)
    nn.init.ones_(norm.bias)
    nn.init.constant_(last.weight, -1000)
    return module


def idle(module: ResidualAttention) -> ResidualAttention:
    """The module with a trunk that leaves the map as it is."""
    for parameter in module.trunk.parameters():
        nn.init.zeros_(parameter)
    return module


def contract_a_zero_mask_leaves_the_trunk(build: Build) -> None:
    module = closed(scrambled(build(14, 2, 7)))
    x = noise(2, 14, 5, 3)
    output, mask = module.attend(x)
    assert (mask == 0).all()
    assert_close(output, module.trunk(x))


def contract_features_survive_depth(build: Build) -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(*(idle(build(14, 1, 7)) for _ in range(6)))
    x = torch.randn(2, 14, 5, 3)
    assert layers.eval()(x).abs().mean() > 0.5 * x.abs().mean()


CONTRACTS = [
    contract_a_zero_mask_leaves_the_trunk,
    contract_features_survive_depth,
]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_it_keeps_the_contract(contract) -> None:
    contract(ResidualAttention)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_naive_product_is_rejected(contract) -> None:
    with pytest.raises(AssertionError):
        contract(partial(ResidualAttention, naive=True))


def test_a_mask_of_a_half_halves_or_adds_a_half() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 14, 5, 3)
    for naive, factor in [(False, 1.5), (True, 0.5)]:
        module = idle(ResidualAttention(14, 1, 7, naive=naive)).eval()
        nn.init.zeros_(module.mask[-2][2].weight)
        assert_close(module(x), factor * x)


def test_the_output_is_the_trunk_times_one_plus_the_mask() -> None:
    module = scrambled(ResidualAttention(14, 2, 7))
    x = noise(2, 14, 5, 3)
    output, mask = module.attend(x)
    trunk = module.trunk[1](module.trunk[0](x))
    assert_close(mask, module.mask(x))
    assert_close(output, trunk + mask * trunk)


def upsampled(x: Tensor, height: int, width: int) -> Tensor:
    """Bilinear, by scikit-image."""
    resize = pytest.importorskip("skimage.transform").resize
    planes = [
        resize(
            plane.numpy(),
            (height, width),
            order=1,
            mode="edge",
            anti_aliasing=False,
        )
        for plane in x.flatten(0, 1)
    ]
    return torch.stack([torch.from_numpy(p) for p in planes]).unflatten(
        0, x.shape[:2]
    )


def halved(x: Tensor) -> Tensor:
    """The largest of each 3x3 window, every second position."""
    padded = F.pad(x, (1, 1, 1, 1), value=-torch.inf)
    windows = padded.unfold(2, 3, 2).unfold(3, 3, 2)
    return windows.amax((-2, -1))


def normalised(unit: nn.Sequential, x: Tensor) -> Tensor:
    norm, _, convolution = unit
    x = x / (1 + norm.eps) ** 0.5  # statistics of a fresh layer: 0 and 1
    x = x * norm.weight[:, None, None] + norm.bias[:, None, None]
    return F.conv2d(
        x.clamp(min=0),
        convolution.weight,
        padding=convolution.weight.shape[-1] // 2,
    )


def residual(unit: nn.Module, x: Tensor) -> Tensor:
    first, second, third = unit.convolutions
    inner = normalised(second, normalised(first, x))
    return x + normalised(third, inner)


@pytest.mark.parametrize("size", [(11, 13), (8, 6), (1, 1)])
@torch.no_grad()
def test_the_mask_equals_the_network_written_out(
    size: tuple[int, int],
) -> None:
    torch.manual_seed(0)
    module = ResidualAttention(14, 2, 7).double().eval()
    x = noise(2, 14, *size)
    outer = module.mask[0]
    inner = outer.coarser
    half = residual(outer.down, halved(x))
    quarter = residual(inner.up, residual(inner.down, halved(half)))
    back = residual(outer.skip, half) + upsampled(quarter, *half.shape[2:])
    back = upsampled(residual(outer.up, back), *size)
    scores = normalised(module.mask[2], normalised(module.mask[1], back))
    _, mask = module.attend(x)
    assert_close(mask, 1 / (1 + (-scores).exp()))


def test_the_mask_sees_further_than_the_trunk() -> None:
    module = scrambled(ResidualAttention(14, 3, 7))
    x = noise(1, 14, 37, 41)
    changed = x.clone()
    changed[..., 0, 0] += 1
    seen = (module.mask(x) != module.mask(changed)).any(1)
    passed = (module.trunk(x) != module.trunk(changed)).any(1)
    assert seen.sum() > 3 * passed.sum()


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_each_level_halves_the_map_once_more(levels: int) -> None:
    module = ResidualAttention(14, levels, 7)
    depth, below = 1, module.mask[0]
    while below.coarser is not None:
        depth, below = depth + 1, below.coarser
    assert depth == levels


def test_by_default_two_levels_halve_the_map() -> None:
    outer = ResidualAttention(8).mask[0]
    assert outer.coarser is not None
    assert outer.coarser.coarser is None


def test_the_default_unit_narrows_to_a_quarter() -> None:
    unit = ResidualAttention(8).trunk[0]
    shapes = [tuple(c[2].weight.shape) for c in unit.convolutions]
    assert shapes == [(2, 8, 1, 1), (2, 2, 3, 3), (8, 2, 1, 1)]


@pytest.mark.usefixtures("as_shipped")
def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="levels must be at least 1, got 0"):
        ResidualAttention(8, 0)
    with pytest.raises(ValueError, match="channels=7 and reduction=4"):
        ResidualAttention(7)
    with pytest.raises(ValueError, match=r"\(batch, 8, height, width\), got"):
        ResidualAttention(8)(torch.randn(8, 5, 3))
