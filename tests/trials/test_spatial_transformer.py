from functools import partial

import pytest
import torch
from torch import nn

from attncourse.attention.sampling import affine_sample
from attncourse.attention.spatial_transformer import (
    SpatialTransformer,
    similarity,
)
from attncourse.trials import Budget, claim, load
from attncourse.trials.claims.spatial_transformer import (
    CLAIM,
    Crop,
    PosedDigits,
    ResampledTransformer,
    anothers,
    not_turned,
    run,
    scenes_of,
    told,
    undone,
    whole_image,
)
from attncourse.trials.local import attempt

pytestmark = pytest.mark.lengthy


@pytest.fixture(scope="module")
def models():
    def seeded(arm):
        torch.manual_seed(3)
        return arm.build().eval()

    return {name: seeded(arm) for name, arm in CLAIM.arms.items()}


def size(model):
    return sum(p.numel() for p in model.parameters())


def inverse(pose):
    back = torch.linalg.inv(pose[:, :, :2])
    return torch.cat([back, -back @ pose[:, :, 2:]], 2)


def test_a_pose_leads_from_the_canvas_to_the_digit():
    scenes, pose = PosedDigits(13, seed=5).draw_posed()
    upright = affine_sample(scenes.images, inverse(pose), (8, 8))
    again, _ = PosedDigits(
        13, turn=0.0, sides=(40.0, 40.0), seed=5
    ).draw_posed()
    straight = again.images[:, :, 2::5, 2::5]
    assert torch.equal(scenes.labels, again.labels)
    for ours, theirs in zip(upright, straight, strict=True):
        pair = torch.stack([ours.flatten(), theirs.flatten()])
        assert torch.corrcoef(pair)[0, 1] > 0.8


def test_the_box_lies_on_the_canvas_and_holds_all_ink():
    scenes, pose = PosedDigits(29, seed=5).draw_posed()
    corners = torch.tensor([[-1.0, -1], [-1, 1], [1, -1], [1, 1]])
    back = inverse(pose)
    reach = corners @ back[:, :, :2].mT + back[:, None, :, 2]
    assert reach.abs().max() <= 1 + 1e-5
    ink = scenes.images.sum((1, 2, 3))
    inside = (scenes.images * scenes.masks).sum((1, 2, 3))
    assert (inside / ink).min() > 0.85
    sides = scenes.masks.sum((1, 2, 3)).float().sqrt()
    assert sides.min() > 12
    assert sides.max() < 25


def test_clutter_leaves_the_box_alone():
    plain, cluttered = (
        scenes_of(arm, 17, seed=5).draw() for arm in ("stn", "stn-clutter")
    )
    ink = (cluttered.images * ~cluttered.masks).sum()
    assert ink > 5 * (plain.images * ~plain.masks).sum()
    bare, pose = PosedDigits(17, seed=5).draw_posed()
    for pieces in (1, 3):
        scenes = PosedDigits(17, fragments=pieces, seed=5)
        with_clutter, same_pose = scenes.draw_posed()
        assert torch.equal(pose, same_pose)
        assert torch.equal(
            with_clutter.images * bare.masks, bare.images * bare.masks
        )


def test_train_and_test_scenes_differ_and_repeat():
    train = PosedDigits(17, seed=5)
    test = PosedDigits(17, split="test", seed=5)
    assert torch.equal(train.draw(1).images, train.draw(1).images)
    assert not torch.equal(train.draw(0).images, train.draw(1).images)
    assert not torch.equal(train.draw(0).images, test.draw(0).images)


def test_the_inverse_pose_undoes_everything():
    _, pose = PosedDigits(31, seed=5).draw_posed()
    perfect = undone(inverse(pose), pose)
    for name in ("angle_r", "zoom_r", "x_r", "y_r", "hit"):
        assert perfect[name] == pytest.approx(1, abs=1e-4)
    assert perfect["angle_error"] == pytest.approx(0, abs=1e-3)
    nothing = undone(whole_image(pose), pose)
    assert nothing["angle_r"] == nothing["zoom_r"] == 0
    assert nothing["angle_error"] == pytest.approx(nothing["angle_before"])


