import pytest
import torch

from attncourse.data import CuedTextures
from attncourse.data.cued_textures import LEFT


def test_scenes_answer_to_the_cue():
    scenes = CuedTextures(97, seed=5)
    images, labels, masks = scenes.draw(2)
    cue, texture, tint = scenes.factors(2)
    assert images.shape == (97, 3, 32, 56)
    assert masks is None
    assert torch.equal(labels[cue == 0], texture[cue == 0])
    assert torch.equal(labels[cue == 1], tint[cue == 1])
    dots = images[:, 0, :, 1:5]
    assert torch.equal(dots.amax((1, 2)) == 1, cue == 0)
    assert torch.equal(dots.amin((1, 2)) == 0, cue == 1)
    assert (images[..., 5:LEFT] == 0.5).all()


def test_twins_differ_in_the_dot_alone():
    scenes = CuedTextures(61, split="test")
    images, labels, _ = scenes.draw()
    twins, other, _ = scenes.draw(other_cue=True)
    assert torch.equal(images[..., 5:], twins[..., 5:])
    dot = images[..., 1:5] != 0.5
    assert torch.equal(images[..., 1:5][dot], 1 - twins[..., 1:5][dot])
    _, texture, tint = scenes.factors()
    assert torch.equal(labels == other, texture == tint)


def test_epochs_and_splits_differ_and_repeat():
    scenes = CuedTextures(31)
    first = scenes.draw(0).images
    assert torch.equal(first, CuedTextures(31).draw(0).images)
    assert not torch.equal(first, scenes.draw(1).images)
    other = CuedTextures(31, split="test").draw(0).images
    assert not torch.equal(first, other)
    held_out = CuedTextures(31, split="validation").draw(0).images
    assert not torch.equal(first, held_out)
    assert not torch.equal(other, held_out)


def test_unknown_splits_are_named():
    with pytest.raises(ValueError, match="split must be one of"):
        CuedTextures(3, split="all")
