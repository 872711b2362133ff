import pytest
import torch

from attncourse.data import TwoDigits
from attncourse.data.two_digits import CELLS, GRID
from attncourse.models.comparison import attentions
from attncourse.trials import Budget
from attncourse.trials.setups.same_different import (
    VARIANTS,
    digit_cells,
    distances,
    partner_weights,
    run,
)
from attncourse.watching import watch
from tests.trials.standins import size

pytestmark = pytest.mark.lengthy

SHORT = Budget(scenes=83, epochs=1, test_scenes=41, batch_size=29, lr=3e-3)


@pytest.fixture(scope="module")
def scenes():
    return TwoDigits(211, seed=5).draw(3)


def test_distance_is_that_of_the_longer_direction(scenes):
    rows, columns = digit_cells(scenes) // GRID, digit_cells(scenes) % GRID
    for apart, row, column in zip(
        distances(scenes), rows, columns, strict=True
    ):
        pair = abs(row[0] - row[1]), abs(column[0] - column[1])
        assert apart == max(pair)


@pytest.fixture
def models(seeded):
    return seeded("far-comparison")


def test_attention_has_no_more_parameters_than_the_convolutions(models):
    sizes = {name: size(model.mixer) for name, model in models.items()}
    assert sizes["attention"] < sizes["convolution"]
    assert sizes["attention"] == sizes["alone"] == sizes["uniform"]
    assert sizes["wide"] == pytest.approx(sizes["attention"], rel=0.05)


@pytest.mark.parametrize("variant", VARIANTS)
def test_who_sees_whom(models, variant):
    mixer = models[variant].mixer
    torch.manual_seed(1)
    x = torch.randn(1, 32, GRID, GRID, requires_grad=True)
    mixer(x)[0, :, 0, 0].square().sum().backward()
    seen = x.grad.abs().sum((0, 1)).flatten() > 0
    assert seen.sum() == (1 if variant == "alone" else CELLS)


def test_the_query_of_uniform_stays_at_zero(models, scenes):
    model = models["uniform"]
    for attention in attentions(model.mixer):
        assert not attention.query.weight.requires_grad
    with watch(model) as maps:
        model(scenes.images[:3])
    for weights in maps.values():
        torch.testing.assert_close(
            weights, torch.full_like(weights, 1 / CELLS)
        )


def test_partner_weights_leave_out_the_own_cell(models, scenes):
    rows = partner_weights(models["attention"], scenes)
    own = rows.gather(2, digit_cells(scenes)[..., None])
    assert (own == 0).all()
    torch.testing.assert_close(rows.sum(2), torch.ones(211, 2))


@pytest.mark.parametrize(
    ("variant", "extra"),
    [
        ("convolution", set()),
        ("attention", {"mass", "pointing", "drop_uniform", "drop_shuffled"}),
    ],
)
def test_a_short_run_gives_all_metrics(variant, extra):
    metrics = run(variant, seed=2, budget=SHORT)
    assert set(metrics) == extra | {"accuracy", "near", "far"}
    assert metrics == run(variant, seed=2, budget=SHORT)
