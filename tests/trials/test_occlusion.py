import pytest
import torch

from attncourse.trials import Budget
from attncourse.trials.setups.occlusion import (
    CANVAS,
    SIDES,
    run,
)
from tests.trials.standins import size

pytestmark = pytest.mark.lengthy


@pytest.fixture(scope="module")
def models(seeded):
    return seeded("attention-occlusion")


def test_the_control_has_as_many_parameters_as_attention(models):
    assert size(models["average+mlp"]) == size(models["attention"])
    for name in "average", "max", "attention":
        assert size(models[f"{name}+squares"]) == size(models[name])


def test_all_variants_start_from_the_same_trunk(models):
    first = models["average"].state_dict()
    for model in models.values():
        for name, ours in model.state_dict().items():
            if not name.startswith("pooling"):
                assert torch.equal(ours, first[name])


KINDS = "", "_grey", "_beside", "_grey_beside"
METRICS = {
    "accuracy",
    "area",
    "mass",
    "pointing",
    "pointing_chance",
    "pointing_centre",
    "hole_mass",
    "spared",
    *(f"retained{kind}" for kind in KINDS),
}


@pytest.mark.parametrize("variant", ["average+mlp", "attention+squares"])
def test_a_short_run_gives_all_metrics(variant):
    budget = Budget(scenes=83, epochs=1, test_scenes=37)
    metrics = run(variant, seed=2, budget=budget)
    curves = {
        kind: [metrics.pop(f"accuracy{kind}_{side}") for side in SIDES]
        for kind in KINDS
    }
    assert set(metrics) == METRICS
    for kind, curve in curves.items():
        assert metrics[f"retained{kind}"] == pytest.approx(
            sum(curve) / 4 / metrics["accuracy"]
        )
    again = run(variant, seed=2, budget=budget)
    assert metrics.items() <= again.items()
    if variant == "average+mlp":
        assert metrics["spared"] == pytest.approx(0, abs=1e-6)
        share = 8**2 / CANVAS**2
        assert metrics["hole_mass"] == pytest.approx(share, abs=1e-6)
