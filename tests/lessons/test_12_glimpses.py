"""What lesson 12 says in words, held against the record and the code."""

import pytest
import torch
from torch import nn

from attncourse import trials
from attncourse.attention import RecurrentAttention
from attncourse.attention.recurrent_attention import GlimpseReader
from attncourse.data import ClutteredDigits
from attncourse.models.glimpses import DifferentiableReader

CLAIM, RECORD = trials.claim("glimpse-policy"), trials.load("glimpse-policy")
FOUND = {name: each.metrics for name, each in RECORD.variants.items()}
RIGHT = {name: metrics["accuracy"] for name, metrics in FOUND.items()}
SAID = {
    (each.metric, each.variant, each.against): each.verdict(RECORD)
    for each in CLAIM.predictions
}


def test_staring_at_the_centre_is_wrong_in_half_of_the_scenes() -> None:
    assert 0.5 < min(RIGHT["centre"]) < max(RIGHT["centre"]) < 0.53
    assert RIGHT["random"].mean > 0.69


def test_reinforce_beats_random_and_does_not_stay() -> None:
    assert trials.verdict("glimpse-policy").word == "supported"
    found = FOUND["reinforce"]
    assert found["hit_2"].mean == pytest.approx(0.72, abs=0.01)
    assert found["hit_2"].mean > 2 * FOUND["random"]["hit_2"].mean
    pairs = zip(found["hit_2"], found["hit"], strict=True)
    assert all(second > last for second, last in pairs)
    assert SAID["hit", "reinforce", "random"] == "not settled"


def test_the_gradient_is_ahead_of_reinforce() -> None:
    assert min(RIGHT["differentiable"]) > max(RIGHT["reinforce"])
    assert min(FOUND["differentiable"]["hit"]) > 0.98


def test_no_learned_location_was_shown_to_beat_the_rule() -> None:
    assert RIGHT["ink"].mean > RIGHT["differentiable"].mean
    assert SAID["accuracy", "differentiable", "ink"] == "not settled"


def test_reinforce_relies_less_on_its_locations() -> None:
    lost = {
        name: FOUND[name]["drop_others"].mean
        for name in ("differentiable", "reinforce")
    }
    assert lost["reinforce"] < lost["differentiable"] / 2


def test_the_trial_is_about_eight_times_as_long_as_the_lesson() -> None:
    images = RECORD.settings["scenes"] * RECORD.settings["epochs"]
    assert 8 < images / (3000 * 10) < 9


def test_gru_and_tanh_are_ours() -> None:
    network = RecurrentAttention(1, 10, reader=DifferentiableReader()).eval()
    assert isinstance(network.core, nn.GRUCell)
    nn.init.constant_(network.next.bias, 9.0)  # a linear layer would say nine
    assert network.play(torch.rand(2, 1, 40, 40)).locations.max() <= 1


def test_black_patches_say_nothing_of_the_direction() -> None:
    image = torch.zeros(1, 1, 40, 40)
    image[..., :8, :8] = torch.rand(8, 8)
    reader = GlimpseReader(patch=8, scales=2)
    for at, silent in ((0.5, True), (-0.4, False)):
        location = torch.full((1, 2), at, requires_grad=True)
        patches = reader.read(image, location)
        (slope,) = torch.autograd.grad(patches.sum(), location)
        assert (not slope.any()) == silent


def test_torchvision_crops_boxes_without_a_gradient() -> None:
    ops = pytest.importorskip("torchvision.ops")
    image = torch.rand(1, 1, 20, 20, requires_grad=True)
    box = torch.tensor([[0.0, 2, 2, 10, 10]], requires_grad=True)
    crop = ops.roi_align(image, box, 4)
    assert torch.autograd.grad(crop.sum(), box, allow_unused=True) == (None,)


def test_one_estimate_strays_by_more_than_its_size() -> None:
    torch.manual_seed(0)
    draws = 0.5 * torch.randn(200_000)
    rewards = ((draws > 0.3) & (draws < 0.9)).float()
    score = draws / 0.5**2
    estimates = rewards * score
    assert estimates.mean() == pytest.approx(0.509, abs=0.01)
    assert estimates.std() > estimates.mean()
    ten_more = (rewards + 10) * score
    assert ten_more.mean() == pytest.approx(0.509, abs=0.2)
    assert ten_more.std() > 10 * estimates.std()


def test_a_digit_covers_what_the_first_hit_says() -> None:
    drawn = ClutteredDigits(
        500, size=40, digit_size=16, fragments=0, split="test"
    ).draw()
    share = drawn.masks[:, 0, 20, 20].float().mean().item()
    assert share == pytest.approx(FOUND["centre"]["hit"].mean, abs=0.05)
