import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torch.testing import assert_close

from attncourse.attention import SqueezeExcitation
from attncourse.bugs import channel as wrong
from tests.attention import contracts
from tests.attention.contracts import noise, scrambled


@pytest.mark.parametrize("contract", contracts.CONTRACTS)
def test_it_keeps_the_contract_of_a_channel_gate(contract) -> None:
    contract(SqueezeExcitation(14, 2))


@pytest.mark.filterwarnings("ignore:Initializing zero-element")
def test_an_empty_bottleneck_is_rejected() -> None:
    empty = wrong.EmptyBottleneck(14)
    x = torch.randn(2, 14, 3, 5)
    assert torch.equal(empty(x), x / 2)
    with pytest.raises(AssertionError):
        contracts.contract_gates_depend_on_the_map(empty)


def test_gates_on_columns_are_rejected() -> None:
    with pytest.raises(AssertionError):
        contracts.contract_gate_is_the_same_at_every_position(
            wrong.GatesOnColumns(14, 2)
        )


def test_a_mean_over_channels_is_rejected() -> None:
    with pytest.raises(AssertionError):
        contracts.contract_gates_ignore_where(
            wrong.SqueezedOverChannels(14, 2)
        )


def as_convolutions(ours: nn.Module) -> dict[str, torch.Tensor]:
    """The two linear layers as the 1x1 convolutions of torchvision, timm."""
    return {
        "fc1.weight": ours.reduce.weight[..., None, None],
        "fc1.bias": ours.reduce.bias,
        "fc2.weight": ours.expand.weight[..., None, None],
        "fc2.bias": ours.expand.bias,
    }


def test_it_equals_torchvision() -> None:
    torchvision = pytest.importorskip("torchvision")
    ours = scrambled(SqueezeExcitation(14, 2))
    theirs = torchvision.ops.SqueezeExcitation(14, 7).double()
    theirs.load_state_dict(as_convolutions(ours))
    x = noise(3, 14, 11, 13)
    assert_close(ours(x), theirs(x))


def test_it_equals_timm() -> None:
    timm = pytest.importorskip("timm")
    ours = scrambled(SqueezeExcitation(14, 2))
    theirs = timm.layers.SEModule(14, rd_channels=7).double()
    theirs.load_state_dict(as_convolutions(ours))
    x = noise(3, 14, 11, 13)
    assert_close(ours(x), theirs(x))


def test_the_gates_are_those_of_the_formula() -> None:
    ours = scrambled(SqueezeExcitation(14, 2))
    x = noise(3, 14, 11, 13)
    output, gates = ours.attend(x)
    for sample, gate in zip(x, gates, strict=True):
        averages = torch.stack([plane.sum() / 143 for plane in sample])
        hidden = ours.reduce.weight @ averages + ours.reduce.bias
        scores = ours.expand.weight @ hidden.clamp(min=0) + ours.expand.bias
        assert_close(gate, 1 / (1 + (-scores).exp()))
    assert_close(output, torch.einsum("bc,bchw->bchw", gates, x))


def test_gates_start_near_a_half_and_do_not_share_a_total() -> None:
    torch.manual_seed(0)
    _, gates = SqueezeExcitation(64).attend(torch.randn(2, 64, 7, 5))
    assert_close(gates, torch.full_like(gates, 0.5), atol=0.2, rtol=0)
    assert (gates.sum(1) > 25).all()


def test_the_reduction_of_the_paper_is_the_default() -> None:
    assert SqueezeExcitation(64).reduce.out_features == 4


@pytest.mark.parametrize(
    ("channels", "reduction"), [(15, 16), (17, 16), (8, 0), (0, 1), (8, -2)]
)
def test_an_impossible_reduction_is_refused(
    channels: int, reduction: int
) -> None:
    with pytest.raises(
        ValueError, match=f"channels={channels} and reduction={reduction}"
    ):
        SqueezeExcitation(channels, reduction)


@pytest.mark.usefixtures("as_shipped")
@pytest.mark.parametrize("shape", [(14, 5, 3), (2, 13, 5, 3)])
def test_a_map_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(batch, 14, height, width\), got"):
        SqueezeExcitation(14, 2)(torch.randn(shape))


@pytest.mark.usefixtures("as_shipped")
def test_torchvision_has_it_in_its_mobile_networks() -> None:
    """A width that no reduction gives, and a gate that is piecewise linear."""
    block = torchvision.models.mobilenet_v3_large(weights=None).features[5]
    theirs = next(
        part
        for part in block.modules()
        if isinstance(part, torchvision.ops.SqueezeExcitation)
    )
    ours = SqueezeExcitation(120, hidden_dim=32, gate=F.hardsigmoid)
    with torch.no_grad():
        for own, other in (
            (ours.reduce, theirs.fc1),
            (ours.expand, theirs.fc2),
        ):
            own.weight.copy_(other.weight.flatten(1))
            own.bias.copy_(other.bias)
    x = torch.randn(2, 120, 7, 5)
    assert_close(ours(x), theirs(x))
