"""What lesson 8 says of its recorded trial, of memory and of its layers."""

from copy import deepcopy

import pytest
import torch
from timm.layers import NonLocalAttn
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from attncourse import metrics, trials
from attncourse.attention import SelfAttention2d
from attncourse.data import TwoDigits
from attncourse.trials import Record
from attncourse.trials.setups.same_different import trained_encoder


@pytest.fixture(scope="module")
def record() -> Record:
    return trials.load("pairs-everywhere")


def values(record: Record, variant: str, metric: str) -> list[float]:
    return list(record.variants[variant].metrics[metric])


def test_nothing_is_settled(record: Record) -> None:
    predictions = trials.claim("pairs-everywhere").predictions
    assert len(predictions) == 10
    assert {p.verdict(record) for p in predictions} == {"not settled"}


def test_the_order_of_the_means_is_a_hint(record: Record) -> None:
    means = {
        name: variant.metrics["accuracy"].mean
        for name, variant in record.variants.items()
    }
    assert max(means, key=means.__getitem__) == "non-local-every"
    for closed in ("sagan", "sagan-2", "sagan-3", "uniform", "convolution"):
        assert means[closed] < means["none"]  # "shows no gain"
    assert means["sagan-open"] > means["sagan"] + 0.02
    assert means["none"] > means["sagan-open"] - 0.02  # "within two points"
    assert means["sagan"] < means["non-local"] < means["non-local-every"]


def test_three_blocks_have_three_times_the_parameters(record: Record) -> None:
    none, one, three = (
        record.variants[name].parameters
        for name in ("none", "sagan", "sagan-every")
    )
    assert three - none == 3 * (one - none)
    more = record.variants["convolution"].parameters - none
    assert 1 < more / (one - none) < 1.02


def test_which_gates_open(record: Record) -> None:
    opened = {
        name: sum(abs(gamma) > 0.05 for gamma in values(record, name, "gate"))
        for name in ("sagan", "queries", "sagan-open")
    }
    assert opened == {"sagan": 4, "queries": 8, "sagan-open": 10}
    needed = {
        name: sum(
            drop > 0.05 for drop in values(record, name, "drop_shuffled")
        )
        for name in ("sagan", "queries", "sagan-open")
    }
    assert needed == {"sagan": 4, "queries": 0, "sagan-open": 10}


def test_shuffled_keys_cost_the_open_block_a_quarter(record: Record) -> None:
    lost = record.variants["sagan-open"].metrics["drop_shuffled"]
    assert 0.2 < lost.mean < 0.3
    assert min(lost) > 0.08
    assert max(lost) < 0.38


def test_seeds_that_read_empty_cells_alone_are_shut(record: Record) -> None:
    found = [
        values(record, "sagan", metric)
        for metric in ("mass", "own_weight", "gate")
    ]
    empty = [
        gamma
        for mass, own, gamma in zip(*found, strict=True)
        if mass < 0.01 and own < 0.01
    ]
    assert len(empty) >= 3
    assert max(abs(gamma) for gamma in empty) < 0.02


@pytest.mark.parametrize(
    ("variant", "mib"),
    [
        ("none", 3.2),
        ("convolution", 3.8),
        ("sagan", 4.2),
        ("sagan-every", 6.3),
        ("non-local-every", 5.4),
    ],
)
def test_memory_of_a_step_with_the_frozen_encoder(
    record: Record, variant: str, mib: float
) -> None:
    kept = record.variants[variant].metrics["peak_mib"].mean
    assert kept == pytest.approx(mib, abs=0.05)
    images = TwoDigits(64, split="test").draw().images
    model = trials.claim("pairs-everywhere").variants[variant].build()
    model.encoder = deepcopy(trained_encoder(0))
    spent = metrics.cost(model, images, backward=True, repeats=1)
    assert spent.peak_mib == pytest.approx(kept, rel=0.05)


def gradients(layer: SelfAttention2d, x: torch.Tensor) -> list[bool]:
    """Which of gamma, query, key and value have a gradient."""
    layer.zero_grad()
    F.mse_loss(layer(x), torch.roll(x, 1, 0)).backward()
    width = layer.project.out_channels - x.shape[1]
    sizes = (width // 2, width // 2, x.shape[1])
    parts = layer.project.weight.grad.split(sizes)
    return [bool(layer.gamma.grad != 0), *(bool(p.any()) for p in parts)]


def test_gamma_learns_first() -> None:
    torch.manual_seed(0)
    layer, x = SelfAttention2d(16), torch.randn(2, 16, 3, 4)
    assert gradients(layer, x) == [True, False, False, False]
    layer.gamma.data += 0.1
    assert all(gradients(layer, x))


def test_behind_zero_values_the_value_learns_first() -> None:
    torch.manual_seed(0)
    layer, x = SelfAttention2d(16), torch.randn(2, 16, 3, 4)
    nn.init.ones_(layer.gamma)
    layer.project.weight.data[-16:] = 0
    layer.project.bias.data[-16:] = 0
    assert_close(layer(x), x)
    assert gradients(layer, x) == [False, False, False, True]
    layer.project.weight.data[-16:] += 0.1 * torch.randn(16, 16, 1, 1)
    assert all(gradients(layer, x))


def test_two_zeros_never_learn() -> None:
    layer, x = SelfAttention2d(16), torch.randn(2, 16, 3, 4)
    layer.project.weight.data[-16:] = 0
    layer.project.bias.data[-16:] = 0
    assert not any(gradients(layer, x))


def test_a_common_factor_cancels_in_the_steps_of_adamw() -> None:
    """So a small gamma is no brake on query, key and value there."""
    steps = []
    for factor in (1.0, 0.01):
        parameter = nn.Parameter(torch.zeros(5))
        optimiser = torch.optim.AdamW([parameter], lr=0.1)
        for gradient in torch.randn(
            4, 5, generator=torch.Generator().manual_seed(0)
        ):
            parameter.grad = factor * gradient
            optimiser.step()
        steps.append(parameter.detach())
    assert_close(steps[0], steps[1], rtol=1e-4, atol=1e-4)


def test_what_is_said_of_the_block_in_timm() -> None:
    block = NonLocalAttn(64)
    assert block.t.out_channels < 64
    assert block.scale == 64**-0.5
    x = torch.randn(2, 64, 5, 5)
    assert torch.equal(block(x), x)
