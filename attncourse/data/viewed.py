"""Scenes that made-up observers look at, with the density known."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from attncourse.data.photos import photo
from attncourse.data.strokes import stroke_digits

SIZE = 64
OBJECT = 16  # pixels
SLOTS = 4  # objects in a scene: two digits, two blobs
TEXTURES = ("brick", "grass", "gravel")
SPLITS = ("train", "test", "validation")
BLUR = 4.0  # pixels; a standard deviation of where an object is looked at


class Viewed(NamedTuple):
    """Scenes, where they are looked at, and what stands in them.

    Attributes
    ----------
    images
        float32 between 0 and 1.
    density
        The probability that a look lands on a pixel; sums to one.
    fixations
        How many looks did land there, drawn from the density; one plane for
        each half of the observers.
    masks
        True in the boxes of the digits.
    blobs
        True in the boxes of the blobs.
    sources
        Index, among the digits of the split, of the first digit.
    """

    images: Float[Tensor, "count 3 height width"]
    density: Float[Tensor, "count 1 height width"]
    fixations: Int64[Tensor, "count 2 height width"]
    masks: Bool[Tensor, "count 1 height width"]
    blobs: Bool[Tensor, "count 1 height width"]
    sources: Int64[Tensor, " count"]


class ViewedDigits:
    """Two digits and two blobs on a photographed texture, and the looks.

    The observers are made up, so that their density is known exactly: a
    share ``centre`` of their looks lands around the middle of the image, a
    tenth anywhere, and the rest on the objects. A digit is looked at
    ``preference`` times as often as a blob of colour, however bright the
    blob is. Digits and textures of the training scenes do not occur in the
    test scenes; textures are split by the part of the photograph. Validation
    scenes have digits of their own on textures of the training scenes.

    Parameters
    ----------
    count
        Scenes to draw.
    centre
        Share of the looks that go to the middle whatever stands there.
    preference
        Looks at a digit for each look at a blob.
    looks
        Fixations in each half of the observers.
    split
        ``"train"``, ``"test"`` or, where the strokes are those of MNIST,
        ``"validation"``.
    seed
        Two seeds give two unrelated sets of scenes.
    strokes
        The digits used, as for :class:`ClutteredDigits`.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """

    def __init__(
        self,
        count: int,
        *,
        centre: float = 0.4,
        preference: float = 4.0,
        looks: int = 45,
        split: str = "train",
        seed: int = 0,
        strokes: str = "8x8",
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
        if not 0 <= centre <= 0.9:
            raise ValueError(f"centre must be from 0 to 0.9, got {centre}")
        if not preference > 0:
            raise ValueError(f"preference must be positive, got {preference}")
        for name, value in (("count", count), ("looks", looks)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        self.count = count
        self.centre = centre
        self.preference = preference
        self.looks = looks
        self.split = split
        self.seed = seed
        self._digits = stroke_digits(strokes, split, OBJECT).images[:, 0]

    def draw(self, epoch: int = 0) -> Viewed:
        """Draw all scenes of an epoch at once."""
        rng = np.random.default_rng(
            [self.seed, epoch, SPLITS.index(self.split)]
        )
        images = _textures(rng, self.count, self.split)
        ink, shown = _objects(rng, self.count, self._digits.numpy())
        rows, columns = _corners(rng, self.count)
        boxes = np.zeros((self.count, SLOTS, SIZE, SIZE), np.bool_)
        scene = np.arange(self.count)[:, None, None]
        for slot in range(SLOTS):
            colour = rng.uniform(0.0, 1.0, (self.count, 3, 1, 1))
            colour /= colour.max(1, keepdims=True)
            down = rows[:, slot, None, None] + np.arange(OBJECT)[:, None]
            along = columns[:, slot, None, None] + np.arange(OBJECT)
            boxes[scene, slot, down, along] = True
            for channel in range(3):
                under = images[scene, channel, down, along]
                alpha = ink[:, slot]
                paint = colour[:, channel]
                images[scene, channel, down, along] = (
                    under * (1 - alpha) + paint * alpha
                )
        density = self._density(rows, columns)
        fixations = _looks(rng, density, self.looks)
        return Viewed(
            torch.from_numpy(images.astype(np.float32)),
            torch.from_numpy(density.astype(np.float32))[:, None],
            torch.from_numpy(fixations),
            torch.from_numpy(boxes[:, :2].any(1))[:, None],
            torch.from_numpy(boxes[:, 2:].any(1))[:, None],
            torch.from_numpy(shown[:, 0]),
        )

    def _density(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Mix of centre, objects and anywhere: (count, height, width)."""
        weights = np.array([self.preference] * 2 + [1.0] * 2)
        middle = (OBJECT - 1) / 2
        down = _bumps(rows + middle, BLUR)  # (count, slots, height)
        along = _bumps(columns + middle, BLUR)
        objects = np.einsum(
            "s,nsh,nsw->nhw", weights / weights.sum(), down, along
        )
        bump = _bumps(np.array((SIZE - 1) / 2), SIZE / 6)
        anywhere = 0.1
        density: np.ndarray = (
            self.centre * np.outer(bump, bump)
            + (0.9 - self.centre) * objects
            + anywhere / SIZE**2
        )
        return density


