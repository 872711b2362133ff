import hashlib
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from attncourse.data import (
    ClutteredDigits,
    ColourLookup,
    GrowingDigits,
    PosedDigits,
    Scenes,
    SeveralSizes,
    SizedDigits,
    TwoDigits,
    ViewedDigits,
    digits,
    mnist_digits,
)
from attncourse.data.strokes import BOX, inked, stroke_digits

MADE_OF_DIGITS = [
    ClutteredDigits,
    ColourLookup,
    GrowingDigits,
    PosedDigits,
    SeveralSizes,
    SizedDigits,
    TwoDigits,
    ViewedDigits,
]
LABELLED_BY_A_DIGIT = [
    ClutteredDigits,
    GrowingDigits,
    PosedDigits,
    SeveralSizes,
    SizedDigits,
]


def pool(split: str, side: int) -> set[bytes]:
    images = stroke_digits("mnist", split, side).images
    return {image.numpy().tobytes() for image in images}


@pytest.mark.parametrize(
    ("make", "split", "expected"),
    [
        (ClutteredDigits, "train", "a8763aa5367f"),
        (ClutteredDigits, "test", "d7d30d15a896"),
        (ColourLookup, "train", "183f8d9229d7"),
        (ColourLookup, "test", "a3b9c48d5210"),
        (TwoDigits, "train", "ba7730e4096a"),
        (TwoDigits, "test", "bcaf1e01bca5"),
    ],
)
def test_scenes_of_small_digits_are_those_of_the_recorded_trials(
    make: Callable[..., ClutteredDigits], split: str, expected: str
) -> None:
    pixels = make(30, split=split, seed=3).draw(2).images * 255
    raw = pixels.round().byte().numpy().tobytes()
    assert hashlib.sha256(raw).hexdigest()[:12] == expected


def test_small_digits_come_as_they_are() -> None:
    for side in (None, 8):
        kept = stroke_digits("8x8", "test", side)
        assert torch.equal(kept.images, digits("test").images)


@pytest.mark.parametrize("side", [None, 8, 11, 16, 20, 32])
def test_mnist_has_the_side_asked_for_and_its_own_order(side: int) -> None:
    made, source = stroke_digits("mnist", "test", side), mnist_digits("test")
    assert made.images.shape == (1600, 1, side or BOX, side or BOX)
    assert made.images.min() == 0
    assert made.images.max() <= 1
    assert torch.equal(made.labels, source.labels)
    assert torch.equal(made.sources, source.sources)


def test_smaller_digits_keep_their_ink() -> None:
    """An average over the area keeps the sum, up to what edges take."""
    whole = stroke_digits("mnist", "test").images.mean((1, 2, 3))
    small = stroke_digits("mnist", "test", 8).images.mean((1, 2, 3))
    assert (small / whole - 1).abs().max() < 0.15


def test_the_box_of_the_ink_is_cut_out_whole() -> None:
    images = mnist_digits().images
    cut = inked(images)
    kept, lit = ((one > 0).sum((1, 2, 3)) for one in (cut, images))
    assert torch.equal(kept, lit)
    touched = sum(
        (cut.select(axis, line) > 0).flatten(1).any(1).int()
        for axis in (2, 3)
        for line in (0, BOX - 1)
    )
    assert (touched >= 2).float().mean() > 0.99


@pytest.mark.parametrize("make", MADE_OF_DIGITS)
def test_every_class_takes_the_strokes_of_mnist(
    make: Callable[..., ClutteredDigits],
) -> None:
    small, crisp, again = (
        make(30, seed=2, strokes=strokes).draw()
        for strokes in ("8x8", "mnist", "mnist")
    )
    assert small.images.shape == crisp.images.shape
    assert not torch.equal(small.images, crisp.images)
    assert torch.equal(crisp.images, again.images)
    assert torch.equal(crisp.sources, again.sources)


@pytest.mark.parametrize("make", MADE_OF_DIGITS)
def test_validation_scenes_are_a_third_kind(
    make: Callable[..., ClutteredDigits],
) -> None:
    drawn = [
        make(30, split=split, strokes="mnist").draw()
        for split in ("train", "validation", "test")
    ]
    assert len({one.images.numpy().tobytes() for one in drawn}) == 3
    assert drawn[1].sources.max() < 600


@pytest.mark.usefixtures("as_shipped")
@pytest.mark.parametrize("make", MADE_OF_DIGITS)
def test_unknown_strokes_are_refused(
    make: Callable[..., ClutteredDigits],
) -> None:
    with pytest.raises(ValueError, match=r"strokes must be one of.*'emnist'"):
        make(30, strokes="emnist").draw()


@pytest.mark.usefixtures("as_shipped")
@pytest.mark.parametrize(
    "make", [one for one in MADE_OF_DIGITS if one is not ColourLookup]
)
def test_small_digits_have_no_validation_split(
    make: Callable[..., ClutteredDigits],
) -> None:
    with pytest.raises(ValueError, match="split must be one of"):
        make(30, split="validation").draw()


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("make", LABELLED_BY_A_DIGIT)
def test_the_source_is_a_digit_of_mnist_of_the_label(
    make: Callable[..., ClutteredDigits], split: str
) -> None:
    scenes = make(60, split=split, strokes="mnist").draw(1)
    labels = mnist_digits(split).labels
    assert torch.equal(labels[scenes.sources], scenes.labels)


def test_a_cluttered_scene_shows_its_source() -> None:
    scenes = ClutteredDigits(31, split="test", strokes="mnist").draw(2)
    shown = scenes.images[scenes.masks].view(-1, 1, 16, 16)
    made = stroke_digits("mnist", "test", 16).images
    assert torch.equal(shown, made[scenes.sources])


def cells(scenes: Scenes) -> Tensor:
    grey = scenes.images.amax(1)
    return grey.unfold(1, 8, 8).unfold(2, 8, 8).flatten(1, 2)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("make", [ColourLookup, TwoDigits])
def test_cells_hold_digits_of_the_split_alone(
    make: Callable[..., ColourLookup], split: str
) -> None:
    shown = cells(make(40, split=split, strokes="mnist").draw()).flatten(0, 1)
    inked_cells = {cell.numpy().tobytes() for cell in shown if cell.max() > 0}
    assert inked_cells <= pool(split, 8)


def test_the_source_of_a_lookup_in_mnist_is_the_digit_in_the_mask() -> None:
    scenes = ColourLookup(41, split="validation", strokes="mnist").draw()
    brightest = scenes.images.amax(1, keepdim=True)
    shown = brightest[scenes.masks].view(-1, 1, 8, 8)
    made = stroke_digits("mnist", "validation", 8).images
    assert torch.equal(shown, made[scenes.sources])
