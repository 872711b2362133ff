"""What lesson 2 says of the scale, of its trial, of masks and of kernels."""

from math import exp

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse import trials
from attncourse.attention import (
    attention_weights,
    scaled_dot_product_attention,
)
from attncourse.data import ColourLookup, photo
from attncourse.metrics import costs
from attncourse.trials import Record

WIDE = 512


@pytest.fixture(scope="module")
def patches() -> Tensor:
    return F.unfold(photo("astronaut")[None], 16, stride=16)[0].mT


@pytest.fixture(scope="module")
def components(patches: Tensor) -> Tensor:
    centred = patches - patches.mean(0)
    return torch.linalg.svd(centred, full_matrices=False).U * 32


def rotation(dim: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(dim, dim, generator=generator)).Q


def fresh(tokens: Tensor) -> tuple[Tensor, Tensor]:
    dim = tokens.shape[1]
    return tokens @ rotation(dim, 1), tokens @ rotation(dim, 2)


def of_one_length(components: Tensor, dim: int) -> Tensor:
    return F.normalize(components[:, :dim], dim=1) * dim**0.5


def effective_keys(weights: Tensor) -> float:
    return float(torch.special.entr(weights).sum(-1).mean().exp())


@pytest.mark.parametrize("dim", [8, 32, 128, WIDE])
def test_the_scale_keeps_variance_and_keys_at_every_dimension(
    components: Tensor, dim: int
) -> None:
    query, key = fresh(of_one_length(components, dim))
    products = query @ key.mT
    assert products.var().item() == pytest.approx(dim, rel=0.1)
    scaled = effective_keys((products / dim**0.5).softmax(-1))
    assert scaled == pytest.approx(1024 * exp(-0.5), rel=0.12)


def test_without_the_scale_the_keys_collapse(components: Tensor) -> None:
    keys = []
    for dim in (8, 32, 128, WIDE):
        query, key = fresh(of_one_length(components, dim))
        keys.append(effective_keys((query @ key.mT).softmax(-1)))
    assert keys == sorted(keys, reverse=True)
    assert keys[0] > 100
    assert keys[-1] < 1.5


def gradients(
    tokens: Tensor, patches: Tensor, divisor: float
) -> tuple[Tensor, Tensor]:
    """Lengths of the gradients at the dot products and at the queries."""
    colours = patches.unflatten(1, (3, -1)).mean(-1)
    query, key = fresh(tokens)
    query.requires_grad_()
    products = query @ key.mT
    mixed = (products / divisor).softmax(-1) @ colours
    error = (mixed - colours).square().sum()
    found = torch.autograd.grad(error, (products, query))
    return found[0].norm(dim=1), found[1].norm(dim=1)


def below(lengths: Tensor) -> float:
    return (lengths < 1e-4).float().mean().item()


def test_gradient_of_whitened_patches_does_not_shrink_in_the_median(
    components: Tensor, patches: Tensor
) -> None:
    """The numbers that a first version of the lesson had wrong."""
    tokens = components[:, :WIDE]
    plain, plain_query = gradients(tokens, patches, 1)
    scaled, scaled_query = gradients(tokens, patches, WIDE**0.5)
    assert plain.median().item() == pytest.approx(0.00101, abs=1e-5)
    assert scaled.median().item() == pytest.approx(0.00069, abs=1e-5)
    assert plain.mean().item() == pytest.approx(0.0278, abs=1e-4)
    assert scaled.mean().item() == pytest.approx(0.0007, abs=1e-4)
    assert plain_query.median().item() == pytest.approx(0.031, abs=1e-3)
    assert scaled_query.median().item() == pytest.approx(0.020, abs=1e-3)
    assert plain_query.max().item() == pytest.approx(17.8, abs=0.1)
    assert scaled_query.max().item() == pytest.approx(0.12, abs=0.01)
    assert below(plain_query) == pytest.approx(0.27, abs=0.01)
    assert below(scaled_query) == 0


def test_gradient_of_the_page_becomes_lopsided(
    components: Tensor, patches: Tensor
) -> None:
    tokens = of_one_length(components, WIDE)
    _, plain = gradients(tokens, patches, 1)
    _, scaled = gradients(tokens, patches, WIDE**0.5)
    assert plain.median() > scaled.median()
    assert below(plain) > 0.1
    assert below(scaled) == 0
    assert plain.max() > 100 * plain.median()
    assert scaled.max() < 10 * scaled.median()