def _bumps(centre: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussians along one axis, each summing to one: (..., SIZE)."""
    distance = np.arange(SIZE) - centre[..., None]
    heights = np.exp(-(distance**2) / (2 * sigma**2))
    shares: np.ndarray = heights / heights.sum(-1, keepdims=True)
    return shares


def _looks(
    rng: np.random.Generator, density: np.ndarray, looks: int
) -> np.ndarray:
    """Draw looks of two halves of observers: (count, 2, height, width)."""
    count = len(density)
    scene = np.arange(count)[:, None]
    ends = density.reshape(count, -1).cumsum(1)
    ends /= ends[:, -1:]
    drawn = rng.random((count, 2 * looks)) + scene
    hit = np.searchsorted((ends + scene).ravel(), drawn.ravel(), "right")
    pixel = hit.reshape(count, 2, looks) - scene[..., None] * SIZE**2
    fixations = np.zeros((count, 2, SIZE**2), np.int64)
    half = np.arange(2)[:, None]
    np.add.at(fixations, (scene[..., None], half, pixel), 1)
    return fixations.reshape(count, 2, SIZE, SIZE)


def _textures(rng: np.random.Generator, count: int, split: str) -> np.ndarray:
    """Darkened crops of photographs: the upper part trains, the lower tests.

    Shape (count, 3, SIZE, SIZE).
    """
    crops = []
    for name in TEXTURES:
        whole = photo(name)
        half = F.interpolate(whole[None], scale_factor=0.5, mode="area")[
            0
        ].numpy()
        cut = int(0.6 * half.shape[1])
        crops.append(half[:, cut:] if split == "test" else half[:, :cut])
    images = np.empty((count, 3, SIZE, SIZE))
    chosen = rng.integers(len(crops), size=count)
    for i, which in enumerate(chosen):
        source = crops[which]
        top = rng.integers(source.shape[1] - SIZE + 1)
        left = rng.integers(source.shape[2] - SIZE + 1)
        images[i] = source[:, top : top + SIZE, left : left + SIZE]
    return 0.6 * images


def _objects(
    rng: np.random.Generator, count: int, source: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Two digits and two blobs, and which digits they are.

    Opacity (count, SLOTS, OBJECT, OBJECT) and indices (count, 2).
    """
    ink = np.empty((count, SLOTS, OBJECT, OBJECT))
    shown = rng.integers(len(source), size=(count, 2))
    ink[:, :2] = source[shown]
    distance = np.arange(OBJECT) - (OBJECT - 1) / 2
    squared = distance[:, None] ** 2 + distance**2
    radius = rng.uniform(4, 7, (count, 2, 1, 1))
    ink[:, 2:] = np.clip(radius - np.sqrt(squared), 0, 1)
    return ink, shown


def _corners(
    rng: np.random.Generator, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Upper left corners, one object in each quadrant: (count, SLOTS)."""
    quadrant = rng.permuted(np.tile(np.arange(SLOTS), (count, 1)), axis=1)
    room = SIZE // 2 - OBJECT + 1
    rows = rng.integers(room, size=(count, SLOTS)) + SIZE // 2 * (
        quadrant // 2
    )
    columns = rng.integers(room, size=(count, SLOTS)) + SIZE // 2 * (
        quadrant % 2
    )
    return rows, columns
