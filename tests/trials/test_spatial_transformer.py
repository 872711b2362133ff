import pytest
import torch
from torch import nn

from attncourse.attention.sampling import affine_sample
from attncourse.attention.spatial_transformer import (
    SpatialTransformer,
    similarity,
)
from attncourse.metrics import cost
from attncourse.trials import Budget, claim
from attncourse.trials.setups.spatial_transformer import (
    CANVAS,
    Crop,
    PosedDigits,
    ResampledTransformer,
    angle,
    by_displacement,
    displacement,
    frames_of,
    in_clutter,
    inverted,
    lost,
    not_turned,
    of_another_image,
    only_turned,
    reading_elsewhere,
    run,
    undone,
    upright,
    whole_image,
)
from tests.trials.standins import size

pytestmark = pytest.mark.lengthy


@pytest.fixture(scope="module")
def models(seeded):
    return seeded("stn-gain", "stn-steps")


@pytest.fixture(scope="module")
def work(models):
    example = torch.zeros(1, 1, CANVAS, CANVAS)
    return {
        name: cost(model, example, repeats=1).multiply_adds
        for name, model in models.items()
    }


def test_clutter_leaves_the_box_alone():
    plain, cluttered = (
        draws(17, seed=5).draw() for draws in (PosedDigits, in_clutter)
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


def test_the_inverse_pose_undoes_everything():
    _, pose = PosedDigits(31, seed=5).draw_posed()
    perfect = undone(inverted(pose), pose)
    for name in ("angle_r", "zoom_r", "x_r", "y_r", "hit"):
        assert perfect[name] == pytest.approx(1, abs=1e-4)
    assert perfect["angle_error"] == pytest.approx(0, abs=1e-3)
    nothing = undone(whole_image(pose), pose)
    assert nothing["angle_r"] == nothing["zoom_r"] == 0
    assert nothing["angle_error"] == pytest.approx(nothing["angle_before"])


def test_matched_variants(models):
    assert size(models["still"]) == size(models["stn"])
    for name in "stn-2", "stn-4", "stn-twice":
        assert size(models[name]) == size(models["stn"])
    without_angle = size(models["stn"]) - size(models["stn-upright"])
    assert without_angle == 32 + 1
    assert size(models["cnn"]) == pytest.approx(size(models["stn"]), rel=0.1)
    assert size(models["turned-perceptron"]) > size(
        models["turned-stn-perceptron"]
    )


def test_one_wide_step_spends_as_much_as_four(work):
    assert work["stn-wide"] == pytest.approx(work["stn-4"], rel=0.02)
    assert work["stn-2"] < 0.7 * work["stn-4"]


def test_the_claims_share_one_variant():
    ours, theirs = claim("stn-gain"), claim("stn-steps")
    assert ours.run is theirs.run
    assert ours.full.budget == theirs.full.budget
    assert ours.variants["stn"].build is theirs.variants["stn"].build


def test_classifiers_start_alike(models):
    first = models["still"].classifier.state_dict()
    for name in (*claim("stn-steps").variants, "stn-upright", "stn-clutter"):
        for key, value in models[name].classifier.state_dict().items():
            assert torch.equal(value, first[key]), (name, key)


def test_a_transformer_without_an_angle():
    numbers = torch.tensor([[0.3, 0.2, -0.4]])
    matrix = upright.matrix(numbers, 1.0)
    assert angle(matrix) == 0
    full = torch.tensor([[0.3, 0.0, 0.2, -0.4]])
    assert torch.equal(matrix, similarity.matrix(full, 1.0))


def test_crops_start_as_an_average_of_two_by_two(models):
    images = PosedDigits(7).draw().images
    for model in models.values():
        if isinstance(model, Crop):
            theta = model.theta(images)
            assert torch.allclose(theta, whole_image(theta))
            logits, weights = model.attend(images)
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


def test_frames_are_those_that_are_sampled(models):
    images = PosedDigits(7).draw().images
    twice = models["stn-twice"]
    frames = frames_of(twice, images)
    assert len(frames) == 2
    assert torch.equal(frames[-1], twice.theta(images))
    assert len(frames_of(models["stn-4"], images)) == 1


def test_ink_outside_of_any_frame_is_lost():
    image = torch.zeros(1, 1, CANVAS, CANVAS)
    image[..., 3, 1] = 3
    image[..., 3, 38] = 1
    still = torch.eye(2, 3)[None]
    right = torch.tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]])
    left = torch.tensor([[[1.0, 0.0, -0.5], [0.0, 1.0, 0.0]]])
    assert lost([still], image) == 0
    assert lost([right], image) == pytest.approx(0.75)
    assert lost([left, still], image) == pytest.approx(0.25)
    assert lost([right, left], image) == 1


