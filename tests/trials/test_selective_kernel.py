from functools import partial

import pytest
import torch
from scipy.stats import spearmanr

from attncourse.trials import Budget, claim, load
from attncourse.trials.claims.selective_kernel import (
    CLAIM,
    SIZES,
    GrowingDigits,
    branch_weights,
    centred,
    rank_correlation,
    run,
    uniform,
    with_weights_replaced,
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
    selective = size(models["selective"])
    for name in "small", "large":
        assert size(models[name]) == selective
    assert 0 <= size(models["sum"]) - selective < 0.01 * selective


def test_reaches_are_those_of_the_labels(models):
    for name, reaches in {
        "small": (3, 3),
        "large": (7, 7),
        "selective": (3, 7),
    }.items():
        for branch, reach in zip(
            models[name].unit.branches, reaches, strict=True
        ):
            assert 2 * branch[0].dilation[0] + 1 == reach


def test_scenes_hold_as_many_of_each_size():
    scenes = GrowingDigits(35, seed=4)
    images, labels, masks = scenes.draw(1)
    sizes = scenes.sizes(1)
    assert images.shape == (35, 1, 40, 40)
    assert labels.shape == (35,)
    assert sizes.bincount()[list(SIZES)].tolist() == [7] * 5
    assert torch.equal(masks.sum((1, 2, 3)), sizes.square())
    assert torch.equal(images, GrowingDigits(35, seed=4).draw(1).images)
    assert not torch.equal(images, scenes.draw(0).images)


@pytest.mark.parametrize("count", [0, 7])
def test_counts_that_do_not_divide_are_named(count):
    with pytest.raises(ValueError, match="count must be a positive multiple"):
        GrowingDigits(count)


def test_centred_digits_grow():
    small, large = centred(12), centred(24)
    assert small.shape == large.shape == (500, 1, 40, 40)
    assert (small[..., :14, :] == 0).all()
    assert (large > 0).sum() > 3 * (small > 0).sum()


def test_rank_correlation_is_spearmans():
    torch.manual_seed(0)
    a, b = torch.randn(53), torch.randint(5, (53,))
    expected = spearmanr(a.numpy(), b.numpy()).statistic
    assert rank_correlation(a, b) == pytest.approx(expected)
    assert rank_correlation(b.float(), b) == pytest.approx(1)


def test_replaced_weights_are_used(models):
    model = models["selective"]
    images = GrowingDigits(15).draw().images
    with torch.no_grad():
        same = with_weights_replaced(model, lambda weights: weights)
        torch.testing.assert_close(same(images), model(images))
        first = with_weights_replaced(
            model, lambda w: torch.tensor([1.0, 0])[:, None].expand_as(w)
        )
        maps = model.last(model.unit.branches[0](model.stem(images)))
        torch.testing.assert_close(
            first(images), model.classifier(maps.amax((2, 3)))
        )


def test_uniform_weights_sum_to_one(models):
    weights = branch_weights(models["selective"], torch.rand(3, 1, 40, 40))
    assert torch.equal(uniform(weights), torch.full((3, 2, 16), 0.5))


@pytest.mark.parametrize("arm", ["sum", "selective"])
def test_a_short_run_gives_all_metrics(arm):
    budget = Budget(scenes=80, epochs=1, test_scenes=35)
    metrics = run(arm, seed=2, budget=budget)
    expected = {"accuracy", "accuracy_10", "accuracy_26"}
    if arm == "selective":
        measured = {"rank", "growth", "varies"}
        expected |= measured | {f"untrained_{name}" for name in measured}
        expected |= {"drop_uniform", "drop_averaged", "drop_shuffled"}
    assert set(metrics) == expected
    assert metrics == run(arm, seed=2, budget=budget)


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["selective"])
def test_a_recorded_run_repeats(arm):
    record = load("selective_kernel")
    case = claim("selective_kernel")
    again = attempt(partial(case.run, budget=case.full.budget), arm, 0)
    for metric in ("accuracy",):
        series = record.arms[arm].metrics[metric]
        margin = max(series.std, 0.001)
        low, high = min(series) - margin, max(series) + margin
        assert low <= again.metrics[metric] <= high, metric
