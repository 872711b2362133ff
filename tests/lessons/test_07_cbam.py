"""What lesson 7 says in words, held against the records and the code."""

import pytest
import torch

from attncourse import metrics, trials
from attncourse.attention import CBAM, ChannelGate, SpatialGate

NAME = "cbam-gain"


def series(metric: str) -> dict[str, trials.Series]:
    return {
        variant: result.metrics[metric]
        for variant, result in trials.load(NAME).variants.items()
        if metric in result.metrics
    }


def test_what_the_text_calls_not_settled() -> None:
    record, claim = trials.load(NAME), trials.claim(NAME)
    found = {
        each.against: each.verdict(record)
        for each in claim.predictions
        if (each.metric, each.variant) == ("accuracy", "cbam")
    }
    for against in ("wider", "channel", "spatial", "spatial_first"):
        assert found[against] == "not settled"


def test_seeds_of_one_variant_differ_by_several_points() -> None:
    accuracy = series("accuracy")["cbam"]
    assert max(accuracy) - min(accuracy) > 0.03


def test_max_pooling_is_ahead() -> None:
    accuracy = series("accuracy")
    others = [each.mean for name, each in accuracy.items() if name != "max"]
    assert accuracy["max"].mean > max(others)


def test_a_third_of_the_signal_is_there_before_any_spatial_gate() -> None:
    """So that finding it behind the gates of CBAM means nothing."""
    before = series("signal_before")
    assert min(before["spatial"]) > 1 / 3
    assert before["spatial"].mean > before["cbam"].mean


def test_the_spatial_gate_points_and_does_not_matter() -> None:
    assert min(series("pointing")["cbam"]) > 0.95
    for metric in ("drop_spatial_shuffled", "drop_spatial_flat"):
        assert max(series(metric)["cbam"]) < 0.02


def test_the_channel_gates_depend_on_the_image_and_matter() -> None:
    for metric in ("drop_channel_shuffled", "drop_channel_constant"):
        assert min(series(metric)["cbam"]) > 0.05


def test_each_gate_is_blind_to_what_the_other_sees() -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 8, 6, 5)
    positions = x.flatten(2)[..., torch.randperm(30)].view_as(x)
    channels = x[:, torch.randperm(8)]
    gate, spatial = ChannelGate(8, 2).eval(), SpatialGate().eval()
    assert torch.allclose(
        gate.attend(x).weights, gate.attend(positions).weights, atol=1e-6
    )
    assert torch.allclose(
        spatial.attend(x).weights, spatial.attend(channels).weights, atol=1e-6
    )


@pytest.mark.parametrize(("channels", "reduction"), [(32, 4), (64, 16)])
def test_the_cost_in_the_text(channels: int, reduction: int) -> None:
    x = torch.randn(1, channels, 12, 12)
    ways = {
        "channel": ChannelGate(channels, reduction),
        "spatial": SpatialGate(),
        "cbam": CBAM(channels, reduction),
    }
    found = metrics.costs(ways, x, repeats=1)
    assert found["channel"].multiply_adds == 3 * channels**2 // reduction
    assert found["spatial"].multiply_adds == 98 * 144
    assert found["cbam"].multiply_adds == sum(
        found[name].multiply_adds for name in ("channel", "spatial")
    )
