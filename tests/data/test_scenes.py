import copy
import pickle
from collections.abc import Callable

import pytest
import torch

from attncourse.data import (
    ClutteredDigits,
    ColourLookup,
    CoveredDigits,
    GrowingDigits,
    PosedDigits,
    Scenes,
    SeveralSizes,
    SizedDigits,
    TwoDigits,
    ViewedDigits,
    digits,
)

SIDE = 16


def some() -> Scenes:
    return ClutteredDigits(7, size=23, split="test").draw()


def equal(first: Scenes, second: Scenes) -> bool:
    return all(
        torch.equal(one, two)
        for one, two in zip(
            (*first, first.sources), (*second, second.sources), strict=True
        )
    )


def test_three_parts_and_the_sources_beside_them() -> None:
    scenes = some()
    images, labels, masks = scenes
    assert len(scenes) == 3
    assert images is scenes.images
    assert labels is scenes.labels
    assert masks is scenes.masks
    assert scenes.sources.shape == labels.shape
    assert scenes.sources.dtype == torch.int64
    assert Scenes(images, labels, masks).sources is None


def test_replacing_a_part_keeps_the_others() -> None:
    scenes = some()
    darker = scenes._replace(images=scenes.images / 2)
    assert isinstance(darker, Scenes)
    assert torch.equal(darker.images, scenes.images / 2)
    assert darker.labels is scenes.labels
    assert darker.sources is scenes.sources
    assert scenes._replace(sources=None).sources is None
    with pytest.raises(TypeError, match="weights"):
        scenes._replace(weights=None)


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))],
)
def test_copies_and_pickles_keep_the_sources(
    again: Callable[[Scenes], Scenes],
) -> None:
    assert isinstance(again(some()), Scenes)
    assert equal(again(some()), some())


def test_some_are_picked_by_index_or_mask() -> None:
    scenes = some()
    chosen = torch.tensor([5, 2])
    picked = scenes.pick(chosen)
    assert torch.equal(picked.images, scenes.images[chosen])
    assert torch.equal(picked.labels, scenes.labels[chosen])
    assert torch.equal(picked.masks, scenes.masks[chosen])
    assert torch.equal(picked.sources, scenes.sources[chosen])
    kept = torch.arange(7) % 3 == 2
    assert equal(scenes.pick(kept), scenes.pick(torch.tensor([2, 5])))
    bare = Scenes(scenes.images, scenes.labels, None).pick(kept)
    assert bare.masks is None
    assert bare.sources is None


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(
    "make",
    [
        ClutteredDigits,
        lambda count, **how: CoveredDigits(
            ClutteredDigits(count, size=40, **how)
        ),
        GrowingDigits,
        PosedDigits,
        SeveralSizes,
        SizedDigits,
    ],
)
def test_the_source_is_a_digit_of_the_label(
    make: Callable[..., CoveredDigits], split: str
) -> None:
    scenes = make(60, split=split, seed=3).draw(1)
    labels = digits(split).labels
    assert torch.equal(labels[scenes.sources], scenes.labels)
    assert len(scenes.sources.unique()) > 10


def test_digits_are_their_own_sources() -> None:
    for split, count in (("all", 1797), ("train", 1297), ("test", 500)):
        assert torch.equal(digits(split).sources, torch.arange(count))


def test_the_source_of_a_cluttered_scene_is_the_digit_shown() -> None:
    scenes = ClutteredDigits(31, split="test", digit_size=8).draw(2)
    shown = scenes.images[scenes.masks].view(-1, 1, 8, 8)
    assert torch.equal(shown, digits("test").images[scenes.sources])


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_the_source_of_a_lookup_is_the_digit_in_the_mask(split: str) -> None:
    scenes = ColourLookup(41, split=split, seed=2).draw()
    small = digits("test" if split == "test" else "train").images
    if split == "validation":
        small = small[1000:]
    brightest = scenes.images.amax(1, keepdim=True)
    shown = brightest[scenes.masks].view(-1, 1, 8, 8)
    assert torch.equal(shown, small[scenes.sources])


def test_the_source_of_a_pair_is_one_of_the_two_digits() -> None:
    scenes = TwoDigits(53, split="test", seed=2).draw()
    cells = scenes.images.unfold(2, 8, 8).unfold(3, 8, 8).flatten(2, 3)[:, 0]
    source = digits("test").images[scenes.sources]
    assert (cells == source).all((2, 3)).any(1).all()


def test_the_source_of_a_viewed_scene_is_a_digit_of_the_split() -> None:
    seen = ViewedDigits(400, split="test").draw()
    assert seen.sources.shape == (400,)
    assert seen.sources.min() >= 0
    assert seen.sources.max() < 500
    assert len(seen.sources.unique()) > 200
