import pytest
import torch

from attncourse.data import digits
from attncourse.models.raster_positions import RasterPositions
from attncourse.trials import Budget, claim
from attncourse.trials.setups.positions import (
    PATCH,
    run,
    with_shuffled_patches,
)
from tests.trials.standins import size

pytestmark = pytest.mark.lengthy

VARIANTS = claim("need-positions").variants


def test_all_variants_have_about_as_many_parameters(seeded):
    sizes = [size(model) for model in seeded("need-positions").values()]
    assert max(sizes) < 1.11 * min(sizes)


def test_raster_codes_count_row_by_row():
    codes = RasterPositions()(torch.zeros(1, 8, 3, 5))[0]
    fresh = RasterPositions()(torch.zeros(1, 8, 1, 15))[0, :, 0]
    torch.testing.assert_close(codes[:, 2, 4], fresh[:, 14])
    torch.testing.assert_close(codes[:, 1, 0], fresh[:, 5])


def test_shuffling_moves_whole_patches():
    scenes = digits("test")
    moved = with_shuffled_patches(scenes)
    assert not torch.equal(moved.images, scenes.images)

    def patches(images):
        cut = images.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH)
        rows = cut.flatten(2, 3).flatten(3)[:, 0]  # (count, patches, pixels)
        return sorted(map(tuple, rows[0].tolist()))

    assert patches(moved.images) == patches(scenes.images)


@pytest.mark.parametrize("variant", VARIANTS)
def test_only_the_network_without_positions_misses_the_shuffle(variant):
    torch.manual_seed(1)
    model = VARIANTS[variant].build().eval()
    scenes = digits("test")
    images = scenes.images[:7]
    moved = with_shuffled_patches(scenes).images[:7]
    same = torch.allclose(model(images), model(moved), atol=1e-5)
    assert same == (variant == "none")


def test_a_short_run_gives_all_metrics():
    budget = Budget(epochs=1, lr=3e-3)
    metrics = run("none", seed=2, budget=budget)
    assert metrics["drop_shuffled"] == 0
    assert metrics == run("none", seed=2, budget=budget)
