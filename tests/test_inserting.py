"""Attention comes into networks that others have built."""

import copy
import pickle

import pytest
import torch
import torchvision
from torch import nn
from torch.testing import assert_close

from attncourse import attention, insert, watch
from attncourse.inserting import GATES, PAIRWISE, Faded

X = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def network(name: str = "resnet18") -> nn.Module:
    torch.manual_seed(0)
    return getattr(torchvision.models, name)(weights=None).eval()


@pytest.mark.parametrize("mechanism", [*GATES, *PAIRWISE])
def test_the_network_computes_what_it_did_and_then_learns(
    mechanism: str,
) -> None:
    model = network()
    before = model(X)
    added = insert(model, mechanism, "layer3")
    assert_close(model(X), before)
    for _ in range(2):
        model.zero_grad()
        model(X).square().sum().backward()
        with torch.no_grad():
            for parameter in added[0].layer.parameters():
                parameter -= 0.01 * parameter.grad.sign()
    for name, parameter in added[0].layer.named_parameters():
        assert parameter.grad.abs().sum() > 0, name
    assert not torch.equal(model(X), before)


def test_gates_end_the_branch_of_every_block() -> None:
    model = network()
    added = insert(model, "se", "layer3", identity=False, reduction=8)
    assert [(a.where, a.channels) for a in added] == [
        ("layer3.0.bn2", 256),
        ("layer3.1.bn2", 256),
    ]
    gate = added[1].layer
    assert type(gate) is attention.SqueezeExcitation
    assert gate.reduce.out_features == 32
    assert model.get_submodule("layer3.1.bn2.attention") is gate
    block, x = model.layer3[1], torch.randn(2, 256, 4, 4)
    branch = block.bn2.attention(
        nn.functional.batch_norm(
            block.conv2(block.relu(block.bn1(block.conv1(x)))),
            block.bn2.running_mean,
            block.bn2.running_var,
            block.bn2.weight,
            block.bn2.bias,
            eps=block.bn2.eps,
        )
    )
    assert_close(block(x), (x + branch).relu())


def test_pairwise_attention_comes_behind_the_last_block() -> None:
    model = network("resnet50")
    (added,) = insert(model, "non-local", "layer2", pool=2)
    assert added.where == "layer2.3"
    assert added.channels == 512
    assert type(added.layer) is attention.NonLocal2d


def test_one_block_can_be_chosen() -> None:
    (added,) = insert(network(), "eca", "layer4.1")
    assert added.where == "layer4.1.bn2"


@pytest.mark.parametrize(
    ("name", "where", "end"),
    [
        ("regnet_y_400mf", "trunk_output.block2", "f"),
        ("mobilenet_v2", "features.5", "conv"),
        ("efficientnet_b0", "features.3", "block"),
        ("convnext_tiny", "features.3", "block"),
    ],
)
@pytest.mark.parametrize("mechanism", ["se", "self-attention"])
def test_other_networks_of_torchvision(
    name: str, where: str, end: str, mechanism: str
) -> None:
    model = network(name)
    before = model(X)
    added = insert(model, mechanism, where, reduction=4)
    assert_close(model(X), before)
    assert mechanism != "se" or added[0].where.endswith(f".{end}")
    assert called_once(model, added)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("resnet26d", "layer2"),
        ("seresnet18", "layer2"),
        ("resnetv2_50", "stages.1"),
        ("regnetx_002", "s2"),
        ("efficientnet_b0", "blocks.3"),
    ],
)
@pytest.mark.parametrize("mechanism", ["se", "self-attention"])
def test_networks_of_timm(name: str, where: str, mechanism: str) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False).eval()
    before = model(X)
    added = insert(model, mechanism, where, reduction=4)
    assert_close(model(X), before)
    assert called_once(model, added)


def called_once(model: nn.Module, added: list) -> bool:
    calls = []
    for one in added:
        one.layer.register_forward_hook(lambda *_: calls.append(1))
    model(X)
    return len(calls) == len(added) > 0


def test_trained_weights_keep_their_names() -> None:
    state = network().state_dict()
    model = network()
    insert(model, "cbam", "layer4")
    missing, extra = model.load_state_dict(state, strict=False)
    assert extra == []
    assert missing
    assert all(".attention." in name for name in missing)


@pytest.mark.usefixtures("as_shipped")
def test_it_can_be_copied_pickled_compiled_and_watched() -> None:
    model = network()
    insert(model, "se", "layer3", identity=False)
    expected = model(X)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert_close(twin(X), expected)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    assert_close(compiled(X), expected)
    with watch(model) as maps:
        model(X)
    assert list(maps) == ["layer3.0.bn2.attention", "layer3.1.bn2.attention"]


def test_type_and_mode_are_those_of_the_network() -> None:
    model = network().double().train()
    (added, _) = insert(model, "spatial-gate", "layer1")
    assert isinstance(added.layer, Faded)
    assert all(p.dtype == torch.float64 for p in added.layer.parameters())
    assert all(part.training for part in added.layer.modules())


@pytest.mark.usefixtures("as_shipped")
def test_what_cannot_be_is_refused_and_changes_nothing() -> None:
    model = network()
    names = list(model.state_dict())
    for mechanism, where, message in [
        ("SE", "layer3", r"^mechanism must be one of se, .*, got 'SE'$"),
        ("se", "layer5", r"^where must name .*ResNet.*conv1.*got 'layer5'$"),
        (
            "se",
            "avgpool",
            r"^where must hold .*, got 'avgpool', a Adapt",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            insert(model, mechanism, where)
    with pytest.raises(ValueError, match="reduction must be"):
        insert(model, "se", "layer3", reduction=3)
    assert list(model.state_dict()) == names
    insert(model, "se", "layer3")
    with pytest.raises(ValueError, match=r"behind layer3.0.bn2, lay"):
        insert(model, "eca", "layer3")