def test_a_wide_patch_finds_itself_although_scaled(components: Tensor) -> None:
    on_itself = []
    for dim in (8, 32, WIDE):
        tokens = of_one_length(components, dim)
        on_itself.append(attention_weights(tokens, tokens).diag().mean())
    assert on_itself[0] < 0.05
    assert on_itself[-1] > 0.9


@pytest.fixture(scope="module")
def record() -> Record:
    return trials.load("sqrt-d-scale")


def test_the_scale_matters_when_wide_and_hardly_when_narrow(
    record: Record,
) -> None:
    verdict = trials.verdict("sqrt-d-scale")
    assert verdict.word == "supported"
    assert verdict.interval.low > 0.1
    narrow = record.difference("scaled-8", "accuracy", "unscaled-8")
    assert max(abs(narrow.low), narrow.high) < 0.02


def test_a_small_start_does_as_well_at_a_lower_rate(record: Record) -> None:
    rival = record.difference("small-start-512", "accuracy", "scaled-512")
    assert max(abs(rival.low), rival.high) < 0.01
    rates = {
        name: max(record.variants[name].metrics["rate"])
        for name in ("small-start-512", "scaled-512")
    }
    assert rates["small-start-512"] < min(
        record.variants["scaled-512"].metrics["rate"]
    )
    at_rate = {
        name: record.variants[name].metrics["accuracy_at_0.016"].mean
        for name in rates
    }
    assert at_rate["scaled-512"] > at_rate["small-start-512"] + 0.4


def test_each_variant_had_five_rates(record: Record) -> None:
    for variant in record.variants.values():
        rates = [m for m in variant.metrics if m.startswith("accuracy_at_")]
        assert len(rates) == 5


def test_the_commonest_colour_beats_a_blind_pick() -> None:
    """Why a flat map is right more often than a random cell."""
    scenes = ColourLookup(2000, split="test").draw()
    cells = F.unfold(scenes.images, 8, stride=8).mT.unflatten(-1, (3, -1))
    shades = cells.amax(-1)  # (2000, 9, 3)
    around = shades[:, torch.arange(9) != 4]
    palette = torch.tensor(
        [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1)]
    )
    named = torch.cdist(around, palette.float()).argmin(-1)  # (2000, 8)
    counts = F.one_hot(named, 6).sum(1)
    commonest = (counts.argmax(1) == scenes.labels).float().mean().item()
    flat = torch.cdist(around.mean(1), palette.float()).argmin(1)
    share = (flat == scenes.labels).float().mean().item()
    blind = 1 / 8 + 7 / 8 / 6
    assert blind == pytest.approx(0.27, abs=0.005)
    assert share == pytest.approx(0.319, abs=0.002)
    assert commonest > blind + 0.03
    assert share > blind + 0.03


def test_torch_guards_empty_rows_in_one_of_two_paths() -> None:
    layer = nn.MultiheadAttention(8, 1, batch_first=True)
    batch = torch.randn(2, 5, 8)
    padding = torch.tensor([[False] * 5, [True] * 5])
    lost = []
    for wanted in (False, True):
        with torch.no_grad():
            output, _ = layer(
                batch,
                batch,
                batch,
                key_padding_mask=padding,
                need_weights=wanted,
            )
        lost.append(output[1].isnan().any().item())
    assert lost == [False, True]


def test_torch_falls_back_for_a_flattened_map_and_the_package_does_not() -> (
    None
):
    class Theirs(nn.Module):
        def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            return F.scaled_dot_product_attention(query, key, value)

    class Ours(nn.Module):
        def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            return scaled_dot_product_attention(query, key, value)

    flat = torch.randn(3, 1, 64, 32, 64).flatten(3).mT
    wide = torch.randn(1, 2048, 80)
    for tensors in (flat, (*flat[:2].contiguous(), wide)):
        bill = costs({"a": Theirs(), "b": Ours()}, *tensors, repeats=1)
        assert bill["a"].peak_mib > 10 * bill["b"].peak_mib
