import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from attncourse.attention import SelectiveKernel
from attncourse.bugs import branches as wrong
from tests.attention.contracts import noise, scrambled, shuffled_positions


def with_statistics(module: nn.Module) -> nn.Module:
    """Batch normalisations as after training."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.5, 2)
    return module


def contract_branches_share_every_channel(
    kind: type[SelectiveKernel],
) -> None:
    module = scrambled(kind(14, (3, 5, 9), groups=2, hidden_dim=11))
    _, weights = module.attend(noise(2, 14, 7, 5))
    total = weights.sum(1)
    assert_close(total, torch.ones_like(total))


def contract_equal_branches_give_themselves(
    kind: type[SelectiveKernel],
) -> None:
    """What is the same in all branches does not depend on the weights."""
    module = scrambled(kind(14, (3, 3), groups=2))
    first, second = module.branches
    second.load_state_dict(first.state_dict())
    x = noise(2, 14, 7, 5)
    output, _ = module.attend(x)
    assert_close(output, first(x))


CONTRACTS = [
    contract_branches_share_every_channel,
    contract_equal_branches_give_themselves,
]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_it_keeps_the_contract(contract) -> None:
    contract(SelectiveKernel)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_softmax_over_channels_is_rejected(contract) -> None:
    with pytest.raises(AssertionError):
        contract(wrong.SoftmaxOverChannels)


@pytest.mark.parametrize("sizes", [(3, 5), (3, 5, 7)])
def test_it_equals_timm(sizes: tuple[int, ...]) -> None:
    timm = pytest.importorskip("timm")
    ours = with_statistics(
        scrambled(SelectiveKernel(14, sizes, groups=2, hidden_dim=11))
    )
    theirs = timm.layers.SelectiveKernel(
        14,
        kernel_size=list(sizes),
        groups=2,
        rd_channels=11,
        split_input=False,
    )
    theirs = theirs.double().eval()
    for own, other in zip(ours.branches, theirs.paths, strict=True):
        other.conv.load_state_dict(own[0].state_dict())
        other.bn.load_state_dict(own[1].state_dict())
    with torch.no_grad():
        theirs.attn.fc_reduce.weight.copy_(ours.reduce.weight[..., None, None])
        theirs.attn.fc_select.weight.copy_(ours.select.weight[..., None, None])
    theirs.attn.bn.load_state_dict(ours.norm.state_dict())
    x = noise(3, 14, 11, 13)
    assert_close(ours(x), theirs(x))


def test_it_equals_the_formula() -> None:
    module = with_statistics(
        scrambled(SelectiveKernel(14, (3, 5, 7), groups=7, hidden_dim=11))
    )
    x = noise(2, 14, 11, 13)
    output, weights = module.attend(x)
    maps = [branch(x) for branch in module.branches]
    squeezed = sum(maps).mean((2, 3))
    z = F.relu(module.norm(squeezed @ module.reduce.weight.T))
    selectors = module.select.weight.chunk(3)
    powers = [(z @ selector.T).exp() for selector in selectors]
    for branch in range(3):
        assert_close(weights[:, branch], powers[branch] / sum(powers))
    expected = sum(
        weights[:, m, :, None, None] * branch_map
        for m, branch_map in enumerate(maps)
    )
    assert_close(output, expected)


@pytest.mark.parametrize("size", [3, 5, 9])
def test_a_branch_reaches_as_far_as_its_kernel(size: int) -> None:
    module = scrambled(SelectiveKernel(2, (size, 3), groups=1))
    point = torch.zeros(1, 2, 13, 17, dtype=torch.float64)
    point[..., 6, 8] = 1
    convolution = module.branches[0][0]
    touched = (convolution(point) != 0).any(1).squeeze().nonzero()
    reach = (touched - torch.tensor([6, 8])).abs().amax().item()
    assert reach == size // 2
    assert len(touched) == 9


def test_weights_ignore_where() -> None:
    """The squeeze is a mean, so only the branches see the positions."""
    module = scrambled(SelectiveKernel(14, groups=2))
    maps = [noise(2, 14, 11, 13), noise(2, 14, 13, 11).mT]
    shuffled = [shuffled_positions(m) for m in maps]
    assert_close(module.scores(maps), module.scores(shuffled))


def test_defaults_are_those_of_the_paper() -> None:
    for channels, hidden in [(64, 32), (1024, 64)]:
        module = SelectiveKernel(channels)
        assert [b[0].dilation for b in module.branches] == [(1, 1), (2, 2)]
        assert [b[0].groups for b in module.branches] == [32, 32]
        assert module.reduce.out_features == hidden


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((64, (3,)), {}, r"two branches or more, got \(3,\)"),
        ((64, (3, 4)), {}, "each of kernel_sizes must be odd .* got 4"),
        ((64, (1, 3)), {}, "at least 3, got 1"),
        ((31,), {}, "channels=31 and groups=32"),
        ((64,), {"groups": 0}, "channels=64 and groups=0"),
        ((64,), {"hidden_dim": 0}, "hidden_dim must be at least 1, got 0"),
    ],
)
def test_impossible_arguments_are_refused(
    arguments: tuple, options: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        SelectiveKernel(*arguments, **options)


@pytest.mark.usefixtures("as_shipped")
def test_a_map_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(batch, 14, height, width\)"):
        SelectiveKernel(14, groups=2)(torch.randn(2, 13, 5, 3))
