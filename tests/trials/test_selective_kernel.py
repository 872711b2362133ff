import pytest
import torch
from torch.testing import assert_close

from attncourse.trials import Budget, claim
from attncourse.trials.setups.selective_kernel import (
    GrowingDigits,
    branch_weights,
    branches_against_size,
    centred,
    network,
    run,
    shuffled,
    uniform,
    unit,
    with_weights_replaced,
)
from tests.trials.standins import size

pytestmark = pytest.mark.lengthy


@pytest.fixture(scope="module")
def models(seeded):
    return seeded("sk-follows-size")


def test_variants_are_matched_in_parameters(models):
    selective = size(models["selective"])
    for name in "small", "large", "wrong":
        assert size(models[name]) == selective
    assert 0 <= size(models["sum"]) - selective < 0.01 * selective
    label = claim("sk-follows-size").variants["plain"].label
    assert f"{selective - size(models['plain']):,} parameters fewer" in label


def test_reaches_are_those_of_the_labels(models):
    for name, reaches in {
        "small": (3, 3),
        "large": (7, 7),
        "selective": (3, 7),
        "plain": (3, 7),
        "wrong": (3, 7),
    }.items():
        for branch, reach in zip(
            models[name].unit.branches, reaches, strict=True
        ):
            assert 2 * branch[0].dilation[0] + 1 == reach


def test_centred_digits_grow():
    small, large = centred(12), centred(24)
    assert small.shape == large.shape == (500, 1, 40, 40)
    assert (small[..., :14, :] == 0).all()
    assert (large > 0).sum() > 3 * (small > 0).sum()


def test_selective_and_wrong_start_alike_and_share_out_differently(models):
    right, wrong = models["selective"], models["wrong"]
    for key, value in right.state_dict().items():
        assert torch.equal(value, wrong.state_dict()[key]), key
    images = GrowingDigits(15).draw().images
    over_branches = branch_weights(right, images).sum(1)
    over_channels = branch_weights(wrong, images).sum(2)
    assert_close(over_branches, torch.ones(15, 16))
    assert_close(over_channels, torch.ones(15, 2))


def test_plain_is_selective_with_equal_weights(models):
    selective, plain = models["selective"], models["plain"]
    plain.load_state_dict(selective.state_dict(), strict=False)
    images = GrowingDigits(15).draw().images
    with torch.no_grad():
        expected = with_weights_replaced(selective, uniform)(images)
        assert_close(plain(images), expected)
        assert not torch.allclose(selective(images), expected, atol=1e-6)


@pytest.mark.parametrize("sign", [1, -1])
def test_growth_and_rank_have_the_sign_of_the_preference(sign):
    torch.manual_seed(3)
    model = network(lambda: unit((3, 7))).eval()
    test = GrowingDigits(100, split="test")
    with torch.no_grad():
        model.unit.reduce.weight.fill_(1.0)
        model.unit.select.weight.zero_()
        model.unit.select.weight[16:] = 0.05 * sign
    found = branches_against_size(model, test.draw().images, test.sizes())
    assert sign * found["rank"] > 0.8
    assert sign * found["growth"] > 0.01
    assert found["varies"] > 0.01


def test_replaced_weights_are_used(models):
    model = models["selective"]
    images = GrowingDigits(15).draw().images
    with torch.no_grad():
        same = with_weights_replaced(model, lambda weights: weights)
        assert_close(same(images), model(images))
        first = with_weights_replaced(
            model, lambda w: torch.tensor([1.0, 0])[:, None].expand_as(w)
        )
        maps = model.last(model.unit.branches[0](model.stem(images)))
        assert_close(first(images), model.classifier(maps.amax((2, 3))))


def test_uniform_weights_sum_to_one(models):
    weights = branch_weights(models["selective"], torch.rand(3, 1, 40, 40))
    assert torch.equal(uniform(weights), torch.full((3, 2, 16), 0.5))


def test_shuffled_weights_are_those_of_other_scenes():
    weights = torch.rand(7, 2, 16)
    mixed = shuffled(weights)
    came_from = [int((weights == row).all((1, 2)).nonzero()) for row in mixed]
    assert sorted(came_from) == list(range(7))
    assert came_from != list(range(7))


@pytest.mark.parametrize("variant", ["plain", "selective", "wrong"])
def test_a_short_run_gives_all_metrics(variant):
    budget = Budget(scenes=80, epochs=1, test_scenes=35)
    metrics = run(variant, seed=2, budget=budget)
    expected = {"accuracy", "accuracy_10", "accuracy_26"}
    if variant == "selective":
        measured = {"rank", "growth", "varies"}
        expected |= measured | {f"untrained_{name}" for name in measured}
        expected |= {"drop_uniform", "drop_averaged", "drop_shuffled"}
    assert set(metrics) == expected
    assert metrics == run(variant, seed=2, budget=budget)
