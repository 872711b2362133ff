"""What lesson 14 says of its recorded trial."""

import pytest
import torch

from attncourse import trials
from attncourse.attention import (
    EfficientChannelAttention,
    SelfAttention2d,
    SqueezeExcitation,
)
from attncourse.trials.setups.which_attention import CONTROLS

RECORD = trials.load("any-attention")
RIGHT = {
    name: variant.metrics["accuracy"]
    for name, variant in RECORD.variants.items()
}
MEAN = {name: series.mean for name, series in RIGHT.items()}
MASS = {
    name: variant.metrics["mass"].mean
    for name, variant in RECORD.variants.items()
}
TOP = ("additive", "gem", "max", "non-local", "sk")


def gain(name: str) -> float:
    return MEAN[name] - MEAN[CONTROLS[name]]


def test_ten_seeds_and_fifteen_networks() -> None:
    assert len(RECORD.seeds) == 10
    assert len(RECORD.variants) == 15


def test_those_near_the_top() -> None:
    rest = [MEAN[name] for name in MEAN if name not in TOP]
    assert min(MEAN[name] for name in TOP) > max(rest)


@pytest.mark.parametrize("name", ["se", "eca", "cbam"])
def test_channel_gates_do_not_help(name: str) -> None:
    assert gain(name) < 0.01


def test_self_attention_stands_between_average_and_max() -> None:
    assert MEAN["average"] + 0.01 < MEAN["self-attention"] < MEAN["max"]


def test_maps_on_the_digit() -> None:
    sharp = ("additive", "query", "self-attention", "non-local")
    assert min(MASS[name] for name in sharp) > 0.9
    assert 0.6 < MASS["max"] < MASS["gem"] < 0.85
    behind = RECORD.variants["self-attention"].metrics["cam_mass"].mean
    assert behind < 0.3


def test_the_winner_depends_on_the_seed() -> None:
    names = [n for n in RIGHT if n not in ("average", "wider", "widest")]
    scores = torch.tensor([list(RIGHT[name]) for name in names])
    assert len(set(scores.argmax(0).tolist())) > 1
    rank = 1 + (scores[:, None] < scores).sum(1)
    assert (rank.amax(1) - rank.amin(1)).max() >= 4


def test_a_window_under_the_map_costs_more() -> None:
    for name, variant in RECORD.variants.items():
        lost = variant.metrics["drop_deleted"].mean
        assert lost > variant.metrics["drop_random"].mean + 0.2, name


@pytest.mark.parametrize(
    "gate", [SqueezeExcitation, EfficientChannelAttention]
)
def test_a_gate_comes_out_of_the_mean(gate: type) -> None:
    torch.manual_seed(0)
    x, layer = torch.randn(3, 32, 5, 7), gate(32)
    output, gates = layer.attend(x)
    torch.testing.assert_close(
        output.mean((2, 3)), gates * x.mean((2, 3)), rtol=1e-4, atol=1e-5
    )


def test_pairs_behind_an_average_are_one_map() -> None:
    torch.manual_seed(0)
    x, layer = torch.randn(3, 32, 5, 7), SelfAttention2d(32)
    torch.nn.init.constant_(layer.gamma, 0.7)
    output, weights = layer.attend(x)
    received = weights.mean(2).unflatten(-1, (5, 7))
    added = (received * layer.project(x)[:, -32:]).sum((2, 3))
    torch.testing.assert_close(
        output.mean((2, 3)), x.mean((2, 3)) + 0.7 * added
    )
