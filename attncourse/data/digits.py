"""The 1,797 handwritten digits that ship inside scikit-learn."""

import torch

from attncourse.data.scenes import Scenes

SPLITS = ("all", "train", "test")
TEST_DIGITS = 500
SPLIT_SEED = 1234


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
