import pytest
import torch
from torch import Tensor

from attncourse.data import digits


def distinct(images: Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in images}


@pytest.mark.parametrize(
    ("split", "count"), [("all", 1797), ("train", 1297), ("test", 500)]
)
def test_a_split_has_its_images_and_labels(split: str, count: int) -> None:
    images, labels, masks = digits(split)
    assert images.shape == (count, 1, 8, 8)
    assert images.dtype == torch.float32
    assert images.min() == 0
    assert images.max() == 1
    assert labels.shape == (count,)
    assert labels.unique().tolist() == list(range(10))
    assert masks is None


def test_train_and_test_are_disjoint_and_complete() -> None:
    train, test = digits("train"), digits("test")
    everything = distinct(digits("all").images)
    assert not distinct(train.images) & distinct(test.images)
    assert distinct(train.images) | distinct(test.images) == everything


def test_labels_stay_with_their_images() -> None:
    everything = digits("all")
    known = {
        image.numpy().tobytes(): label
        for image, label in zip(*everything[:2], strict=True)
    }
    images, labels, _ = digits("test")
    looked_up = [known[image.numpy().tobytes()] for image in images]
    assert labels.tolist() == looked_up


def test_the_split_is_the_one_that_recorded_results_used() -> None:
    recorded = [3, 3, 0, 8, 2, 4, 5, 9, 0, 5, 0]
    assert digits("test").labels[:11].tolist() == recorded


def test_callers_share_no_memory() -> None:
    digits().images.zero_()
    assert digits().images.max() == 1


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match=r"split must be one of.*'valid'"):
        digits("valid")
