from functools import partial

import pytest
import torch

from attncourse.bugs.dot_product import without_scale
from attncourse.data import ColourLookup
from attncourse.data.colour_lookup import CUE, PALETTE
from attncourse.models.digit_lookup import DigitLookup, split_cells
from attncourse.trials import Budget
from attncourse.trials.setups.scale import (
    colour_distance,
    effective_keys,
    run,
)

pytestmark = pytest.mark.lengthy


@pytest.fixture(scope="module")
def scenes():
    return ColourLookup(211, seed=5).draw(3)


def test_cells_give_back_the_colours(scenes):
    _, colours = split_cells(scenes.images)
    right = colours[scenes.masks[:, 0, ::8, ::8].flatten(1)]
    palette = torch.tensor(PALETTE).float()
    torch.testing.assert_close(right, palette[scenes.labels])


def test_the_weights_leave_out_the_cue_and_sum_to_one(scenes):
    _, weights = DigitLookup(5).attend(scenes.images)
    assert weights.shape == (211, 1, 3, 3)
    assert (weights[:, 0, 1, 1] == 0).all()
    torch.testing.assert_close(weights.sum((1, 2, 3)), torch.ones(211))


def test_unscaled_is_the_exhibit(scenes):
    model = DigitLookup(11, scaled=False)
    _, weights = model.attend(scenes.images)
    tokens, colours = split_cells(scenes.images)
    kept = torch.arange(9) != CUE
    _, expected = without_scale(
        model.query(tokens[:, [CUE]]),
        model.key(tokens[:, kept]),
        colours[:, kept],
    )
    torch.testing.assert_close(
        weights.flatten(2)[..., kept], expected, atol=1e-5, rtol=1e-4
    )


def test_a_small_start_begins_where_the_scale_begins(scenes):
    maps = []
    for model in (
        partial(DigitLookup, 512),
        partial(DigitLookup, 512, scaled=False, start=512**-0.25),
    ):
        torch.manual_seed(3)
        maps.append(model().attend(scenes.images)[1])
    torch.testing.assert_close(*maps, atol=1e-5, rtol=1e-4)


def test_the_loss_is_the_distance_to_the_right_colour(scenes):
    model = DigitLookup(5)
    with torch.no_grad():
        model.query.weight.zero_()  # equal weights: the mean colour
    loss, _ = colour_distance(model, scenes.images, scenes.labels, None)
    _, colours = split_cells(scenes.images)
    mean = colours[:, torch.arange(9) != CUE].mean(1)
    right = torch.tensor(PALETTE).float()[scenes.labels]
    torch.testing.assert_close(loss, (mean - right).square().sum(1).mean())
    assert effective_keys(model, scenes) == pytest.approx(8)


def test_a_short_run_gives_all_metrics():
    budget = Budget(scenes=41, epochs=1, test_scenes=37, batch_size=19)
    metrics = run("scaled-8", seed=2, budget=budget)
    assert {"accuracy", "mass", "pointing", "rate"} < set(metrics)
    assert metrics["pointing_chance"] == pytest.approx(1 / 9)
    assert metrics[f"accuracy_at_{metrics['rate']:g}"] == metrics["accuracy"]
    assert metrics == run("scaled-8", seed=2, budget=budget)


def test_a_dimension_below_one_is_refused():
    with pytest.raises(ValueError, match="dim"):
        DigitLookup(0)
