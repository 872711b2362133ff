"""timm's layers and ours compute the same from the same weights."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from attncourse.attention import (
    CBAM,
    ChannelGate,
    EfficientChannelAttention,
    NonLocal2d,
    SelectiveKernel,
    SpatialGate,
    SqueezeExcitation,
    load_timm_state,
)

timm = pytest.importorskip("timm")


def drawn(module: nn.Module) -> nn.Module:
    """Every weight and every running mean away from its start."""
    torch.manual_seed(0)
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            noise = 0.3 * torch.randn(value.shape)
            value.copy_(noise.abs() + 0.5 if "var" in name else noise)
    return module.double().eval()


def noise(channels: int) -> Tensor:
    generator = torch.Generator().manual_seed(channels)
    shape = 3, channels, 7, 5
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def selective(**options) -> nn.Module:
    from timm.layers.selective_kernel import SelectiveKernel

    return SelectiveKernel(14, split_input=False, rd_channels=5, **options)


def cbam_of_timm(**options) -> nn.Module:
    from timm.layers.cbam import CbamModule

    return CbamModule(14, **options)


PAIRS = {
    "se": (
        lambda: timm.layers.SEModule(14, rd_channels=5),
        lambda: SqueezeExcitation(14, hidden_dim=5),
    ),
    "se with a hard gate": (
        lambda: timm.layers.SEModule(
            14, rd_channels=5, gate_layer="hard_sigmoid"
        ),
        lambda: SqueezeExcitation(14, hidden_dim=5, gate=F.hardsigmoid),
    ),
    "eca": (
        lambda: timm.layers.EcaModule(kernel_size=5),
        lambda: EfficientChannelAttention(14, 5),
    ),
    "cbam": (
        lambda: cbam_of_timm(rd_channels=5),
        lambda: CBAM(14, hidden_dim=5),
    ),
    "channel gate": (
        lambda: cbam_of_timm(rd_channels=5).channel,
        lambda: ChannelGate(14, hidden_dim=5),
    ),
    "spatial gate": (
        lambda: cbam_of_timm().spatial,
        SpatialGate,
    ),
    "sk": (
        selective,
        lambda: SelectiveKernel(14, groups=1, hidden_dim=5),
    ),
    "sk of three branches": (
        lambda: selective(kernel_size=[3, 5, 7], groups=2),
        lambda: SelectiveKernel(14, (3, 5, 7), groups=2, hidden_dim=5),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_it_computes_what_timm_does(name: str) -> None:
    theirs, ours = PAIRS[name][0](), PAIRS[name][1]().double().eval()
    drawn(theirs)
    load_timm_state(ours, theirs.state_dict())
    assert_close(ours(noise(14)), theirs(noise(14)))


def test_a_layer_of_a_trained_kind_of_network_fits() -> None:
    network = timm.create_model("seresnet18", pretrained=False)
    theirs = drawn(network.layer2[0].se)
    hidden = theirs.fc1.out_channels
    ours = SqueezeExcitation(128, hidden_dim=hidden).double()
    load_timm_state(ours, theirs.state_dict())
    assert_close(ours(noise(128)), theirs(noise(128)))


@pytest.mark.usefixtures("as_shipped")
def test_what_does_not_fit_is_refused_and_changes_nothing() -> None:
    ours = SqueezeExcitation(14, hidden_dim=5)
    before = {name: t.clone() for name, t in ours.state_dict().items()}
    state = timm.layers.SEModule(14, rd_channels=5).state_dict()
    for wrong, message in [
        (timm.layers.SEModule(14, rd_channels=7).state_dict(), "fc1.weight"),
        (timm.layers.EcaModule(14).state_dict(), r"\['conv.weight'\] besides"),
        ({"fc1.weight": state["fc1.weight"]}, "nothing for .*expand.bias"),
    ]:
        with pytest.raises(ValueError, match=message):
            load_timm_state(ours, wrong)
    with pytest.raises(ValueError, match=r"^layer must .*, got NonLocal2d$"):
        load_timm_state(NonLocal2d(14), state)
    for name, value in ours.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(
    "layer", [SqueezeExcitation, EfficientChannelAttention, CBAM, NonLocal2d]
)
def test_timm_takes_it_for_the_blocks_of_its_networks(layer) -> None:
    network = timm.create_model(
        "resnet18", pretrained=False, block_args={"attn_layer": layer}
    ).eval()
    assert type(network.layer3[1].se) is layer
    assert network(torch.randn(2, 3, 64, 64)).isfinite().all()
