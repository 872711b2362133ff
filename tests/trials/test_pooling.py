import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from attncourse.data import SeveralSizes
from attncourse.models import AveragePooling2d
from attncourse.models.hidden_pooling import HiddenPooling
from attncourse.models.query_pooling import MeanQueryPooling
from attncourse.trials import Budget, claim
from attncourse.trials.setups.pooling import (
    CHANNELS,
    HEADS,
    run,
)
from tests.trials.standins import size

pytestmark = pytest.mark.lengthy


@pytest.fixture(scope="module")
def models(seeded):
    return seeded("query-pooling")


def test_the_hidden_layer_has_about_as_many_parameters_as_the_query(models):
    query = size(models["query4"]) - size(models["average"])
    assert query == size(models["query"]) - size(models["average"]) == 3200
    for variant, plain in ("average+mlp", "average"), ("gem+mlp", "gem"):
        hidden = size(models[variant]) - size(models[plain])
        assert abs(hidden - query) <= 0.02 * query
    assert size(models["gem"]) == size(models["max"]) + 1


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


def test_the_average_asks_every_place():
    torch.manual_seed(0)
    pooling = MeanQueryPooling(CHANNELS, HEADS)
    x = torch.randn(5, CHANNELS, 4, 6)
    pooled, weights = pooling.attend(x)
    assert weights.shape == (5, HEADS, 4, 6)
    assert_close(pooled, pooling(x))

    part = pooling.attention
    query = part.query(x.mean((2, 3))).view(5, HEADS, 1, -1)
    tokens = x.flatten(2).mT
    key, value = (
        each(tokens).view(5, 24, HEADS, -1).transpose(1, 2)
        for each in (part.key, part.value)
    )
    expected = F.scaled_dot_product_attention(query, key, value)
    assert_close(pooled, part.output(expected.flatten(1)))
    scores = (query @ key.mT / (CHANNELS // HEADS) ** 0.5).softmax(-1)
    assert_close(weights, scores.view(5, HEADS, 4, 6))


def test_the_heads_are_drawn_as_one_map(models):
    pooling = models["query4"].pooling
    x = torch.rand(5, CHANNELS, 4, 6)
    pooled, weights = pooling.attend(x)
    assert_close(pooled, pooling(x))
    heads = pooling.pooling.attend(x)[1]
    assert heads.shape == (5, HEADS, 4, 6)
    assert_close(weights[:, 0], heads.mean(1))
    assert_close(weights.sum((1, 2, 3)), torch.ones(5))


def test_the_hidden_layer_stands_before_the_pooling():
    pooling = HiddenPooling(6, 9, AveragePooling2d)
    x = torch.randn(4, 6, 5, 5)
    assert_close(pooling(x), pooling.mix(x).mean((2, 3)))
    assert pooling(x).min() >= 0
    pooled, weights = pooling.attend(x)
    assert_close(pooled, pooling(x))
    assert_close(weights, torch.full((4, 1, 5, 5), 1 / 25))


@pytest.mark.parametrize("variant", ["gem+mlp", "query4", "clip"])
def test_a_short_run_gives_all_metrics(variant):
    budget = Budget(scenes=84, epochs=1, test_scenes=36)
    metrics = run(variant, seed=2, budget=budget)
    for name in "accuracy", "mass", "pointing":
        parts = [metrics[f"{name}_{side}"] for side in SeveralSizes.SIZES]
        assert metrics[name] == pytest.approx(sum(parts) / 3)
    areas = sum(side**2 for side in SeveralSizes.SIZES) / 3
    assert metrics["area"] == pytest.approx(areas / SeveralSizes.CANVAS**2)
    case = claim("query-pooling")
    assert set(case.metrics) <= set(metrics)
    assert {each.metric for each in case.predictions} <= set(metrics)
    assert metrics == run(variant, seed=2, budget=budget)


def test_the_budget_has_as_many_scenes_of_each_size():
    for profile in claim("query-pooling").quick, claim("query-pooling").full:
        assert profile.budget.scenes % 3 == profile.budget.test_scenes % 3 == 0
