import pytest
import torch
from torch.testing import assert_close

from attncourse.attention import Attended
from attncourse.metrics import costs
from attncourse.trials import Budget, ClassActivation, claim
from attncourse.trials.setups.which_attention import (
    CANVAS,
    CONTROLS,
    DIGIT,
    VARIANTS,
    OwnMap,
    blackened,
    brightest_window,
    deleted,
    received,
    run,
    scenes,
)

WITH_MAPS = {
    "max",
    "gem",
    "additive",
    "query",
    "cbam",
    "self-attention",
    "non-local",
    "residual",
    "transformer",
}

pytestmark = pytest.mark.lengthy

PLAIN = {"average", "wider", "widest"}


@pytest.fixture(scope="module")
def models(seeded):
    return seeded("any-attention")


@pytest.fixture(scope="module")
def shown():
    return scenes(23, split="test", seed=5).draw()


def test_a_plain_control_costs_no_less_than_its_mechanism(models):
    spent = costs(models, torch.zeros(1, 1, CANVAS, CANVAS), repeats=1)
    assert CONTROLS.keys() == VARIANTS.keys() - PLAIN - {"max", "gem"}
    for variant, plain in CONTROLS.items():
        assert spent[plain].parameters >= spent[variant].parameters, variant
        assert spent[plain].multiply_adds >= spent[variant].multiply_adds, (
            variant
        )
    cheap = {
        variant for variant, plain in CONTROLS.items() if plain == "wider"
    }
    dearest = max(spent[variant].parameters for variant in cheap)
    assert spent["wider"].parameters < 1.03 * dearest
    dearest = max(spent[variant].parameters for variant in CONTROLS)
    assert spent["widest"].parameters < 1.03 * dearest


def test_all_variants_of_one_width_start_from_the_same_trunk_and_head(models):
    first = models["average"]
    for name, model in models.items():
        if name in ("wider", "widest"):
            continue
        features = (
            model.features.trunk if name == "transformer" else model.features
        )
        ours, theirs = features.state_dict(), first.features.state_dict()
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
        head = model.classifier.state_dict(), first.classifier.state_dict()
        assert all(torch.equal(head[0][key], head[1][key]) for key in head[0])


def test_each_variant_has_its_own_mechanism(models):
    kinds = {
        name: type(getattr(model.features, "attention", model.pooling))
        for name, model in models.items()
        if name not in PLAIN
    }
    assert len(set(kinds.values())) == len(kinds) == 12


@pytest.mark.parametrize("variant", sorted(WITH_MAPS))
def test_own_maps_come_from_the_mechanism(models, shown, variant):
    mapped = VARIANTS[variant].judge(models[variant])
    assert isinstance(mapped, OwnMap)
    logits, maps = mapped.attend(shown.images)
    assert_close(logits, models[variant](shown.images))
    side = CANVAS if variant == "transformer" else CANVAS // 4
    assert maps.shape == (23, 1, side, side)
    assert maps.min() >= 0
    sums = maps.sum((1, 2, 3))
    if variant in ("cbam", "residual"):
        assert maps.max() <= 1
    elif variant == "transformer":  # it may read beyond the border
        assert (sums <= 1 + 1e-5).all()
    else:
        assert_close(sums, torch.ones(23))


def test_the_others_have_a_class_activation_map(models):
    for variant in VARIANTS.keys() - WITH_MAPS:
        assert isinstance(
            VARIANTS[variant].judge(models[variant]), ClassActivation
        )


def test_received_counts_the_keys_and_not_the_queries():
    weights = torch.zeros(1, 1, 4, 4)
    weights[..., 2] = 1  # all four queries look at place 2
    assert_close(received(weights), torch.tensor([[[[0.0, 0.0], [1.0, 0.0]]]]))


def test_the_window_is_where_the_mass_is():
    maps = torch.zeros(2, 1, 10, 10)
    maps[0, 0, 5, 1] = 1  # the pixels of rows 20 to 23, columns 4 to 7
    maps[1, 0, :4, 6:] = 1
    top, left = brightest_window(maps, (CANVAS, CANVAS))
    assert top[0] <= 20
    assert top[0] + DIGIT >= 24
    assert left[0] <= 4
    assert left[0] + DIGIT >= 8
    assert (top[1], left[1]) == (0, CANVAS - DIGIT)


def test_the_window_is_blackened_and_nothing_else():
    images = torch.ones(2, 1, CANVAS, CANVAS)
    left = blackened(images, torch.tensor([0, 24]), torch.tensor([3, 7]))
    assert left.sum() == 2 * (CANVAS**2 - DIGIT**2)
    assert left[0, 0, :16, 3:19].sum() == 0
    assert left[1, 0, 24:, 7:23].sum() == 0
    assert images.min() == 1


def test_deletion_where_the_map_points_deletes_the_digit(shown):
    class Reader(torch.nn.Module):
        """It knows the scenes: right as long as the digit is there."""

        def forward(self, images):
            return self.attend(images).output

        def attend(self, images):
            there = (images * shown.masks).sum((1, 2, 3)) > 0
            answer = torch.where(there, shown.labels, (shown.labels + 1) % 10)
            logits = torch.nn.functional.one_hot(answer, 10).float()
            return Attended(logits, shown.masks.float())

    drops = deleted(Reader(), shown, 1.0)
    assert drops["drop_deleted"] == 1.0
    assert drops["drop_random"] < 0.3


def test_the_deciding_prediction_is_about_max_pooling():
    case = claim("any-attention")
    first = case.predictions[0]
    assert (first.variant, first.against) == ("additive", "max")
    assert first.above > 0
    tested = {p.variant for p in case.predictions if p.against in PLAIN}
    assert CONTROLS.keys() <= tested


@pytest.mark.parametrize("variant", ["average", "max", "query", "transformer"])
def test_a_short_run_gives_all_metrics(variant):
    budget = Budget(scenes=83, epochs=1, test_scenes=37)
    metrics = run(variant, seed=2, budget=budget)
    expected = {"accuracy", "mass", "pointing", "drop_deleted", "drop_random"}
    expected |= {"area", "pointing_chance", "pointing_centre"}
    if variant == "max":
        expected |= {"cam_mass", "cam_pointing"}
    assert set(metrics) == expected
    assert metrics == run(variant, seed=2, budget=budget)
