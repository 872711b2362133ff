import pytest
import torch

from attncourse.data.cued_textures import LEFT
from attncourse.trials import Budget, claim
from attncourse.trials.setups import squeeze_excitation
from attncourse.trials.setups.squeeze_excitation import (
    CHANNELS,
    VARIANTS,
    CuedTextures,
    explained,
    first_gradient,
    pooled_and_gates,
    run,
)
from tests.trials.standins import size

GATED = ("frozen", "se", "eca", "sigmoid", "softmax-raw", "softmax", "tanh")

pytestmark = pytest.mark.lengthy


@pytest.fixture(scope="module")
def models(seeded):
    return seeded("se-gain", "softmax-gate")


def test_variants_are_matched_in_parameters(models):
    gates = size(models["se"]) - size(models["plain"])
    assert gates == 2 * 24 * 12 + 12 + 24
    assert size(models["hidden"]) == size(models["softmax"])
    assert 0 <= size(models["se"]) - size(models["hidden"]) <= 0.02 * gates
    assert size(models["wider"]) >= size(models["se"])
    for other in "softmax-raw", "sigmoid", "tanh":
        assert size(models[other]) == size(models["softmax"])
    assert size(models["frozen"]) == size(models["se"])
    assert size(models["constant"]) - size(models["plain"]) == CHANNELS


def test_all_variants_but_wider_ones_start_from_the_same_trunk(models):
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
        assert same == (name not in ("wider", "double"))


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


@pytest.mark.parametrize("variant", GATED)
def test_pooled_and_gates_give_the_logits(models, variant):
    model = models[variant]
    images = CuedTextures(7).draw().images
    pooled, gates = pooled_and_gates(model, images)
    torch.testing.assert_close(model.classifier(pooled * gates), model(images))


def test_gates_of_one_layer_differ_in_the_function_alone(models):
    names = ("sigmoid", "softmax-raw", "softmax", "tanh")
    weights = [models[name].pooling.gate.score.weight for name in names]
    assert all(torch.equal(weights[0], other) for other in weights[1:])
    images = CuedTextures(5).draw().images
    pooled, gates = zip(
        *(pooled_and_gates(models[name], images) for name in names),
        strict=True,
    )
    scores = models["sigmoid"].pooling.gate.score(pooled[0])
    shares = scores.softmax(1)
    expected = scores.sigmoid(), shares, CHANNELS * shares, scores.tanh()
    for found, wanted in zip(gates, expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_frozen_gates_start_as_trained_ones_and_stay(models):
    frozen, trained = (
        models[variant].pooling.gate for variant in ("frozen", "se")
    )
    before = {name: each.clone() for name, each in frozen.named_parameters()}
    for name, each in trained.named_parameters():
        assert torch.equal(before[name], each)
        assert each.requires_grad
    model = VARIANTS["frozen"].build()
    model.pooling.gate.load_state_dict(before)
    first = model.classifier.weight.clone()
    budget = Budget(scenes=32, epochs=2, batch_size=16)
    budget.fit(model, CuedTextures(32), seed=1)
    for name, each in model.pooling.gate.named_parameters():
        assert torch.equal(before[name], each)
    assert not torch.equal(model.classifier.weight, first)


def test_the_constant_gate_is_one_for_all_images():
    gate = VARIANTS["constant"].build().pooling.gate
    x = torch.rand(3, CHANNELS, 4, 5)
    torch.testing.assert_close(gate(x), x / 2)
    with torch.no_grad():
        gate.score[1] = 2.0
    torch.testing.assert_close(
        gate(x)[:, 1], x[:, 1] * torch.tensor(2.0).sigmoid()
    )
    gate(x).sum().backward()
    assert (gate.score.grad > 0).all()


def test_the_first_gradient_leaves_the_model_as_it_is(models):
    model = models["softmax"]
    before = {key: each.clone() for key, each in model.state_dict().items()}
    shown = CuedTextures(32).draw()
    larger = first_gradient(model, shown)
    assert larger > 4 * first_gradient(models["softmax-raw"], shown) > 0
    assert not model.training
    assert all(p.grad is None for p in model.parameters())
    for key, each in model.state_dict().items():
        assert torch.equal(before[key], each)


def test_explained_variance_of_pure_and_idle_groups():
    groups = torch.tensor([0, 1, 1, 0, 1, 0])
    pure = torch.stack([groups.float(), 3 - 2.0 * groups], 1)
    assert explained(pure, groups) == pytest.approx(1)
    assert explained(pure, torch.tensor([0, 0, 1, 0, 0, 1])) < 0.2


@pytest.mark.parametrize("variant", ["constant", "frozen", "tanh"])
def test_a_short_run_gives_all_metrics(variant):
    budget = Budget(scenes=83, epochs=1, test_scenes=37)
    scores = run(variant, seed=2, budget=budget)
    gates = {
        "follows_cue",
        "follows_texture",
        "follows_tint",
        "drop_mean",
        "drop_shuffled",
        "obeys_twin",
        "gate_mean",
        "kept",
    }
    expected = {"accuracy", "gradient"} | (
        gates if variant in GATED else set()
    )
    assert set(scores.metrics) == expected
    assert scores.metrics == run(variant, seed=2, budget=budget).metrics
    assert len(scores.history.loss) == 1
    assert size(scores.network) == size(VARIANTS[variant].build())


def test_a_pilot_never_sees_the_test_scenes(monkeypatch):
    splits = []

    class Watched(CuedTextures):
        def __init__(self, count, *, split="train", seed=0):
            splits.append((split, seed))
            super().__init__(count, split=split, seed=seed)

    monkeypatch.setattr(squeeze_excitation, "CuedTextures", Watched)
    budget = Budget(scenes=83, epochs=1, test_scenes=37, split="validation")
    run("plain", seed=2, budget=budget)
    assert splits[-1] == ("validation", 2)
    assert {split for split, _ in splits} == {"train", "validation"}


def test_twice_the_width_is_twice_the_width(models):
    double = VARIANTS["double"].build()
    pairs = zip(
        double.features.parameters(),
        models["plain"].features.parameters(),
        strict=True,
    )
    assert all(len(wide) == 2 * len(narrow) for wide, narrow in pairs)


def test_both_claims_share_their_runs():
    first, second = claim("se-gain"), claim("softmax-gate")
    assert first.run is second.run
    assert first.full.budget == second.full.budget
    assert first.quick.budget == second.quick.budget
    assert set(first.variants) | set(second.variants) <= set(VARIANTS)
    assert set(first.variants) & set(second.variants) == {"plain"}


def test_gates_are_asked_of_variants_that_have_them():
    for name in "se-gain", "softmax-gate":
        case = claim(name)
        for prediction in case.predictions:
            assert (
                prediction.metric == "accuracy" or prediction.variant in GATED
            )
