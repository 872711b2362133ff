from collections.abc import Callable
from functools import partial

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.testing import assert_close

from attncourse import watch
from attncourse.attention import (
    CBAM,
    EfficientChannelAttention,
    NonLocal2d,
    SelfAttention2d,
    SoftmaxChannelAttention,
    SqueezeExcitation,
)
from attncourse.models import attention_resnet, load_backbone

PLAIN = {
    18: torchvision.models.resnet18,
    50: torchvision.models.resnet50,
    101: torchvision.models.resnet101,
}
BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
CHANNELS = {18: (64, 128, 256, 512), 50: (256, 512, 1024, 2048)}
CHANNELS[101] = CHANNELS[50]


def images(batch: int = 2, height: int = 37, width: int = 53) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, height, width, generator=generator)


def seeded(build: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return build().eval()


@pytest.mark.parametrize("depth", PLAIN)
def test_without_attention_it_is_the_network_of_torchvision(
    depth: int,
) -> None:
    with torch.device("meta"):
        ours = attention_resnet(depth, classes=7)
        theirs = PLAIN[depth](num_classes=7)
    assert str(ours) == str(theirs)


@pytest.mark.parametrize("depth", PLAIN)
def test_every_block_or_stage_gets_attention_of_its_width(depth: int) -> None:
    asked: list[int] = []

    def attention(channels: int) -> nn.Module:
        asked.append(channels)
        return nn.Identity()

    with torch.device("meta"):
        attention_resnet(depth, in_branch=attention, stages=(2, 4))
        assert asked == [
            channels
            for stage in (1, 3)
            for channels in [CHANNELS[depth][stage]] * BLOCKS[depth][stage]
        ]
        asked.clear()
        attention_resnet(depth, after_stage=attention)
    assert asked == [*CHANNELS[depth]]


@pytest.mark.parametrize("depth", PLAIN)
def test_trained_weights_still_fit(depth: int) -> None:
    with torch.device("meta"):
        ours = attention_resnet(
            depth, in_branch=SqueezeExcitation, after_stage=NonLocal2d
        )
        theirs = PLAIN[depth]()
    names = {n for n in ours.state_dict() if ".attention." not in n}
    assert names == set(theirs.state_dict())


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("position", ["in_branch", "after_stage"])
def test_the_blocks_compute_what_those_of_torchvision_do(
    depth: int, position: str
) -> None:
    theirs = seeded(partial(PLAIN[depth], num_classes=7))
    ours = attention_resnet(
        depth, classes=7, **{position: lambda channels: nn.Identity()}
    ).eval()
    load_backbone(ours, theirs.state_dict())
    assert_close(ours(images()), theirs(images()))


@pytest.mark.parametrize("attention", [SelfAttention2d, NonLocal2d])
def test_pairwise_attention_starts_as_the_plain_network(attention) -> None:
    theirs = seeded(partial(PLAIN[18], num_classes=7))
    ours = seeded(
        partial(
            attention_resnet,
            18,
            after_stage=attention,
            stages=(2, 3, 4),
            classes=7,
        )
    )
    assert_close(ours(images()), theirs(images()))
    ours.layer3.attention.apply(
        lambda m: [nn.init.normal_(p) for p in m.parameters()]
    )
    assert not torch.allclose(ours(images()), theirs(images()))


def test_squeeze_and_excitation_equals_timm() -> None:
    timm = pytest.importorskip("timm")
    squeeze = partial(
        timm.layers.SEModule, rd_ratio=1 / 16, rd_divisor=1, bias=True
    )
    theirs = seeded(
        lambda: timm.models.resnet.ResNet(
            timm.models.resnet.BasicBlock,
            [2, 2, 2, 2],
            num_classes=7,
            block_args={"attn_layer": squeeze},
        )
    ).double()
    ours = attention_resnet(18, in_branch=SqueezeExcitation, classes=7)
    ours.double().eval()
    own = ours.state_dict()
    copied = {
        name.replace(".se.fc1.", ".attention.reduce.").replace(
            ".se.fc2.", ".attention.expand."
        ): tensor
        for name, tensor in theirs.state_dict().items()
    }
    ours.load_state_dict(
        {name: t.reshape(own[name].shape) for name, t in copied.items()}
    )
    assert_close(ours(images().double()), theirs(images().double()))


def test_squeeze_and_excitation_costs_less_than_a_hundredth_more() -> None:
    with torch.device("meta"):
        ours = attention_resnet(18, in_branch=SqueezeExcitation)
    counted = sum(p.numel() for p in ours.parameters())
    blocks = [c for c in CHANNELS[18] for _ in range(2)]
    added = sum(2 * c * c // 16 + c // 16 + c for c in blocks)
    assert counted == 11_689_512 + added
    assert added / 11_689_512 < 0.01


@pytest.mark.parametrize(
    ("attention", "weights"),
    [
        (SqueezeExcitation, (256,)),
        (EfficientChannelAttention, (256,)),
        (partial(SoftmaxChannelAttention, rescale=True), (256,)),
        (CBAM, (256,)),
    ],
)
def test_any_gate_can_be_watched_in_a_branch(attention, weights) -> None:
    network = attention_resnet(
        18, in_branch=attention, stages=(3,), classes=7
    ).eval()
    expected = network(images())
    with watch(network) as maps:
        assert_close(network(images()), expected)
    channel = "attention.channel" if attention is CBAM else "attention"
    assert maps[f"layer3.0.{channel}"].shape == (2, *weights)
    assert all(name.startswith("layer3.") for name in maps)
    if attention is CBAM:
        assert maps["layer3.1.attention.spatial"].shape == (2, 1, 3, 4)


@pytest.mark.parametrize("attention", [SelfAttention2d, NonLocal2d])
def test_pairwise_attention_can_be_watched(attention) -> None:
    network = attention_resnet(
        18, after_stage=attention, stages=(3, 4), classes=7
    ).eval()
    with watch(network) as maps:
        network(images())
    assert {name: tuple(w.shape) for name, w in maps.items()} == {
        "layer3.attention": (2, 1, 12, 12),
        "layer4.attention": (2, 1, 4, 4),
    }


@pytest.mark.parametrize("depth", PLAIN)
def test_every_depth_runs_at_any_size_and_does_not_mix_samples(
    depth: int,
) -> None:
    network = seeded(
        partial(
            attention_resnet,
            depth,
            in_branch=SqueezeExcitation,
            after_stage=NonLocal2d,
            stages=(4,),
            classes=7,
        )
    )
    with torch.no_grad():
        for size in ((29, 41), (64, 32)):
            both = network(images(2, *size))
            assert both.shape == (2, 7)
            alone = network(images(2, *size)[1:])
            assert_close(alone, both[1:], rtol=1e-3, atol=1e-3)


def test_every_parameter_gets_a_gradient_and_inputs_stay() -> None:
    network = attention_resnet(
        18,
        in_branch=SqueezeExcitation,
        after_stage=partial(SelfAttention2d, reduction=8),
        classes=7,
    )
    for module in network.modules():
        if isinstance(module, SelfAttention2d):
            nn.init.ones_(module.gamma)
    x = images()
    network(x).square().sum().backward()
    assert torch.equal(x, images())
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_small_images_keep_their_resolution_in_the_first_stage() -> None:
    network = attention_resnet(
        18, after_stage=NonLocal2d, classes=7, small_images=True
    )
    images_of_cifar = images(1, 32, 32)
    with watch(network.eval()) as maps:
        assert network(images_of_cifar).shape == (1, 7)
    positions = [maps[f"layer{s}.attention"].shape[-1] for s in (1, 2, 3, 4)]
    assert positions == [32**2, 16**2, 8**2, 4**2]
    network.train()
    assert network(images_of_cifar).isfinite().all()


def test_weights_that_do_not_fit_are_refused_and_nothing_is_copied() -> None:
    network = attention_resnet(18, in_branch=SqueezeExcitation, classes=7)
    before = {n: t.clone() for n, t in network.state_dict().items()}
    good = PLAIN[18](num_classes=7).state_dict()
    missing = {n: t for n, t in good.items() if n != "layer2.0.conv1.weight"}
    extra = good | {"layer5.0.conv1.weight": torch.zeros(1)}
    other = good | {"fc.weight": torch.zeros(5, 512)}
    for weights, message in (
        (missing, r"must hold \['layer2\.0\.conv1\.weight'\]"),
        (extra, r"got also \['layer5\.0\.conv1\.weight'\]"),
        (other, r"fc\.weight is \(7, 512\) there, got \(5, 512\)"),
    ):
        with pytest.raises(ValueError, match=message):
            load_backbone(network, weights)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_impossible_depths_and_stages_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one of \[18, 50, 101\], got 34"):
        attention_resnet(34)
    with pytest.raises(ValueError, match=r"among 1 to 4, got \[0, 5\]"):
        attention_resnet(18, stages=(5, 3, 0))
