import pytest
import torch

from attncourse.trials import Budget
from attncourse.trials.setups.additive_pooling import run
from tests.trials.standins import size

pytestmark = pytest.mark.lengthy


@pytest.fixture(scope="module")
def models(seeded):
    return seeded("additive-gain")


def test_the_control_has_as_many_parameters_as_attention(models):
    assert size(models["average+mlp"]) == size(models["attention"])
    assert size(models["column"]) == size(models["attention"])
    assert size(models["average"]) == size(models["max"])
    assert size(models["average"]) == size(models["attention"]) - 1088


def test_all_variants_start_from_the_same_trunk(models):
    first = models["average"]
    for model in models.values():
        for part in "features", "classifier":
            for ours, theirs in zip(
                getattr(model, part).parameters(),
                getattr(first, part).parameters(),
                strict=True,
            ):
                assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("variant", "extra"),
    [
        ("average", {"cam_mass", "cam_pointing"}),
        ("average+mlp", set()),
        ("attention", {"drop_uniform", "drop_shuffled"}),
    ],
)
def test_a_short_run_gives_all_metrics(variant, extra):
    budget = Budget(scenes=83, epochs=1, test_scenes=37)
    metrics = run(variant, seed=2, budget=budget)
    assert set(metrics) == extra | {
        "accuracy",
        "area",
        "mass",
        "pointing",
        "pointing_chance",
        "pointing_centre",
    }
    assert metrics["area"] == pytest.approx(16**2 / 60**2)
    assert metrics == run(variant, seed=2, budget=budget)
    if variant != "attention":
        assert metrics["mass"] == pytest.approx(metrics["area"], abs=1e-5)