def test_matched_arms(models):
    assert size(models["still"]) == size(models["stn"])
    assert size(models["stn-2"]) == size(models["stn"])
    assert size(models["stn-twice"]) == size(models["stn"])
    assert size(models["cnn"]) == pytest.approx(size(models["stn"]), rel=0.1)
    assert size(models["turned-perceptron"]) > size(
        models["turned-stn-perceptron"]
    )


def test_crops_start_as_an_average_of_two_by_two(models):
    images = PosedDigits(7).draw().images
    for model in models.values():
        if isinstance(model, Crop):
            theta = model.theta(images)
            assert torch.allclose(theta, whole_image(theta))
            logits, weights = model(images, return_weights=True)
            assert torch.allclose(logits, model(images))
            assert weights.sum((1, 2, 3)).allclose(torch.ones(7))


class ThereAndBack(nn.Module):
    """Shift by more than half the frame, and then back."""

    def __init__(self):
        super().__init__()
        self.sign = -1

    def forward(self, x):
        self.sign = -self.sign
        return self.sign * torch.tensor([0.0, 0.0, 1.2, 0.0]).repeat(len(x), 1)


def test_sampling_twice_loses_what_left_the_frame():
    images = PosedDigits(7).draw().images
    lost, kept = (
        kind(
            1,
            similarity,
            steps=2,
            size=(20, 20),
            localization=ThereAndBack(),
        )
        for kind in (ResampledTransformer, SpatialTransformer)
    )
    whole = affine_sample(images, whole_image(torch.zeros(7, 2, 3)), (20, 20))
    assert torch.allclose(lost.theta(images), kept.theta(images))
    assert torch.allclose(kept(images), whole, atol=1e-5)
    assert lost(images).sum() < 0.8 * whole.sum()


def test_changes_of_the_transformation():
    _, pose = PosedDigits(31, seed=5).draw_posed()
    assert torch.equal(anothers(pose)[1], pose[0])
    straight = not_turned(pose)
    assert torch.allclose(
        straight[:, :, :2].det(), pose[:, :, :2].det(), rtol=1e-4
    )
    assert straight[:, 0, 1].abs().max() == 0
    assert torch.equal(straight[:, :, 2], pose[:, :, 2])


def test_told_replaces_a_copy(models):
    model = models["stn"]
    images = PosedDigits(7).draw().images
    changed = told(model, lambda theta: 0.5 * theta)
    assert torch.allclose(changed.theta(images), 0.5 * model.theta(images))
    assert changed.transformer is not model.transformer


@pytest.mark.parametrize("arm", ["max-clutter", "still", "stn-2"])
def test_a_short_run_gives_all_metrics(arm):
    budget = Budget(scenes=67, epochs=1, test_scenes=37)
    metrics = run(arm, seed=2, budget=budget)
    drops = {name for name in metrics if name.startswith("drop")}
    if arm == "max-clutter":
        assert set(metrics) == {"accuracy"}
    else:
        assert {*CLAIM.metrics, "zoom_r", "x_r", "y_r"} < set(metrics)
        assert len(drops) == (0 if arm == "still" else 3)
    assert metrics == run(arm, seed=2, budget=budget)


def test_scenes_follow_the_name_of_the_arm():
    assert scenes_of("max-clutter", 3).fragments > 0
    assert scenes_of("turned-max", 3).centred
    assert not scenes_of("stn", 3).centred


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["stn"])
def test_a_recorded_run_repeats(arm):
    record = load("spatial_transformer")
    case = claim("spatial_transformer")
    again = attempt(partial(case.run, budget=case.full.budget), arm, 0)
    for metric in ("accuracy", "hit"):
        series = record.arms[arm].metrics[metric]
        margin = max(series.std, 0.001)
        low, high = min(series) - margin, max(series) + margin
        assert low <= again.metrics[metric] <= high, metric
