import pytest
import torch
from torch.testing import assert_close

from attncourse.attention import DynamicCapacity
from attncourse.metrics import cost
from attncourse.models.patches import ChangedSaliency
from attncourse.trials import Budget
from attncourse.trials.setups.dynamic_capacity import (
    CANVAS,
    COUNTS,
    VARIANTS,
    Finest,
    dynamic_loss,
    half_way,
    of_another_scene,
    on_digit,
    run,
    scenes,
    with_patches,
)

pytestmark = pytest.mark.lengthy

BUDGET = Budget(scenes=71, epochs=2, test_scenes=37)


@pytest.fixture(scope="module")
def models(seeded):
    return seeded("close-looks")


@pytest.fixture(scope="module")
def shown():
    return scenes(11, split="test").draw()


@pytest.fixture(scope="module")
def work(models):
    example = torch.zeros(1, 1, CANVAS, CANVAS)
    return {
        name: cost(model, example, repeats=1).multiply_adds
        for name, model in models.items()
    }


def test_all_dynamic_variants_start_alike(models):
    first = models["saliency"].state_dict()
    for name, model in models.items():
        if isinstance(model, DynamicCapacity):
            for key, value in model.state_dict().items():
                assert torch.equal(value, first[key]), (name, key)


def test_the_matched_controls_spend_as_much(work):
    for name in "coarse-wide", "fine-thin":
        assert work[name] == pytest.approx(work["saliency"], rel=0.02)
    assert work["random"] == work["centre"] == work["ink"]
    assert work["random"] < work["saliency"] < work["fine"] / 4


def test_whole_networks_are_the_ends_of_the_dynamic_one(models, shown):
    dynamic = models["saliency"]
    for name, trunk, count in [
        ("coarse", dynamic.coarse, 0),
        ("fine", dynamic.fine, 100),
    ]:
        whole = VARIANTS[name].build().eval()
        whole.trunk = trunk
        whole.hidden, whole.classifier = dynamic.hidden, dynamic.classifier
        ends = with_patches(dynamic, count)
        assert_close(whole(shown.images), ends(shown.images))
    assert_close(
        Finest(dynamic)(shown.images),
        with_patches(dynamic, 100)(shown.images),
    )
    assert dynamic.patches == 3


def test_patches_of_the_controls(models, shown):
    def chosen(variant):
        return models[variant].look(shown.images).chosen

    assert {44, 45, 54} == set(chosen("centre")[0].tolist())
    assert (chosen("centre") == chosen("centre")[0]).all()
    assert not torch.equal(chosen("random"), chosen("random"))
    assert on_digit(chosen("ink"), shown.masks).float().mean() > 0.2


def test_the_ink_of_a_dot():
    model = VARIANTS["ink"].build().eval()
    image = torch.zeros(1, 1, 80, 80)
    image[0, 0, 3, 77] = 1
    seen = model.look(image).saliency[0, 0]
    lit = {tuple(patch) for patch in seen.nonzero().tolist()}
    assert lit == {(0, 8), (0, 9), (1, 8), (1, 9)}


def test_on_digit_reads_the_middle_of_a_patch():
    masks = torch.zeros(1, 1, 80, 80, dtype=torch.bool)
    masks[0, 0, 4, 12] = True
    chosen = torch.tensor([[0, 1, 2, 10, 11]])
    assert on_digit(chosen, masks).tolist() == [[False, True] + 3 * [False]]


def test_moved_patches_are_elsewhere_and_leave_the_network(models, shown):
    model = models["saliency"]
    own = model.look(shown.images)
    away = ChangedSaliency(model, half_way).look(shown.images)
    shifted = (own.chosen // 10 + 5) % 10 * 10 + (own.chosen % 10 + 5) % 10
    assert_close(away.saliency, own.saliency.roll((5, 5), (2, 3)))
    assert torch.equal(away.chosen[:, 0], shifted[:, 0])
    swapped = ChangedSaliency(model, of_another_scene).look(shown.images)
    assert_close(swapped.saliency[1], own.saliency[0])
    assert_close(ChangedSaliency(model, lambda s: s)(shown.images), own.logits)
    assert torch.equal(model.look(shown.images).chosen, own.chosen)


def test_the_hint_moves_the_coarse_half_alone(models, shown):
    model = with_patches(models["saliency"], 3)
    batch = shown.images, shown.labels, shown.masks

    def slopes(hint):
        model.zero_grad(set_to_none=True)
        loss, logits = dynamic_loss(model, *batch, hint=hint)
        assert logits.shape == (11, 10)
        loss.backward()
        return {n: p.grad.clone() for n, p in model.named_parameters()}

    without, with_hint = slopes(0.0), slopes(1.0)
    for name, slope in with_hint.items():
        same = torch.allclose(slope, without[name], atol=1e-6)
        if name.startswith("fine"):
            assert same, name
        if name == "coarse.1.weight":
            assert not same


@pytest.mark.parametrize(
    ("variant", "extra"),
    [
        ("coarse-wide", set()),
        ("random", {"hit", "hit_any"}),
        ("no-hint", {"hit", "hit_any", "drop_moved", "drop_others"}),
    ],
)
def test_a_short_run_gives_all_metrics(variant, extra):
    metrics = run(variant, seed=2, budget=BUDGET)
    maps = {"area", "mass", "pointing", "pointing_chance", "pointing_centre"}
    assert set(metrics) == {"accuracy"} | extra | (maps if extra else set())
    assert metrics == run(variant, seed=2, budget=BUDGET)
    if extra:
        assert metrics["hit"] <= metrics["hit_any"]


def test_the_run_by_saliency_tries_other_counts():
    metrics = run("saliency", seed=2, budget=BUDGET)
    tried = {f"accuracy_at_{count}" for count in (*COUNTS, "all")}
    assert tried < set(metrics)
