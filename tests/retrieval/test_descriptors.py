import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attncourse import watch
from attncourse.attention import GeneralizedMeanPooling
from attncourse.bugs.retrieval import SamplesAsScales
from attncourse.models import AveragePooling2d
from attncourse.retrieval import Descriptor, SoftplusPooling2d


def scrambled(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module.double().eval()


def noise(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def contract_one_descriptor_for_each_map(kind: type[nn.Module]) -> None:
    module = kind(AveragePooling2d())
    for count in (2, 3):
        assert module(noise(count, 7, 5, 3)).shape == (count, 7)


def test_there_is_one_descriptor_for_each_map() -> None:
    contract_one_descriptor_for_each_map(Descriptor)


def test_samples_joined_to_one_table_are_rejected() -> None:
    with pytest.raises(AssertionError):
        contract_one_descriptor_for_each_map(SamplesAsScales)


def test_the_pooling_equals_the_formula() -> None:
    pooling = scrambled(SoftplusPooling2d(7, 3))
    x = noise(2, 7, 5, 3)
    pooled, weights = pooling.attend(x)
    matrix, scores = pooling.hidden.weight[..., 0, 0], pooling.score
    for sample in range(2):
        total = torch.zeros(7, dtype=torch.float64)
        for row in range(5):
            for column in range(3):
                position = x[sample, :, row, column]
                hidden = (matrix @ position + pooling.hidden.bias).clamp(min=0)
                score = hidden @ scores.weight.flatten() + scores.bias
                weight = (1 + score.exp()).log()
                assert_close(weights[sample, 0, row, column], weight[0])
                total += weight * position / position.norm()
        assert_close(pooled[sample], total)
    assert_close(pooling(x), pooled)


def test_weights_are_positive_and_do_not_share_a_total() -> None:
    _, weights = scrambled(SoftplusPooling2d(7, 3)).attend(noise(2, 7, 5, 3))
    assert weights.shape == (2, 1, 5, 3)
    assert (weights > 0).all()
    totals = weights.sum((1, 2, 3))
    assert not torch.allclose(totals[0], totals[1])


def test_the_length_of_a_position_counts_for_its_score_alone() -> None:
    pooling = scrambled(SoftplusPooling2d(7, 3))
    nn.init.zeros_(pooling.score.weight)
    x = noise(2, 7, 5, 3)
    lengths = torch.rand(2, 1, 5, 3, dtype=torch.float64) + 0.1
    assert_close(pooling(x * lengths), pooling(x))


@pytest.mark.parametrize(
    "pooling",
    [GeneralizedMeanPooling(), AveragePooling2d(), SoftplusPooling2d(7, 3)],
)
def test_a_descriptor_has_length_one_and_direction_of_its_pooling(
    pooling: nn.Module,
) -> None:
    describe = Descriptor(pooling).double()
    x = noise(2, 7, 5, 3)
    found, weights = describe.attend(x)
    assert_close(found.norm(dim=1), torch.ones(2).double())
    expected = pooling(x)
    assert_close(found * expected.norm(dim=1, keepdim=True), expected)
    assert_close(describe(x), found)
    with watch(describe) as maps:
        describe(x)
    assert_close(maps["pooling"], weights)


def test_generalised_mean_with_power_one_is_the_average() -> None:
    x = noise(2, 7, 5, 3).abs()
    gem = Descriptor(GeneralizedMeanPooling(1.0)).double()
    assert_close(gem(x), Descriptor(AveragePooling2d())(x))


def test_a_small_object_is_found_by_generalised_mean() -> None:
    """An object on 4 of 143 positions; the background is another each time."""
    generator = torch.Generator().manual_seed(0)
    clutter = torch.rand(2, 5, 5, 11, 13, generator=generator)
    background = torch.rand(2, 5, 5, 1, 1, generator=generator)
    maps = clutter + background
    maps[..., :2, :2] += 7 * torch.eye(5)[:, :, None, None]
    gap = {}
    for pooling in (GeneralizedMeanPooling(), AveragePooling2d()):
        query, gallery = map(Descriptor(pooling), maps)
        cosines = query @ gallery.T
        gap[type(pooling)] = cosines.diagonal().mean() - cosines.mean()
    assert gap[GeneralizedMeanPooling] > 3 * gap[AveragePooling2d]


def test_samples_do_not_mix_and_gradients_reach_the_scores() -> None:
    describe = Descriptor(SoftplusPooling2d(7, 3))
    x = torch.randn(3, 7, 5, 3)
    assert_close(describe(x)[1:2], describe(x[1:2]))
    describe(x)[:, 0].sum().backward()
    for parameter in describe.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


@pytest.mark.usefixtures("as_shipped")
def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="hidden_dim must be at least 1"):
        SoftplusPooling2d(7, 0)
    with pytest.raises(ValueError, match=r"got \(2, 6, 5, 3\)"):
        SoftplusPooling2d(7, 3)(torch.randn(2, 6, 5, 3))
