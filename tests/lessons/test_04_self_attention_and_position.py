"""What lesson 4 says of its recorded trials, of positions and of torch."""

from importlib.util import find_spec
from inspect import signature
from typing import Any

import pytest
import torch
from torch import nn

from attncourse import trials
from attncourse.attention import (
    MultiHeadAttention,
    RelativePositionBias2d,
    RotaryPositions2d,
)
from attncourse.metrics import cost
from attncourse.trials import Record
from tests.lessons import cells

CODES = ("raster", "sinusoidal", "learned", "relative", "rotary")


@pytest.fixture(scope="module")
def positions() -> Record:
    return trials.load("need-positions")


@pytest.fixture(scope="module")
def compared() -> Record:
    return trials.load("far-comparison")


def mean(record: Record, variant: str, metric: str = "accuracy") -> float:
    return record.variants[variant].metrics[metric].mean


def test_the_trial_is_as_the_lesson_tells_it(positions: Record) -> None:
    assert set(positions.variants) == {"none", *CODES, "convolution"}
    assert len(positions.seeds) == 10
    assert positions.settings["epochs"] == 30  # "a full run"


def test_a_code_is_worth_more_than_which_code(positions: Record) -> None:
    accuracy = {code: mean(positions, code) for code in CODES}
    del accuracy["relative"]
    worth = accuracy["sinusoidal"] - mean(positions, "none")
    assert max(accuracy.values()) - min(accuracy.values()) < 0.02 < worth
    assert trials.verdict("need-positions").word == "supported"


def test_the_relative_bias_falls_behind(positions: Record) -> None:
    versus = positions.difference("sinusoidal", "accuracy", "relative")
    assert versus.low > 0.05


def test_convolutions_are_the_most_accurate(positions: Record) -> None:
    best = mean(positions, "convolution")
    assert best > max(mean(positions, code) for code in CODES)
    parameters = {k: v.parameters for k, v in positions.variants.items()}
    assert parameters["convolution"] <= 1.1 * parameters["sinusoidal"]
    network = trials.claim("need-positions").variants["convolution"].build()
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert len(layers) == 3


def test_a_shuffle_shows_who_has_codes(positions: Record) -> None:
    assert max(positions.variants["none"].metrics["drop_shuffled"]) == 0
    assert min(positions.variants["sinusoidal"].metrics["drop_shuffled"]) > 0.5


def test_distance_is_not_what_is_hard(compared: Record) -> None:
    """The largest gap was once given as .002, against the table."""
    gaps = [
        abs(mean(compared, variant, "near") - mean(compared, variant, "far"))
        for variant in compared.variants
    ]
    assert max(gaps) == pytest.approx(0.010, abs=0.001)
    assert max(gaps) < mean(compared, "attention") - mean(compared, "wide")


def test_equal_weights_are_worth_less_than_the_choice(
    compared: Record,
) -> None:
    gap = compared.difference("attention", "accuracy", "uniform")
    assert gap.low > trials.verdict("far-comparison").interval.high


def test_the_wide_convolution_is_depthwise_and_1_x_1() -> None:
    network = trials.claim("far-comparison").variants["wide"].build()
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    wide = [m for m in layers if m.kernel_size == (9, 9)]
    assert len(wide) == 2
    assert all(m.groups == m.in_channels for m in wide)


def test_the_bias_is_a_number_for_each_head_and_offset() -> None:
    bias = RelativePositionBias2d(heads=3, height=4, width=6)
    numbers = sum(p.numel() for p in bias.parameters())
    assert numbers == 3 * (2 * 4 - 1) * (2 * 6 - 1)


def test_rotary_scores_depend_on_offset_and_content() -> None:
    turn = RotaryPositions2d(head_dim=8)
    same = torch.randn(3, 1, 1, 1, 8).expand(-1, -1, -1, 24, -1)
    query, key, other = (turn(each, height=4, width=6) for each in same)
    scores, others = (query @ k.mT for k in (key, other))
    by_position = scores.view(4, 6, 4, 6)
    first, again = by_position[0, 0, 1, 2], by_position[2, 3, 3, 5]
    torch.testing.assert_close(first, again, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(scores, others)


def test_half_the_side_gives_sixteen_times_the_pairs() -> None:
    layer, dim = MultiHeadAttention(64, 4), 64
    for n in (49, 196, 784):
        found = cost(layer, torch.randn(1, n, dim), repeats=1).multiply_adds
        assert found == 4 * n * dim**2 + 2 * n**2 * dim


def test_defaults_of_torch_that_the_lesson_names() -> None:
    """Seen with torch 2.15."""
    takes = signature(nn.TransformerEncoderLayer).parameters
    assert takes["batch_first"].default is False
    assert takes["norm_first"].default is False


@pytest.fixture(scope="module")
def reader() -> dict[str, Any]:
    if find_spec("rapidocr_onnxruntime") is None:
        pytest.skip("rapidocr-onnxruntime is not installed")
    words = (
        "LINES = [",
        "def reach(",
        "def within(",
        "def right_characters(",
        "counted = {}",
    )
    return cells.run("04_self_attention_and_position", *words)


def test_no_head_of_the_reader_keeps_to_the_neighbourhood(reader) -> None:
    near, distance, spread = (each[:, :8] for each in reader["heads"])
    equal = reader["heads"][:, 0, 8]
    assert near.max() < 0.2
    assert (near > 1.5 * equal[0]).any()  # some lean towards it
    assert distance.min() > 0.75 * equal[1]
    assert spread.max() < equal[2]


def test_the_reader_needs_no_neighbours_but_the_line(reader) -> None:
    counted = reader["counted"]
    assert counted["own, but nothing near"] == counted["its own"]
    letters, spaces = counted["(printed)"]
    assert counted["its own"][0] > 0.98 * letters
    assert counted["its own"][1] >= 0.9 * spaces
    assert counted["equal"][0] >= counted["its own"][0]
    assert counted["equal"][1] < 0.8 * counted["its own"][1]
