import pytest
import torch

from attncourse.data import TwoDigits
from attncourse.models.comparison import ConvolvedValues2d
from attncourse.trials import Budget
from attncourse.trials.setups.pairwise_on_maps import (
    VARIANTS,
    equal_weights,
    gates,
    own_weight,
    pairwise_layers,
    rows_of_partners,
    run,
    shuffled_keys,
    with_changed,
)
from attncourse.watching import watch
from tests.trials.standins import size

pytestmark = pytest.mark.lengthy

SHORT = Budget(scenes=83, epochs=1, test_scenes=41, batch_size=29, lr=3e-3)


@pytest.fixture(scope="module")
def scenes():
    return TwoDigits(37, seed=5).draw()


@pytest.fixture
def models(seeded):
    return seeded("pairs-everywhere")


def test_the_controls_have_as_many_parameters(models):
    plain = size(models["none"])
    block = 1321
    for variant in ("uniform", "sagan-2", "sagan-3", "sagan-open", "queries"):
        assert size(models[variant]) == plain + block
    assert size(models["sagan-every"]) == plain + 3 * block
    extra = size(models["convolution"]) - plain
    assert extra == pytest.approx(block, rel=0.02)


@pytest.mark.parametrize(
    ("variant", "stages"),
    [
        ("none", []),
        ("sagan", [0]),
        ("sagan-2", [1]),
        ("sagan-3", [2]),
        ("sagan-every", [0, 1, 2]),
        ("non-local-every", [0, 1, 2]),
    ],
)
def test_where_the_blocks_stand(models, variant, stages):
    mixer = models[variant].mixer
    assert len(mixer.blocks) == 3
    found = [n for n, layer in enumerate(mixer.attention) if size(layer)]
    assert found == stages


def test_the_convolution_gathers_from_neighbours_alone():
    torch.manual_seed(3)
    layer = ConvolvedValues2d()
    torch.nn.init.ones_(layer.gamma)
    x = torch.randn(1, 32, 5, 5, requires_grad=True)
    layer(x)[0, :, 2, 1].sum().backward()
    seen = x.grad.abs().sum((0, 1)) > 0
    assert seen[1:4, 0:3].all()
    assert seen.sum() == 9


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_variants_start_as_the_same_network(models, variant, scenes):
    first, other = models["none"], models[variant]
    for name, parameter in first.mixer.blocks.named_parameters():
        assert torch.equal(parameter, other.mixer.blocks.get_parameter(name))
    same = torch.allclose(
        first(scenes.images), other(scenes.images), atol=1e-6
    )
    assert same == (variant != "sagan-open")


@pytest.mark.parametrize("variant", ["sagan", "non-local", "queries"])
def test_changing_the_weights(models, variant, scenes):
    model = models[variant]
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


def test_a_digit_that_sees_itself_alone_has_nothing_for_others(models, scenes):
    model = models["sagan"]
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


def test_gates_start_closed_or_open(models):
    assert gates(models["sagan-every"]) == [0, 0, 0]
    assert gates(models["convolution"]) == [0]
    assert gates(models["sagan-open"]) == [1]
    assert gates(models["non-local"]) == [0]
    assert pairwise_layers(models["none"]) == []


@pytest.mark.parametrize(
    ("variant", "extra"),
    [
        ("none", set()),
        ("convolution", {"gate"}),
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
def test_a_short_run_gives_all_metrics(variant, extra):
    metrics = run(variant, seed=2, budget=SHORT)
    assert set(metrics) == extra | {"accuracy", "near", "far", "peak_mib"}
    assert metrics == run(variant, seed=2, budget=SHORT)
