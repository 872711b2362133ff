import pytest
import torch
from torch.testing import assert_close

from attncourse.trials import Budget, claim
from attncourse.trials.setups.cbam import (
    VARIANTS,
    GatedAverage,
    batch_mean,
    run,
    shuffled_channels,
    with_gates_replaced,
)
from tests.trials.standins import size

pytestmark = pytest.mark.lengthy

GATES = {
    "accuracy",
    "area",
    "mass",
    "pointing",
    "pointing_chance",
    "pointing_centre",
    "signal",
    "signal_before",
    "drop_channel_shuffled",
    "drop_channel_constant",
    "drop_spatial_shuffled",
    "drop_spatial_flat",
}


@pytest.fixture(scope="module")
def models(seeded):
    return seeded("cbam-gain")


def test_the_wider_network_is_about_as_large_as_cbam(models):
    extra = size(models["wider"]) - size(models["average"])
    gates = size(models["cbam"]) - size(models["average"])
    assert abs(gates - extra) <= 0.03 * gates
    for other in "spatial_first", "parallel":
        assert size(models[other]) == size(models["cbam"])


def test_all_variants_of_one_width_start_from_the_same_trunk(models):
    first = models["average"].features
    for name, model in models.items():
        if name == "wider":
            continue
        pairs = zip(
            model.features.parameters(), first.parameters(), strict=True
        )
        assert all(torch.equal(ours, theirs) for ours, theirs in pairs)


@pytest.mark.parametrize(
    "variant", ["channel", "spatial", "cbam", "spatial_first", "parallel"]
)
def test_the_output_is_the_map_times_both_gates(models, variant):
    model = models[variant]
    images = torch.rand(3, 1, 44, 52)
    maps = model.features(images)
    assert isinstance(model.pooling, GatedAverage)
    channel, spatial = model.pooling.both(maps)
    assert channel.shape == (3, 32)
    assert spatial.shape == (3, 1, 11, 13)
    gated = maps * channel[..., None, None] * spatial
    assert_close(model.pooling(maps), gated.mean((2, 3)))
    same = with_gates_replaced(model, channel=lambda gates: gates)
    assert_close(same(images), model(images))


def test_replacements_keep_what_they_should():
    gates = torch.rand(5, 7)
    assert_close(shuffled_channels(gates).sum(1), gates.sum(1))
    assert not torch.equal(shuffled_channels(gates), gates)
    assert_close(batch_mean(gates)[3], gates.mean(0))


def test_the_claim_asks_of_metrics_that_its_variants_have():
    case = claim("cbam-gain")
    assert case.variants == VARIANTS
    for prediction in case.predictions:
        variants = {prediction.variant, prediction.against} - {None}
        assert prediction.metric == "accuracy" or variants == {"cbam"}
        assert prediction.metric in GATES


def test_a_short_run_gives_all_metrics():
    budget = Budget(scenes=83, epochs=1, test_scenes=37)
    metrics = run("cbam", seed=2, budget=budget)
    assert set(metrics) == GATES
    assert metrics == run("cbam", seed=2, budget=budget)
    assert "signal" not in run("max", seed=2, budget=budget)
