"""Nine digits: which colour has the other of the white one's class?"""

import numpy as np
import torch

from attncourse.data.scenes import Scenes
from attncourse.data.strokes import stroke_digits

SIDE = 8  # pixels of a digit
GRID = 3  # digits in a row of the scene
CUE = GRID**2 // 2  # the cell in the middle
PALETTE = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1))
TRAINING_DIGITS = 1000
SPLITS = ("train", "validation", "test")


class ColourLookup:
    """A white digit in the middle; which colour has the other of its class?

    Nine real digits stand in a grid. Exactly one of the eight around the
    middle is of the same class as the white one. Each of the eight has one
    of six colours, drawn at random, and the label is the colour of that one.
    Its cell is the ground-truth mask, and that digit is the source.

    Parameters
    ----------
    count
        Scenes in one epoch.
    split
        ``"train"``, ``"validation"`` or ``"test"``. They share no digit.
    seed
        Two seeds give two unrelated sequences of epochs.
    strokes
        The digits used, as for :class:`ClutteredDigits`.

    Raises
    ------
    ValueError
        If ``split`` is none of the three or ``count`` is below one.
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
        source = _digits_of(strokes, split)
        labels = source.labels
        self.count = count
        self.split = split
        self.seed = seed
        self._order = labels.argsort()
        self._digits = source.images[self._order, 0].numpy()
        self._sizes = labels.bincount(minlength=10).numpy()

    def draw(self, epoch: int = 0) -> Scenes:
        """Draw all scenes of an epoch at once."""
        rng = np.random.default_rng(
            [self.seed, epoch, SPLITS.index(self.split)]
        )
        count, cells = self.count, GRID**2
        scene = np.arange(count)
        match = rng.integers(cells - 1, size=count)
        match += match >= CUE
        cue = rng.integers(10, size=(count, 1))
        classes = (cue + rng.integers(1, 10, (count, cells))) % 10
        classes[:, [CUE]] = cue
        classes[scene, match] = cue[:, 0]
        size = self._sizes[classes]
        rank = rng.integers(size)
        another = rank[:, CUE] + rng.integers(1, size[:, CUE])
        rank[scene, match] = another % size[:, CUE]
        first = self._sizes.cumsum() - self._sizes
        used = first[classes] + rank
        ink = self._digits[used]  # (count, 9, 8, 8)

        chosen = rng.integers(len(PALETTE), size=(count, cells))
        colours = np.array(PALETTE, np.float32)[chosen]
        colours[:, CUE] = 1
        painted = np.einsum("nprc,npk->nkprc", ink, colours)
        mask = np.zeros((count, 1, cells, SIDE, SIDE), np.bool_)
        mask[scene, 0, match] = True
        return Scenes(
            torch.from_numpy(_canvas(painted)),
            torch.from_numpy(chosen[scene, match]),
            torch.from_numpy(_canvas(mask)),
            self._order[used[scene, match]],
        )


def _digits_of(strokes: str, split: str) -> Scenes:
    """The digits of a split; the small ones have no validation digits."""
    if strokes == "mnist" or split == "test":
        return stroke_digits(strokes, split, SIDE)
    kept = torch.arange(TRAINING_DIGITS)
    training = stroke_digits(strokes, "train", SIDE)
    if split == "validation":
        kept = torch.arange(TRAINING_DIGITS, len(training.labels))
    return training.pick(kept)


def _canvas(cells: np.ndarray) -> np.ndarray:
    """Lay (count, channels, 9, 8, 8) cells out as square images."""
    count, channels = cells.shape[:2]
    rows = cells.reshape(count, channels, GRID, GRID, SIDE, SIDE)
    return rows.transpose(0, 1, 2, 4, 3, 5).reshape(
        count, channels, GRID * SIDE, GRID * SIDE
    )
