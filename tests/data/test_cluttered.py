import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import DataLoader

from attncourse.data import ClutteredDigits, Scenes, digits

SPLITS = st.sampled_from(["all", "train", "test"])


def enlarged(split: str, side: int) -> Tensor:
    return F.interpolate(
        digits(split).images,
        size=(side, side),
        mode="bilinear",
        align_corners=False,
    )


def same(first: Scenes, second: Scenes) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def boxes(scenes: Scenes, side: int) -> Tensor:
    assert scenes.masks is not None
    return scenes.images[scenes.masks].view(-1, 1, side, side)


def test_shapes_and_types() -> None:
    images, labels, masks = ClutteredDigits(7, size=(31, 43)).draw()
    assert masks is not None
    assert images.shape == masks.shape == (7, 1, 31, 43)
    assert images.dtype == torch.float32
    assert labels.shape == (7,)
    assert labels.dtype == torch.int64
    assert masks.dtype == torch.bool


@settings(deadline=None, max_examples=30)
@given(
    side=st.sampled_from([8, 11, 13, 16]),
    margins=st.tuples(st.integers(0, 23), st.integers(0, 23)),
    fragments=st.integers(0, 7),
    split=SPLITS,
    seed=st.integers(0, 2**40),
    epoch=st.integers(0, 2**40),
)
def test_the_answer_key_frames_one_clean_digit_of_the_label(
    side: int,
    margins: tuple[int, int],
    fragments: int,
    split: str,
    seed: int,
    epoch: int,
) -> None:
    scenes = ClutteredDigits(
        5,
        size=(side + margins[0], side + margins[1]),
        digit_size=side,
        fragments=fragments,
        split=split,
        seed=seed,
    ).draw(epoch)
    assert scenes.masks is not None
    assert scenes.images.min() >= 0
    assert scenes.images.max() <= 1
    for mask in scenes.masks[:, 0]:
        rows, columns = mask.nonzero(as_tuple=True)
        assert len(rows) == side * side
        assert rows.max() - rows.min() == columns.max() - columns.min()
    known = {
        digit.numpy().tobytes(): label
        for digit, label in zip(
            enlarged(split, side), digits(split).labels, strict=True
        )
    }
    shown = [known[box.numpy().tobytes()] for box in boxes(scenes, side)]
    assert scenes.labels.tolist() == shown


def test_without_fragments_the_rest_is_black() -> None:
    scenes = ClutteredDigits(11, fragments=0).draw()
    assert scenes.masks is not None
    assert scenes.images[~scenes.masks].max() == 0


def test_fragments_are_small_and_everywhere() -> None:
    scenes = ClutteredDigits(997, size=(37, 41), fragments=5).draw()
    assert scenes.masks is not None
    outside = scenes.images * ~scenes.masks
    lit = (outside > 0).flatten(1).sum(1)
    assert lit.max() <= 5 * 6 * 6
    assert lit.float().mean() > 5 * 6 * 6 / 3
    assert (outside.amax(0) > 0).all()


def test_fragments_come_from_other_digits_of_the_same_split() -> None:
    """With two digits in all, the clutter must come from the other one."""
    scenes = ClutteredDigits(53, size=40, fragments=3, split="test")
    black_and_white = torch.stack([torch.zeros(16, 16), torch.ones(16, 16)])
    scenes._digits = black_and_white.numpy()
    scenes._labels = torch.arange(2)
    images, labels, masks = scenes.draw()
    assert masks is not None
    clutter = (images * ~masks).flatten(1).amax(1)
    assert torch.equal(clutter, 1.0 - labels)


def test_the_digit_is_placed_everywhere() -> None:
    masks = ClutteredDigits(499, size=(19, 23)).draw().masks
    assert masks is not None
    corners = masks.flatten(1).float().argmax(1)
    rows, columns = corners // 23, corners % 23
    assert rows.unique().tolist() == list(range(19 - 16 + 1))
    assert columns.unique().tolist() == list(range(23 - 16 + 1))


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**40), epoch=st.integers(0, 2**40), split=SPLITS)
def test_the_same_arguments_give_the_same_scenes(
    seed: int, epoch: int, split: str
) -> None:
    def draw() -> Scenes:
        return ClutteredDigits(3, split=split, seed=seed).draw(epoch)

    first = draw()
    torch.manual_seed(seed % 7)
    np.random.seed(seed % 7)
    assert same(first, draw())


def test_order_of_the_epochs_does_not_matter() -> None:
    scenes = ClutteredDigits(5)
    later = scenes.draw(3)
    scenes.draw(1)
    assert same(later, scenes.draw(3))


def test_seeds_epochs_and_splits_give_unrelated_places() -> None:
    drawn = [
        ClutteredDigits(17, seed=seed, split=split).draw(epoch).masks
        for split in ("all", "train", "test")
        for seed in range(3)
        for epoch in range(3)
    ]
    places = {masks.numpy().tobytes() for masks in drawn if masks is not None}
    assert len(places) == 27


def test_items_are_the_rows_of_the_first_epoch() -> None:
    data = ClutteredDigits(13, size=(29, 31), fragments=2)
    images, labels, masks = data.draw(0)
    assert masks is not None
    assert len(data) == 13
    for index in (0, 5, 12, -1):
        image, label, mask = data[index]
        assert torch.equal(image, images[index])
        assert label == labels[index]
        assert torch.equal(mask, masks[index])


def test_changing_an_item_leaves_the_data_set_alone() -> None:
    data = ClutteredDigits(3)
    for part in data[1]:
        part.zero_()
    assert same(Scenes(*next(iter(DataLoader(data, 3)))), data.draw(0))


def test_an_index_past_the_end_is_refused() -> None:
    with pytest.raises(IndexError):
        ClutteredDigits(3)[3]
    assert len(list(DataLoader(ClutteredDigits(3), batch_size=2))) == 2


def test_the_digit_can_fill_the_canvas() -> None:
    masks = ClutteredDigits(3, size=16).draw().masks
    assert masks is not None
    assert masks.all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count must be at least 1, got 0"),
        ({"digit_size": 7}, "digit_size must be at least 8, got 7"),
        ({"fragments": -1}, "fragments must be at least 0, got -1"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"size": 15}, "size must hold.*digit_size=16.*15 x 15"),
        ({"size": (60, 13)}, "size must hold.*60 x 13"),
        ({"size": 23, "digit_size": 29}, "size must hold.*digit_size=29"),
        ({"split": "validation"}, "split must be one of"),
    ],
)
def test_bad_arguments_are_refused(
    arguments: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ClutteredDigits(**arguments)


def test_a_negative_epoch_is_refused() -> None:
    with pytest.raises(ValueError, match="epoch must be at least 0, got -1"):
        ClutteredDigits(3).draw(-1)
