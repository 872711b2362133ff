from functools import partial

import pytest
import torch

from attncourse.trials import Budget, claim, load
from attncourse.trials.claims.squeeze_excitation import (
    CLAIM,
    GATED,
    LEFT,
    CuedTextures,
    explained,
    pooled_and_gates,
    run,
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


def test_arms_are_matched_in_parameters(models):
    gates = size(models["se"]) - size(models["plain"])
    assert gates == 2 * 24 * 12 + 12 + 24
    assert size(models["hidden"]) == size(models["softmax"])
    assert 0 <= size(models["se"]) - size(models["hidden"]) <= 0.02 * gates
    assert size(models["wider"]) >= size(models["se"])
    assert size(models["softmax"]) == size(models["softmax-raw"])
    assert size(models["softmax"]) == size(models["sigmoid"])


def test_all_arms_but_the_wider_start_from_the_same_trunk(models):
    first = models["plain"]
    for name, model in models.items():
        same = all(
            torch.equal(ours, theirs)
            for ours, theirs in zip(
                model.features.parameters(),
                first.features.parameters(),
                strict=True,
            )
        )
        assert same == (name != "wider")


def test_scenes_answer_to_the_cue():
    scenes = CuedTextures(97, seed=5)
    images, labels, masks = scenes.draw(2)
    cue, texture, tint = scenes.factors(2)
    assert images.shape == (97, 3, 32, 56)
    assert masks is None
    assert torch.equal(labels[cue == 0], texture[cue == 0])
    assert torch.equal(labels[cue == 1], tint[cue == 1])
    dots = images[:, 0, :, 1:5]
    assert torch.equal(dots.amax((1, 2)) == 1, cue == 0)
    assert torch.equal(dots.amin((1, 2)) == 0, cue == 1)
    assert (images[..., 5:LEFT] == 0.5).all()


def test_twins_differ_in_the_dot_alone():
    scenes = CuedTextures(61, split="test")
    images, labels, _ = scenes.draw()
    twins, other, _ = scenes.draw(other_cue=True)
    assert torch.equal(images[..., 5:], twins[..., 5:])
    dot = images[..., 1:5] != 0.5
    assert torch.equal(images[..., 1:5][dot], 1 - twins[..., 1:5][dot])
    _, texture, tint = scenes.factors()
    assert torch.equal(labels == other, texture == tint)


def test_epochs_and_splits_differ_and_repeat():
    scenes = CuedTextures(31)
    first = scenes.draw(0).images
    assert torch.equal(first, CuedTextures(31).draw(0).images)
    assert not torch.equal(first, scenes.draw(1).images)
    other = CuedTextures(31, split="test").draw(0).images
    assert not torch.equal(first, other)


def test_unknown_splits_are_named():
    with pytest.raises(ValueError, match="split must be train or test"):
        CuedTextures(3, split="all")


def test_no_unit_sees_a_dot_and_the_texture(models):
    features = models["plain"].features
    image = torch.rand(1, 3, 32, 56, requires_grad=True)
    maps = features(image)
    for column in range(maps.shape[-1]):
        (seen,) = torch.autograd.grad(
            maps[..., column].sum(), image, retain_graph=True
        )
        columns = seen.abs().sum((0, 1, 2)) > 0
        assert not (columns[:5].any() and columns[LEFT:].any())


@pytest.mark.parametrize("arm", GATED)
def test_pooled_and_gates_give_the_logits(models, arm):
    model = models[arm]
    images = CuedTextures(7).draw().images
    pooled, gates = pooled_and_gates(model, images)
    torch.testing.assert_close(model.classifier(pooled * gates), model(images))


def test_explained_variance_of_pure_and_idle_groups():
    groups = torch.tensor([0, 1, 1, 0, 1, 0])
    pure = torch.stack([groups.float(), 3 - 2.0 * groups], 1)
    assert explained(pure, groups) == pytest.approx(1)
    assert explained(pure, torch.tensor([0, 0, 1, 0, 0, 1])) < 0.2


@pytest.mark.parametrize("arm", ["wider", "se"])
def test_a_short_run_gives_all_metrics(arm):
    budget = Budget(scenes=83, epochs=1, test_scenes=37)
    metrics = run(arm, seed=2, budget=budget)
    gates = {
        "follows_cue",
        "follows_texture",
        "follows_tint",
        "drop_mean",
        "drop_shuffled",
        "obeys_twin",
        "gate_mean",
    }
    assert set(metrics) == {"accuracy"} | (gates if arm == "se" else set())
    assert metrics == run(arm, seed=2, budget=budget)


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["se"])
def test_a_recorded_run_repeats(arm):
    record = load("squeeze_excitation")
    case = claim("squeeze_excitation")
    again = attempt(partial(case.run, budget=case.full.budget), arm, 0)
    for metric in ("accuracy",):
        series = record.arms[arm].metrics[metric]
        margin = max(series.std, 0.001)
        low, high = min(series) - margin, max(series) + margin
        assert low <= again.metrics[metric] <= high, metric
