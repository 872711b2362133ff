from functools import partial

import pytest
import torch

from attncourse.trials import Budget, claim, load
from attncourse.trials.claims import same_different
from attncourse.trials.claims.pairwise_on_maps import (
    LAYERS,
    build,
    equal_weights,
    gates,
    own_weight,
    pairwise_layers,
    rows_of_partners,
    run,
    shuffled_keys,
    with_changed,
)
from attncourse.trials.local import attempt
from attncourse.watching import watch

pytestmark = pytest.mark.lengthy

SHORT = Budget(scenes=83, epochs=1, test_scenes=41, batch_size=29, lr=3e-3)


@pytest.fixture(scope="module")
def scenes():
    return same_different.TwoDigits(37, seed=5).draw()


def seeded(arm):
    torch.manual_seed(3)
    return build(arm).eval()


def size(model):
    return sum(p.numel() for p in model.parameters())


def test_the_controls_have_as_many_parameters():
    plain = size(seeded("none"))
    for arm in ("uniform", "sagan", "sagan-open", "queries"):
        assert size(seeded(arm)) == plain + 1321
    assert size(seeded("sagan-every")) == plain + 2 * 1321


@pytest.mark.parametrize("arm", LAYERS)
def test_all_arms_start_as_the_same_network(arm, scenes):
    first, other = seeded("none"), seeded(arm)
    for name, parameter in first.mixer.blocks.named_parameters():
        assert torch.equal(parameter, other.mixer.blocks.get_parameter(name))
    same = torch.allclose(
        first(scenes.images), other(scenes.images), atol=1e-6
    )
    assert same == (arm != "sagan-open")


def test_convolutions_alone_are_those_of_the_other_trial(scenes):
    torch.manual_seed(3)
    theirs = same_different.build("convolution").eval()
    assert torch.equal(theirs(scenes.images), seeded("none")(scenes.images))


@pytest.mark.parametrize("arm", ["sagan", "non-local", "queries"])
def test_changing_the_weights(arm, scenes):
    model = seeded(arm)
    with watch(model) as maps:
        model(scenes.images)
    before = next(iter(maps.values()))
    for change in equal_weights, shuffled_keys:
        changed = with_changed(model, change)
        with watch(changed) as maps:
            changed(scenes.images)
        after = next(iter(maps.values()))
        if change is equal_weights:
            expected = torch.full_like(after, 1 / 25)
            torch.testing.assert_close(after, expected)
        else:
            torch.testing.assert_close(after.sort(-1)[0], before.sort(-1)[0])
            assert not torch.allclose(after, before)


def test_a_digit_that_sees_itself_alone_has_nothing_for_others(scenes):
    model = seeded("sagan")
    layer = pairwise_layers(model)[0]
    assert 0 < own_weight(model, scenes) < 1
    with torch.no_grad():
        layer.project.weight[:8].mul_(1e4)  # query and key
        layer.project.weight[4:8] = layer.project.weight[:4]
        layer.project.bias[:8] = 0
    rows = rows_of_partners(model, scenes)
    assert rows.isfinite().all()
    assert own_weight(model, scenes) > 0.5
    alone = rows.sum(2) == 0
    assert alone.any()


def test_gates_start_closed_or_open():
    assert gates(seeded("sagan-every")) == [0, 0]
    assert gates(seeded("sagan-open")) == [1]
    assert gates(seeded("non-local")) == [0]
    assert pairwise_layers(seeded("none")) == []


@pytest.mark.parametrize(
    ("arm", "extra"),
    [
        ("none", set()),
        ("uniform", {"gate"}),
        (
            "sagan",
            {
                "gate",
                "mass",
                "pointing",
                "own_weight",
                "drop_uniform",
                "drop_shuffled",
            },
        ),
    ],
)
def test_a_short_run_gives_all_metrics(arm, extra):
    metrics = run(arm, seed=2, budget=SHORT)
    assert set(metrics) == extra | {"accuracy", "near", "far"}
    assert metrics == run(arm, seed=2, budget=SHORT)


@pytest.mark.slow
def test_a_recorded_run_repeats():
    record = load("pairwise_on_maps")
    case = claim("pairwise_on_maps")
    again = attempt(partial(case.run, budget=case.full.budget), "none", 0)
    for metric in case.metrics:
        series = record.arms["none"].metrics[metric]
        margin = max(series.std, 0.001)
        low, high = min(series) - margin, max(series) + margin
        assert low <= again.metrics[metric] <= high, metric
