"""Two digits in a grid of cells: one class or two?"""

import numpy as np
import torch

from attncourse.data.scenes import Scenes
from attncourse.data.strokes import stroke_digits

SIDE = 8  # pixels of a digit
GRID = 5  # cells in a row of the scene
CELLS = GRID**2
SPLITS = ("train", "test", "validation")


class TwoDigits:
    """Two real digits in two cells of an empty grid: one class or two?

    The label is 1 for a pair of the same class, which every second scene
    holds on average. A pair never shows one image twice. The two cells are
    the ground-truth mask, and the first digit is the source.

    Parameters
    ----------
    count
        Scenes in one epoch.
    split
        ``"train"``, ``"test"`` or, where the strokes are those of MNIST,
        ``"validation"``. They share no digit.
    seed
        Two seeds give two unrelated sequences of epochs.
    strokes
        The digits used, as for :class:`ClutteredDigits`.

    Raises
    ------
    ValueError
        If ``split`` is none of them or ``count`` is below one.
    """

    def __init__(
        self,
        count: int,
        *,
        split: str = "train",
        seed: int = 0,
        strokes: str = "8x8",
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
        if count < 1:
            raise ValueError(f"count must be at least 1, got {count}")
        source = stroke_digits(strokes, split, SIDE)
        self.count = count
        self.split = split
        self.seed = seed
        self._order = source.labels.argsort()
        self._digits = source.images[self._order, 0].numpy()
        self._sizes = source.labels.bincount(minlength=10).numpy()

    def draw(self, epoch: int = 0) -> Scenes:
        """Draw all scenes of an epoch at once."""
        rng = np.random.default_rng(
            [self.seed, epoch, SPLITS.index(self.split)]
        )
        scene = np.arange(self.count)
        cells = rng.random((self.count, CELLS)).argsort(1)[:, :2]
        same = rng.integers(2, size=self.count)
        first = rng.integers(10, size=self.count)
        second = (first + (1 - same) * rng.integers(1, 10, self.count)) % 10
        size = self._sizes[first]
        rank = rng.integers(size)
        another = (rank + rng.integers(1, size)) % size
        rank_of_second = np.where(
            same, another, rng.integers(self._sizes[second])
        )
        start = self._sizes.cumsum() - self._sizes
        images = np.zeros((self.count, CELLS, SIDE, SIDE), np.float32)
        used = start[first] + rank
        images[scene, cells[:, 0]] = self._digits[used]
        images[scene, cells[:, 1]] = self._digits[
            start[second] + rank_of_second
        ]
        mask = np.zeros((self.count, CELLS, SIDE, SIDE), np.bool_)
        mask[scene, cells[:, 0]] = mask[scene, cells[:, 1]] = True
        return Scenes(
            torch.from_numpy(_canvas(images)),
            torch.from_numpy(same.astype(np.int64)),
            torch.from_numpy(_canvas(mask)),
            self._order[used],
        )


def _canvas(cells: np.ndarray) -> np.ndarray:
    """Lay (count, 25, 8, 8) cells out as images (count, 1, 40, 40)."""
    rows = cells.reshape(len(cells), GRID, GRID, SIDE, SIDE)
    return rows.swapaxes(2, 3).reshape(len(cells), 1, GRID * SIDE, GRID * SIDE)
