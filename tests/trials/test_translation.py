import pytest
import torch
from timm.layers import BlurPool2d

from attncourse.models.strides import AdaptiveStride, BlurredStride, WrappedMax
from attncourse.trials import Budget
from attncourse.trials.setups.translation import (
    CANVAS,
    SHIFTS,
    VARIANTS,
    clutter,
    moved,
    run,
)
from tests.trials.standins import size

pytestmark = pytest.mark.lengthy


@pytest.fixture(scope="module")
def models(seeded):
    return seeded("cnn-translation")


@pytest.fixture(scope="module")
def scenes():
    return clutter(200).draw()


def test_all_variants_are_as_large_within_three_percent(models):
    expected = size(models["attention"])
    for name, model in models.items():
        if name == "flat":
            assert expected < size(model) < 1.03 * expected
        else:
            assert size(model) == expected


def test_pooled_variants_start_alike(models):
    first = models["average"].state_dict()
    for name, model in models.items():
        if name != "flat":
            for key, ours in model.state_dict().items():
                if not key.startswith("1."):
                    assert torch.equal(ours, first[key])


def test_the_blur_is_that_of_timm():
    x = torch.rand(2, 3, 12, 10)
    ours = BlurredStride()(x)
    assert ours.shape == (2, 3, 6, 5)
    torch.testing.assert_close(ours, BlurPool2d(3)(x))


def test_the_phase_of_the_largest_norm_is_kept():
    x = torch.rand(3, 2, 4, 6)
    x[0, :, 1::2, 0::2] += 2
    x[1, :, 0::2, 1::2] += 2
    x[2, :, 1::2, 1::2] -= 5
    kept = AdaptiveStride()(x)
    assert torch.equal(kept[0], x[0, :, 1::2, 0::2])
    assert torch.equal(kept[1], x[1, :, 0::2, 1::2])
    assert torch.equal(kept[2], x[2, :, 1::2, 1::2])


def test_the_maximum_goes_on_across_the_border():
    x = torch.zeros(1, 1, 4, 4)
    x[..., 0, 0] = 1
    assert WrappedMax()(x).nonzero()[:, 2:].tolist() == [
        [0, 0],
        [0, 3],
        [3, 0],
        [3, 3],
    ]


@torch.no_grad()
def largest_change(model, scenes, by):
    model.eval()
    before, after = model(scenes.images), model(moved(scenes, by))
    return ((after - before).norm(dim=1) / before.norm(dim=1)).max()


@pytest.mark.parametrize("by", range(1, SHIFTS + 1))
def test_the_adaptive_network_is_exactly_invariant(models, scenes, by):
    assert largest_change(models["adaptive"], scenes, by) < 1e-5


def test_others_are_invariant_to_multiples_of_their_stride_or_not_at_all(
    models, scenes
):
    for by in 4, 8:
        assert largest_change(models["circular"], scenes, by) < 1e-5
    for by in 1, 2, 3, 5:
        assert largest_change(models["circular"], scenes, by) > 1e-3
    for name in VARIANTS:
        if name not in ("circular", "adaptive"):
            assert largest_change(models[name], scenes, 4) > 1e-3, name


@pytest.mark.parametrize("by", [1, 5, 8])
def test_the_whole_image_moves_and_the_digit_is_not_cut(scenes, by):
    rolls = {
        (along, step): scenes.images.roll(step, along)
        for along in (2, 3)
        for step in (-by, by)
    }
    masks = {key: scenes.masks.roll(key[1], key[0]) for key in rolls}
    images = moved(scenes, by)
    used = set()
    for i in range(len(images)):
        found = [
            key
            for key, rolled in rolls.items()
            if torch.equal(images[i], rolled[i])
        ]
        assert len(found) == 1
        used.add(found[0])
        box = masks[found[0]][i, 0].nonzero()
        assert (box.amax(0) - box.amin(0)).tolist() == [15, 15]
    assert used == set(rolls)


def test_the_digit_alone_moves_over_a_resting_background(scenes):
    by = 3
    alone = moved(scenes, by, alone=True)
    whole = moved(scenes, by)
    box = moved(scenes._replace(images=scenes.masks.float()), by) > 0
    assert (box.sum((1, 2, 3)) == 16**2).all()
    assert torch.equal(alone[box], whole[box])
    uncovered = scenes.masks & ~box
    assert uncovered.any()
    assert (alone[uncovered] == 0).all()
    rest = ~scenes.masks & ~box
    assert torch.equal(alone[rest], scenes.images[rest])
    assert not torch.equal(alone, whole)


def test_nothing_moves_by_nothing(scenes):
    assert torch.equal(moved(scenes, 0), scenes.images)
    assert torch.equal(moved(scenes, 0, alone=True), scenes.images)
    assert scenes.images.shape[2:] == (CANVAS, CANVAS)


@pytest.mark.parametrize("variant", ["flat", "adaptive"])
def test_a_short_run_gives_all_metrics(variant):
    budget = Budget(scenes=83, epochs=1, test_scenes=37)
    metrics = run(variant, seed=2, budget=budget)
    assert set(metrics) == {"accuracy"} | {
        f"{name}{kind}"
        for kind in ("", "_alone")
        for name in ("consistency", "kept", "change")
    } | {
        f"consistency{kind}_{by}"
        for kind in ("", "_alone")
        for by in range(1, 9)
    }
    for kind in "", "_alone":
        shares = [metrics[f"consistency{kind}_{by}"] for by in range(1, 9)]
        mean = metrics[f"consistency{kind}"]
        assert mean == pytest.approx(sum(shares) / 8)
        assert metrics[f"kept{kind}"] <= min(shares)
    if variant == "adaptive":
        assert metrics["consistency"] == metrics["kept"] == 1
        assert metrics["change"] < 1e-4 < metrics["change_alone"]
    assert metrics == run(variant, seed=2, budget=budget)
