"""What lesson 10 says of its recorded trials and of sampling."""

import pytest
import torch
from torch.nn import functional as F

from attncourse import trials
from attncourse.attention.sampling import affine_sample
from attncourse.data import PosedDigits
from attncourse.trials import Record, Series

GAIN, STEPS, SHIFTS = "stn-gain", "stn-steps", "cnn-translation"


def series(name: str, metric: str) -> dict[str, Series]:
    return {
        variant: result.metrics[metric]
        for variant, result in trials.load(name).variants.items()
        if metric in result.metrics
    }


@pytest.fixture(scope="module")
def record() -> Record:
    return trials.load(GAIN)


def test_the_trial_is_as_the_lesson_tells_it(record: Record) -> None:
    budget = record.settings
    assert (budget["scenes"], budget["epochs"]) == (2500, 6)
    assert budget["test_scenes"] == 2000
    batches = -(-budget["scenes"] // budget["batch_size"])
    assert batches * budget["epochs"] == 240  # "240 steps of training"


def test_the_control_lies_below_the_plain_network() -> None:
    accuracy = series(GAIN, "accuracy")
    assert max(accuracy["still"]) < min(accuracy["cnn"])
    assert trials.verdict(GAIN).word == "supported"


def test_max_pooling_comes_close_and_is_ahead_in_clutter() -> None:
    accuracy = series(GAIN, "accuracy")
    others = [accuracy[name].mean for name in ("still", "cnn", "max")]
    assert max(others) == accuracy["max"].mean
    assert accuracy["stn"].mean > accuracy["max"].mean
    pairs = list(
        zip(accuracy["max-clutter"], accuracy["stn-clutter"], strict=True)
    )
    assert sum(pooled > framed for pooled, framed in pairs) >= 9
    assert accuracy["stn-max"].mean < accuracy["max"].mean


def test_no_degree_is_undone_on_wandering_digits() -> None:
    left, before = series(GAIN, "angle_error"), series(GAIN, "angle_before")
    for variant in ("stn", "stn-upright", "stn-max", "stn-clutter"):
        assert abs(left[variant].mean - before[variant].mean) < 0.2


def test_part_of_the_angle_is_undone_where_nothing_else_can_be() -> None:
    left, before = series(GAIN, "angle_error"), series(GAIN, "angle_before")
    turned = left["turned-stn-perceptron"]
    applied = before["turned-stn-perceptron"].mean
    assert applied == pytest.approx(45, abs=0.5)
    assert turned.mean == pytest.approx(34, abs=1)  # 34 of 45 remain
    assert min(turned) < 25 < 40 < max(turned)


def test_a_turn_that_is_free_is_worth_under_a_point() -> None:
    accuracy = series(GAIN, "accuracy")
    assert abs(accuracy["stn"].mean - accuracy["stn-upright"].mean) < 0.01


def test_the_second_step_brings_most_of_the_gain() -> None:
    steps = trials.load(STEPS)
    two = steps.difference("stn-2", "accuracy", "stn").mean
    four = steps.difference("stn-4", "accuracy", "stn").mean
    far = steps.difference("stn-4", "accuracy_far", "stn").mean
    assert 0.8 * four < two < four < far
    assert steps.difference("stn-4", "accuracy", "stn-wide").low > 0.01
    lost = series(STEPS, "lost")
    assert max(max(each) for each in lost.values()) < 0.001


def test_an_adaptive_phase_is_exact_for_whole_images_alone() -> None:
    assert min(series(SHIFTS, "consistency")["adaptive"]) > 0.9999
    assert max(series(SHIFTS, "consistency_alone")["adaptive"]) < 0.99
    assert trials.verdict(SHIFTS).word == "refuted"


def test_digits_are_turned_by_sixty_degrees_at_most() -> None:
    _, pose = PosedDigits(2000, split="test").draw_posed()
    angle = torch.rad2deg(torch.atan2(pose[:, 1, 0], pose[:, 0, 0])).abs()
    assert 59 < angle.max() <= 60.001
    assert angle.mean() == pytest.approx(30, abs=1)


def gradient_of_shift(image: torch.Tensor, shift: float) -> float:
    theta = torch.tensor([[[0.25, 0.0, shift], [0.0, 0.25, 0.0]]])
    theta.requires_grad_()
    affine_sample(image, theta, (10, 10)).square().mean().backward()
    assert theta.grad is not None
    return theta.grad[0, 0, 2].abs().item()


def test_learning_comes_from_edges_anywhere_inside_the_frame() -> None:
    bar = torch.zeros(1, 1, 40, 40)
    bar[..., 15:25, 19:22] = 1  # in the middle of the frame at 0
    assert gradient_of_shift(bar, 0.02) > 0
    assert gradient_of_shift(bar, 0.6) == 0  # flat canvas
    assert gradient_of_shift(torch.ones(1, 1, 40, 40), 0.0) == 0


def test_grid_sample_does_not_align_corners_unasked() -> None:
    """As exercise 3 says of torch 2.15."""
    image, eye = torch.rand(1, 1, 5, 7), torch.eye(2, 3)[None]
    grid = F.affine_grid(eye, list(image.shape), align_corners=True)
    with pytest.warns(UserWarning, match="align_corners"):
        default = F.grid_sample(image, grid)
    said = F.grid_sample(image, grid, align_corners=False)
    assert torch.equal(default, said)
    assert not torch.allclose(said, image)
