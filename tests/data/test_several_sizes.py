import pytest
import torch

from attncourse.data import (
    GrowingDigits,
    SeveralSizes,
    SizedDigits,
    sizes_of,
)


def test_scenes_have_as_many_digits_of_each_size():
    scenes = SizedDigits(44, seed=2).draw(1)
    sizes, counts = sizes_of(scenes).unique(return_counts=True)
    assert tuple(sizes.tolist()) == (12, 16, 20, 24, 28, 32)
    assert counts.max() - counts.min() <= 1
    assert scenes.masks.float().sum((1, 2, 3)).sqrt().tolist() == (
        sizes_of(scenes).tolist()
    )


def test_a_third_of_the_digits_has_each_size():
    shown = SeveralSizes(39, seed=2).draw()
    areas = shown.masks.sum((1, 2, 3))
    assert areas.tolist() == [
        side**2 for side in SeveralSizes.SIZES for _ in range(13)
    ]
    assert shown.images.shape == (
        39,
        1,
        SeveralSizes.CANVAS,
        SeveralSizes.CANVAS,
    )
    assert len(shown.labels) == 39


def test_the_clutter_fills_about_as_much_whatever_the_size():
    shown = SeveralSizes(600).draw()
    clutter = (shown.images > 0) & ~shown.masks
    filled = clutter.double().mean((1, 2, 3)).view(3, 200).mean(1)
    # The digit's box hides a quarter of the clutter when it is large.
    visible = filled / (
        1 - torch.tensor(SeveralSizes.SIZES) ** 2 / SeveralSizes.CANVAS**2
    )
    assert visible.max() < 1.35 * visible.min()


def test_sizes_seeds_and_epochs_give_other_scenes():
    scenes = SeveralSizes(30, seed=1)
    assert torch.equal(scenes.draw(1).images, scenes.draw(1).images)
    assert not torch.equal(scenes.draw(0).images, scenes.draw(1).images)
    other = SeveralSizes(30, seed=2).draw()
    assert not torch.equal(scenes.draw().labels, other.labels)
    thirds = scenes.draw().labels.view(3, 10)
    assert not torch.equal(thirds[0], thirds[1])
    with pytest.raises(ValueError, match="divisible by 3, got 31"):
        SeveralSizes(31)


def test_scenes_hold_as_many_of_each_size():
    scenes = GrowingDigits(35, seed=4)
    images, labels, masks = scenes.draw(1)
    sizes = scenes.sizes(1)
    assert images.shape == (35, 1, 40, 40)
    assert labels.shape == (35,)
    assert sizes.bincount()[list(GrowingDigits.SIZES)].tolist() == [7] * 5
    assert torch.equal(masks.sum((1, 2, 3)), sizes.square())
    assert torch.equal(images, GrowingDigits(35, seed=4).draw(1).images)
    assert not torch.equal(images, scenes.draw(0).images)


@pytest.mark.parametrize("count", [0, 7])
def test_counts_that_do_not_divide_are_named(count):
    with pytest.raises(ValueError, match="count must be a positive multiple"):
        GrowingDigits(count)
