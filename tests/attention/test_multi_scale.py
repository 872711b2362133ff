import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from attncourse.attention import MultiScaleAttention
from attncourse.bugs import branches as wrong
from tests.attention.contracts import noise, scrambled


def contract_scales_share_every_position(
    kind: type[MultiScaleAttention],
) -> None:
    module = scrambled(kind(3, (1.0, 0.5, 0.25)))
    _, weights = module.attend(noise(2, 3, 7, 5))
    total = weights.sum(1)
    assert_close(total, torch.ones_like(total))


def contract_what_looks_the_same_at_all_scales_stays(
    kind: type[MultiScaleAttention],
) -> None:
    module = scrambled(kind(3))
    module.features = nn.Identity()
    x = noise(2, 3, 1, 1).expand(-1, -1, 7, 5)
    output, _ = module.attend(x)
    assert_close(output, x)


CONTRACTS = [
    contract_scales_share_every_position,
    contract_what_looks_the_same_at_all_scales_stays,
]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_it_keeps_the_contract(contract) -> None:
    contract(MultiScaleAttention)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_softmax_over_positions_is_rejected(contract) -> None:
    with pytest.raises(AssertionError):
        contract(wrong.SoftmaxOverPositions)


def test_it_equals_the_formula() -> None:
    module = scrambled(MultiScaleAttention(3, (1.0, 0.5, 0.2), hidden_dim=5))
    x = noise(2, 3, 11, 13)
    output, weights = module.attend(x)
    views = [module.view(x, scale) for scale in (1.0, 0.5, 0.2)]
    scores = module.score(module.hidden(torch.cat(views, 1)).clamp(min=0))
    powers = scores.exp()
    for scale in range(3):
        assert_close(weights[:, scale], powers[:, scale] / powers.sum(1))
    expected = sum(
        weights[:, scale, None] * view for scale, view in enumerate(views)
    )
    assert_close(output, expected)


def averaged(x: Tensor, height: int, width: int) -> Tensor:
    """The mean of every area that one position of the view stands for."""

    def areas(length: int, pieces: int) -> list[slice]:
        return [
            slice(i * length // pieces, -(-(i + 1) * length // pieces))
            for i in range(pieces)
        ]

    rows = [
        torch.stack(
            [
                x[:, :, row, column].mean((2, 3))
                for column in areas(x.shape[3], width)
            ],
            dim=-1,
        )
        for row in areas(x.shape[2], height)
    ]
    return torch.stack(rows, dim=-2)


@pytest.mark.parametrize(
    ("scale", "height", "width"), [(1.0, 11, 13), (0.5, 6, 6), (0.05, 1, 1)]
)
def test_a_view_equals_scikit_image(
    scale: float, height: int, width: int
) -> None:
    resize = pytest.importorskip("skimage.transform").resize
    module = scrambled(MultiScaleAttention(3))
    x = noise(2, 3, 11, 13)
    with torch.no_grad():
        view = module.view(x, scale)
        seen = module.features(averaged(x, height, width))
    for found, plane in zip(
        view.flatten(0, 1), seen.flatten(0, 1), strict=True
    ):
        expected = resize(
            plane.numpy(),
            (11, 13),
            order=1,
            mode="edge",
            anti_aliasing=False,
        )
        assert_close(found, torch.from_numpy(expected))


def test_the_shared_network_is_a_convolution_with_relu() -> None:
    module = scrambled(MultiScaleAttention(3))
    layer = module.features[0]
    x = noise(2, 3, 7, 5)
    expected = F.conv2d(x, layer.weight, layer.bias, padding=1).clamp(min=0)
    assert_close(module.view(x, 1.0), expected)


def test_a_coarser_view_sees_further() -> None:
    """One position, seen at 1, reaches 3x3 positions; at 1/4 it reaches 12."""
    module = scrambled(MultiScaleAttention(3, (1.0, 0.25)))
    x = noise(1, 3, 32, 48)
    changed = x.clone()
    changed[..., 16, 24] += 1
    reach = []
    for scale in (1.0, 0.25):
        moved = module.view(x, scale) != module.view(changed, scale)
        reach.append(moved.any(1).sum().item())
    assert reach[0] <= 9
    assert reach[1] >= 100


def test_far_positions_do_not_compete() -> None:
    module = scrambled(MultiScaleAttention(3))
    x = noise(1, 3, 31, 37)
    changed = x.clone()
    changed[..., :4, :4] *= -3
    _, before = module.attend(x)
    _, after = module.attend(changed)
    assert not torch.allclose(before[..., :4, :4], after[..., :4, :4])
    assert torch.equal(before[..., 16:, 16:], after[..., 16:, 16:])


def test_it_starts_as_the_mean_over_the_scales() -> None:
    module = MultiScaleAttention(3, (1.0, 0.75, 0.5))
    x = torch.randn(2, 3, 7, 5)
    output, weights = module.attend(x)
    assert_close(weights, torch.full_like(weights, 1 / 3))
    views = [module.view(x, scale) for scale in (1.0, 0.75, 0.5)]
    assert_close(output, torch.stack(views).mean(0))


def test_defaults() -> None:
    module = MultiScaleAttention(3)
    assert module.scales == (1.0, 0.5)
    assert module.hidden.weight.shape == (3, 6, 3, 3)
    assert module.score.weight.shape == (2, 3, 1, 1)


@pytest.mark.usefixtures("as_shipped")
def test_bad_input_is_refused() -> None:
    for scales in [(1.0,), (), (1.0, 0.0), (1.0, 1.5)]:
        with pytest.raises(ValueError, match="two or more numbers above 0"):
            MultiScaleAttention(3, scales)
    with pytest.raises(ValueError, match="at least 1, got 0 and 0"):
        MultiScaleAttention(0)
    with pytest.raises(ValueError, match="at least 1, got 3 and 0"):
        MultiScaleAttention(3, hidden_dim=0)
    with pytest.raises(ValueError, match=r"\(batch, 3, height, width\), got"):
        MultiScaleAttention(3)(torch.randn(3, 5, 7))