def test_an_inverse_leads_back():
    _, pose = PosedDigits(7, seed=5).draw_posed()
    places = torch.rand(7, 2, 1)
    there = pose[:, :, :2] @ places + pose[:, :, 2:]
    back = inverted(pose)
    again = back[:, :, :2] @ there + back[:, :, 2:]
    assert torch.allclose(again, places, atol=1e-5)


def test_displacement_is_in_pixels():
    numbers = torch.tensor(
        [
            [0.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.3, 0.4],
            [0.0, torch.pi, 0.0, 0.0],
        ]
    )
    moved = inverted(similarity.matrix(numbers, 1.0))
    away = displacement(moved)
    expected = torch.tensor([0.0, 10.0, 2 * 20 * 2**0.5])
    assert torch.allclose(away, expected, atol=1e-3)


class SaysFour(nn.Module):
    def forward(self, x):
        logits = torch.zeros(len(x), 10)
        logits[:, 4] = 1
        return logits


def test_thirds_go_from_near_to_far():
    test, pose = PosedDigits(31, seed=5).draw_posed()
    far = displacement(pose) > displacement(pose).median()
    test = type(test)(test.images, 4 * far.long(), test.masks)
    found = by_displacement(SaysFour(), test, pose)
    assert found["accuracy_near"] == 0
    assert 0 < found["accuracy_between"] < 1
    assert found["accuracy_far"] == 1


def test_changes_of_the_transformation():
    _, pose = PosedDigits(31, seed=5).draw_posed()
    assert torch.equal(of_another_image(pose)[1], pose[0])
    straight = not_turned(pose)
    assert torch.allclose(
        straight[:, :, :2].det(), pose[:, :, :2].det(), rtol=1e-4
    )
    assert straight[:, 0, 1].abs().max() == 0
    assert torch.equal(straight[:, :, 2], pose[:, :, 2])


def test_reading_elsewhere_changes_a_copy(models):
    model = models["stn"]
    images = PosedDigits(7).draw().images
    changed = reading_elsewhere(model, lambda theta: 0.5 * theta)
    assert torch.allclose(changed.theta(images), 0.5 * model.theta(images))
    assert changed.transformer is not model.transformer


@pytest.mark.parametrize(
    "variant", ["max-clutter", "still", "stn-2", "stn-twice"]
)
def test_a_short_run_gives_all_metrics(variant):
    budget = Budget(scenes=67, epochs=1, test_scenes=37)
    metrics = run(variant, seed=2, budget=budget)
    drops = {name for name in metrics if name.startswith("drop")}
    if variant == "max-clutter":
        assert set(metrics) == {"accuracy"}
    else:
        shown = {*claim("stn-gain").metrics, "zoom_r", "x_r", "y_r", "lost"}
        assert shown - {"drop_not_turned"} < set(metrics)
        assert len(drops) == (0 if variant == "still" else 3)
        assert variant == "still" or {*claim("stn-steps").metrics} < set(
            metrics
        )
    assert metrics == run(variant, seed=2, budget=budget)


def test_scenes_are_those_of_the_label():
    for variant in claim("stn-gain").variants.values():
        assert (variant.scenes is in_clutter) == (
            variant.label.startswith("in clutter")
        )
        assert (variant.scenes is only_turned) == (
            variant.label.startswith("only turned")
        )
