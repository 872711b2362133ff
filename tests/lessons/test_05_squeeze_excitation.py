"""What lesson 5 says in words, held against the records and the code."""

import math
from importlib.util import find_spec
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from attncourse import metrics, trials
from attncourse.attention import EfficientChannelAttention, SqueezeExcitation
from tests.lessons import cells

GAIN, SOFTMAX, REGIONS = "se-gain", "softmax-gate", "channel-regions"


def series(name: str, metric: str) -> dict[str, trials.Series]:
    return {
        variant: result.metrics[metric]
        for variant, result in trials.load(name).variants.items()
        if metric in result.metrics
    }


def test_plain_networks_stop_at_two_thirds() -> None:
    accuracy = series(GAIN, "accuracy")
    for variant in ("plain", "wider", "constant", "frozen"):
        assert abs(accuracy[variant].mean - 2 / 3) < 0.02
        assert max(accuracy[variant]) < 15 / 18


def test_not_all_trained_gates_pass_what_a_sum_can_do() -> None:
    accuracy = series(GAIN, "accuracy")
    assert min(accuracy["se"]) > 15 / 18
    past = sum(each > 15 / 18 for each in accuracy["eca"])
    assert 0 < past < len(accuracy["eca"]) / 2
    assert max(accuracy["constant"]) < 15 / 18  # a trained gate, too


def test_a_hidden_layer_is_the_rival_that_can_win() -> None:
    accuracy = series(GAIN, "accuracy")
    pairs = zip(accuracy["hidden"], accuracy["se"], strict=True)
    assert sum(hidden > se for hidden, se in pairs) > 5
    assert min(accuracy["hidden"]) > 15 / 18


def test_the_cue_score_was_refuted_and_the_twins_were_not() -> None:
    record, claim = trials.load(GAIN), trials.claim(GAIN)
    verdicts = {
        (each.metric, each.variant): each.verdict(record)
        for each in claim.judged(record)
    }
    assert verdicts["follows_cue", "se"] == "refuted"
    assert verdicts["obeys_twin", "se"] == "supported"


def test_a_sum_is_wrong_in_three_kinds_of_scene_at_least() -> None:
    """Two pieces of two classes each ask for opposite signs of delta."""
    conflicts = [
        {(texture, tint), (tint, texture)}
        for texture, tint in product(range(3), repeat=2)
        if texture < tint
    ]
    assert len(conflicts) == 3
    assert not conflicts[0] & conflicts[1] & conflicts[2]
    assert 2 * 3 * 3 - len(conflicts) == 15


def test_the_softmax_as_printed_gets_an_eleventh_of_the_gradient() -> None:
    gradient = series(SOFTMAX, "gradient")
    ratio = gradient["sigmoid"].mean / gradient["softmax-raw"].mean
    assert 10.5 < ratio < 12.5


def test_the_factor_c_takes_the_loss_away() -> None:
    accuracy = series(SOFTMAX, "accuracy")
    assert accuracy["softmax"].mean > accuracy["sigmoid"].mean - 0.005
    assert accuracy["softmax-raw"].mean < accuracy["sigmoid"].mean - 0.02


def test_what_gates_do_to_the_energy() -> None:
    gained, mass = series(REGIONS, "gained_mass"), series(REGIONS, "mass")
    assert max(gained["se+norm"]) < 0
    assert gained["channel"].mean > 0.05
    assert mass["channel"].mean < mass["wider"].mean
    assert mass["additive"].mean > mass["wider"].mean
    assert series(REGIONS, "gate_mean")["se"].mean > 0.9  # they stand open


def test_efficient_channel_attention_has_three_or_five_numbers() -> None:
    for channels, count in ((24, 3), (256, 5)):
        layer = EfficientChannelAttention(channels)
        assert sum(p.numel() for p in layer.parameters()) == count


def test_what_works_on_the_map_costs_more_than_the_matrices() -> None:
    models = pytest.importorskip("torchvision.models")
    image = torch.zeros(1, 3, 224, 224)
    plain = metrics.cost(models.resnet18(), image, repeats=1).multiply_adds
    sizes = {64: 56, 128: 28, 256: 14, 512: 7}
    matrices = sum(2 * 2 * c * c // 16 for c in sizes)
    products = sum(2 * c * side**2 for c, side in sizes.items())
    assert matrices / plain == pytest.approx(0.000048, rel=0.02)
    assert (matrices + products) / plain == pytest.approx(0.00046, rel=0.02)


class CosineSqueeze(SqueezeExcitation):
    """A squeeze that is no mean: one cosine component of each channel."""

    def gates(self, x: Tensor) -> Tensor:
        rows = torch.arange(x.shape[2]) + 0.5
        wave = torch.cos(math.pi * rows / x.shape[2])[:, None]
        hidden = self.reduce((x * wave).mean((2, 3))).relu()
        return self.expand(hidden).sigmoid()


def test_a_mean_forgets_positions_and_another_squeeze_need_not() -> None:
    torch.manual_seed(0)
    layer = CosineSqueeze(8, 2)
    nn.init.normal_(layer.expand.weight)
    x = 20 * torch.rand(2, 8, 6, 5)
    mixed = x.flatten(2)[..., torch.randperm(30)].view_as(x)
    mean, of_mixed = (layer.attend(each).weights for each in (x, mixed))
    assert torch.allclose(mean, of_mixed, atol=1e-6)
    assert not torch.allclose(layer.gates(x), layer.gates(mixed), atol=1e-3)


@pytest.fixture(scope="module")
def detector() -> dict[str, Any]:
    if find_spec("rapidocr_onnxruntime") is None:
        pytest.skip("rapidocr-onnxruntime is not installed")
    words = "NAMES = [", "of_plain = [", "constant = [", "noisy = ["
    return cells.run("05_squeeze_excitation", *words)


def test_gates_are_closed_in_some_images(detector) -> None:
    shut, adds = detector["shut"], detector["detector"].adds
    always = torch.cat([layer.all(0) for layer in shut]).float().mean()
    ever = torch.cat([layer.any(0) for layer in shut]).float().mean()
    assert always < 0.25 * detector["closed"]
    assert ever > 1.5 * detector["closed"]
    adding = zip(shut, adds, strict=True)
    harmless = sum(layer.sum() for layer, added in adding if added)
    assert harmless > 0.5 * sum(layer.sum() for layer in shut)


def test_constant_gates_find_the_lines_as_well(detector) -> None:
    marked = detector["marked"]
    own, constant = marked["its own"], marked["constant"]
    for kind in ("constant", "those of the next"):
        assert marked[kind][0] > own[0] - 0.02
        assert marked[kind][1] > own[1] - 0.02
    assert constant[3] < own[3] - 0.05  # with noise a part lies elsewhere
    assert marked["all open"][1] < 0.8
