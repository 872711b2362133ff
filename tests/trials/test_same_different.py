import pytest
import torch

from attncourse.trials import Budget
from attncourse.trials.setups.same_different import (
    CELLS,
    GRID,
    MIXERS,
    TwoDigits,
    attentions,
    build,
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


def test_two_different_images_in_two_cells(scenes):
    cells = scenes.images.unfold(2, 8, 8).unfold(3, 8, 8).flatten(2, 3)[:, 0]
    inked = cells.flatten(2).sum(2) > 0
    assert torch.equal(inked.sum(1), torch.full((211,), 2))
    pairs = digit_cells(scenes)
    first, second = (cells[torch.arange(211), cell] for cell in pairs.T)
    assert (first != second).flatten(1).any(1).all()
    assert inked.gather(1, pairs).all()


def test_the_label_says_whether_the_classes_agree():
    source = TwoDigits(211, seed=5)
    of_class = torch.arange(10).repeat_interleave(
        torch.from_numpy(source._sizes)
    )
    shade = (1 + of_class) / 10  # every pixel of a digit tells its class
    source._digits = shade[:, None, None].expand(-1, 8, 8).numpy()
    scenes = source.draw(3)
    shades = scenes.images[:, 0, ::8, ::8].flatten(1)
    first, second = shades.gather(1, digit_cells(scenes)).T
    assert torch.equal((first == second).long(), scenes.labels)
    assert 0.4 < scenes.labels.float().mean() < 0.6


def test_scenes_depend_on_seed_and_epoch_alone():
    first = TwoDigits(7, seed=2).draw(1)
    assert all(map(torch.equal, first, TwoDigits(7, seed=2).draw(1)))
    for other in TwoDigits(7, seed=3).draw(1), TwoDigits(7, seed=2).draw(2):
        assert not torch.equal(first.images, other.images)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="split"):
        TwoDigits(3, split="al")
    with pytest.raises(ValueError, match="count"):
        TwoDigits(0)


def test_distance_is_that_of_the_longer_direction(scenes):
    rows, columns = digit_cells(scenes) // GRID, digit_cells(scenes) % GRID
    for apart, row, column in zip(
        distances(scenes), rows, columns, strict=True
    ):
        pair = abs(row[0] - row[1]), abs(column[0] - column[1])
        assert apart == max(pair)


def test_attention_has_no_more_parameters_than_the_convolutions():
    sizes = {name: size(mixer()) for name, (_, mixer) in MIXERS.items()}
    assert sizes["attention"] < sizes["convolution"]
    assert sizes["attention"] == sizes["alone"] == sizes["uniform"]
    assert sizes["wide"] == pytest.approx(sizes["attention"], rel=0.05)


@pytest.mark.parametrize("variant", MIXERS)
def test_who_sees_whom(variant):
    torch.manual_seed(1)
    mixer = build(variant).mixer.eval()
    x = torch.randn(1, 32, GRID, GRID, requires_grad=True)
    mixer(x)[0, :, 0, 0].square().sum().backward()
    seen = x.grad.abs().sum((0, 1)).flatten() > 0
    assert seen.sum() == (1 if variant == "alone" else CELLS)


def test_the_query_of_uniform_stays_at_zero(scenes):
    torch.manual_seed(1)
    model = build("uniform")
    for attention in attentions(model.mixer):
        assert not attention.query.weight.requires_grad
    with watch(model) as maps:
        model(scenes.images[:3])
    for weights in maps.values():
        torch.testing.assert_close(
            weights, torch.full_like(weights, 1 / CELLS)
        )


def test_partner_weights_leave_out_the_own_cell(scenes):
    torch.manual_seed(1)
    rows = partner_weights(build("attention"), scenes)
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
