import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from attncourse import watch
from attncourse.attention import (
    LearnedPositions2d,
    RelativePositionBias2d,
    RotaryPositions2d,
    sinusoidal_positions_2d,
)
from attncourse.models import SinusoidalPositions2d, VisionTransformer

ROWS, COLUMNS, SIDE = 3, 5, 2
POSITIONS = {
    "none": lambda: {"positions": None},
    "sinusoidal": lambda: {"positions": SinusoidalPositions2d()},
    "learned": lambda: {"positions": LearnedPositions2d(28, ROWS, COLUMNS)},
    "rotary": lambda: {"positions": None, "rotary": RotaryPositions2d(4)},
    "relative": lambda: {
        "positions": None,
        "relative": RelativePositionBias2d(7, ROWS, COLUMNS),
    },
}
ANY_SIZE = ("none", "sinusoidal", "learned", "rotary")


def transformer(name: str = "learned", **options) -> VisionTransformer:
    """Scrambled, in float64: what starts at zero would hide itself."""
    torch.manual_seed(0)
    network = VisionTransformer(
        11,
        **POSITIONS[name](),
        patch_size=SIDE,
        dim=28,
        depth=2,
        heads=7,
        **options,
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return network.double().eval()


def images(rows: int = ROWS, columns: int = COLUMNS, batch: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = batch, 3, rows * SIDE, columns * SIDE
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def shuffled(x: Tensor) -> Tensor:
    """The same patches in other positions."""
    patches = nn.functional.unfold(x, SIDE, stride=SIDE)
    order = torch.randperm(
        patches.shape[2], generator=torch.Generator().manual_seed(0)
    )
    return nn.functional.fold(
        patches[..., order], x.shape[2:], SIDE, stride=SIDE
    )


def copied_from_timm(theirs: nn.Module, ours: VisionTransformer) -> None:
    state = theirs.state_dict()
    own = {
        "embed.weight": state["patch_embed.proj.weight"],
        "embed.bias": state["patch_embed.proj.bias"],
    }
    table = state["pos_embed"][0]
    if ours.class_token is not None:
        own["class_token"] = state["cls_token"][0, 0] + table[0]
        table = table[1:]
    own["positions.table"] = table.T.unflatten(1, (ROWS, COLUMNS))[None]
    for kind in ("weight", "bias"):
        own[f"norm.{kind}"] = state[f"norm.{kind}"]
        own[f"classifier.{kind}"] = state[f"head.{kind}"]
        for index in range(2):
            block = f"blocks.{index}"
            parts = state[f"{block}.attn.qkv.{kind}"].chunk(3)
            for name, part in zip(
                ("query", "key", "value"), parts, strict=True
            ):
                own[f"{block}.attention.{name}.{kind}"] = part
            for name, there in {
                "attention.output": "attn.proj",
                "attention_norm": "norm1",
                "hidden_norm": "norm2",
                "hidden": "mlp.fc1",
                "output": "mlp.fc2",
            }.items():
                own[f"{block}.{name}.{kind}"] = state[
                    f"{block}.{there}.{kind}"
                ]
    ours.load_state_dict(own)


@pytest.mark.parametrize("class_token", [True, False])
def test_it_equals_timm(class_token: bool) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    theirs = (
        timm.models.VisionTransformer(
            img_size=(ROWS * SIDE, COLUMNS * SIDE),
            patch_size=SIDE,
            num_classes=11,
            embed_dim=28,
            depth=2,
            num_heads=7,
            class_token=class_token,
            global_pool="token" if class_token else "avg",
            fc_norm=False,
        )
        .double()
        .eval()
    )
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    ours = transformer(class_token=class_token)
    copied_from_timm(theirs, ours)
    assert_close(ours(images()), theirs(images()))
    with watch(ours) as here, watch(theirs) as there:
        ours(images())
        theirs(images())
    for index in range(2):
        assert_close(
            here[f"blocks.{index}.attention"], there[f"blocks.{index}.attn"]
        )


def test_a_patch_is_embedded_by_one_linear_layer() -> None:
    network = transformer("none")
    patches = nn.functional.unfold(images(), SIDE, stride=SIDE)
    expected = (
        network.embed.weight.flatten(1) @ patches + network.embed.bias[:, None]
    )
    assert_close(network.embed(images()).flatten(2), expected)


@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize("name", POSITIONS)
def test_shuffled_patches_are_another_image_to_a_position_code(
    name: str, class_token: bool
) -> None:
    network = transformer(name, class_token=class_token)
    same = torch.allclose(network(shuffled(images())), network(images()))
    assert same == (name == "none")


@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize("name", ["rotary", "relative"])
def test_these_codes_know_offsets_but_no_positions(
    name: str, class_token: bool
) -> None:
    """One bright patch, elsewhere: its own weights to its neighbours stay."""
    network = transformer(name, class_token=class_token)
    skipped = int(class_token)
    rows = []
    for row, column in ((0, 1), (1, 2)):
        x = torch.zeros_like(images())
        x[..., row * SIDE : (row + 1) * SIDE, column * SIDE :] = 1
        with watch(network) as maps:
            network(x)
        scores = maps["blocks.0.attention"].log()[..., skipped:, skipped:]
        position = row * COLUMNS + column
        # Relative to its own score: the sum over all keys is another.
        scores = (
            scores[:, :, position] - scores[:, :, position, position, None]
        )
        rows.append(scores[..., position + 1])
    assert_close(*rows)


def test_no_bias_stands_between_the_class_token_and_a_patch() -> None:
    network = transformer("relative")
    with watch(network) as maps:
        network(torch.ones_like(images()))
    weights = maps["blocks.0.attention"]
    to_patches = weights[:, :, 0, 1:]
    assert_close(to_patches, to_patches[..., :1].expand_as(to_patches))
    ratio = weights[:, :, 1:, 0].log() - weights[:, :, 1:, 1:].log()[..., 0]
    assert not torch.allclose(ratio, ratio[..., :1])


@pytest.mark.parametrize("name", ANY_SIZE)
def test_any_multiple_of_the_patch_will_do(name: str) -> None:
    network = transformer(name)
    with watch(network) as maps:
        assert network(images(7, 2)).shape == (2, 11)
    assert list(maps) == ["blocks.0.attention", "blocks.1.attention"]
    for weights in maps.values():
        assert weights.shape == (2, 7, 15, 15)
        assert_close(weights.sum(-1), torch.ones(2, 7, 15).double())


@pytest.mark.parametrize("name", POSITIONS)
def test_samples_do_not_mix_and_watching_changes_nothing(name: str) -> None:
    network = transformer(name)
    expected = network(images())
    assert_close(network(images()[1:]), expected[1:])
    with watch(network):
        assert_close(network(images()), expected)
    assert network(images(batch=0)).shape == (0, 11)


@pytest.mark.parametrize("name", POSITIONS)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    network = transformer(name)
    network(images()).square().sum().backward()
    for label, parameter in network.named_parameters():
        assert parameter.grad is not None, label
        if label.endswith("key.bias") and name != "rotary":
            # The same for all keys: it cancels in the softmax.
            assert parameter.grad.abs().max() < 1e-10
        else:
            assert parameter.grad.abs().sum() > 0, label


def test_sinusoidal_codes_are_those_of_the_function() -> None:
    x = torch.randn(2, 8, 3, 5)
    added = SinusoidalPositions2d()(x) - x
    for row in range(3):
        for column in range(5):
            code = sinusoidal_positions_2d(3, 5, 8)[row * 5 + column]
            assert_close(added[1, :, row, column], code)


def test_the_paper_has_four_times_the_width_in_the_hidden_layer() -> None:
    with torch.device("meta"):
        base = VisionTransformer(
            1000,
            positions=LearnedPositions2d(768, 14, 14),
            patch_size=16,
            dim=768,
            depth=12,
            heads=12,
        )
    # One vector less: timm adds a position to the class token.
    counted = sum(p.numel() for p in base.parameters())
    assert counted == 86_567_656 - 768


@pytest.mark.usefixtures("as_shipped")
def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="depth must be at least 1, got 0"):
        VisionTransformer(positions=None, depth=0)
    with pytest.raises(ValueError, match="patch_size must be at least 1"):
        VisionTransformer(positions=None, patch_size=0)
    with pytest.raises(ValueError, match="heads must be a positive divisor"):
        VisionTransformer(positions=None, dim=10, heads=3)
    network = transformer()
    with pytest.raises(ValueError, match="patch_size=2, got 6 x 7"):
        network(torch.randn(2, 3, 6, 7).double())
    with pytest.raises(ValueError, match=r"\(batch, 3, height, width\), got"):
        network(torch.randn(2, 1, 6, 10).double())
    with pytest.raises(ValueError, match="does not broadcast"):
        transformer("relative")(images(7, 2))
