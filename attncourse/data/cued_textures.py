"""Tinted textures, and a dot that asks for the texture or the tint."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from attncourse.data.photos import photo
from attncourse.data.scenes import Scenes

TEXTURES = ("brick", "grass", "gravel")
TINTS = {
    "orange": (0.95, 0.65, 0.2),
    "blue": (0.35, 0.7, 0.95),
    "pink": (0.95, 0.5, 0.75),
}
CUES = ("white", "black")
SPLITS = ("train", "test", "validation")
SIDE, LEFT, DOT = 32, 24, 4


class CueFactors(NamedTuple):
    """What a scene was made of; cue 0 asks for the texture, 1 for the tint."""

    cue: Int64[Tensor, " count"]
    texture: Int64[Tensor, " count"]
    tint: Int64[Tensor, " count"]


class CuedTextures:
    """A tinted texture at the right, and a dot at the left that asks.

    A white dot asks for the texture, a black one for the tint; both have
    three classes, so one answer out of three is right. Textures are pieces
    of photographs, training pieces from the upper 60 % and test pieces from
    the lower 40 %. Between dot and texture lie 19 columns of plain grey.

    Parameters
    ----------
    count
        Scenes in one epoch.
    split
        ``"train"``, ``"test"``, or ``"validation"``: other scenes of the
        training pieces.
    seed
        Two seeds give two unrelated sequences of epochs.

    Raises
    ------
    ValueError
        If ``split`` is none of the three.
    """

    def __init__(
        self, count: int, *, split: str = "train", seed: int = 0
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
        self.count, self.split, self.seed = count, split, seed

    def draw(self, epoch: int = 0, *, other_cue: bool = False) -> Scenes:
        """Draw an epoch; ``other_cue`` swaps the dots and nothing else.

        Returns
        -------
        Scenes
            images (count, 3, 32, 56), labels 0 to 2, no masks.
        """
        cue, texture, tint = self.factors(epoch)
        if other_cue:
            cue = 1 - cue
        rng = self._rng(epoch, 1)
        sources = _textures(self.split)
        shape = sources.shape[1] - SIDE + 1, sources.shape[2] - SIDE + 1
        top = rng.integers(shape[0], size=(self.count, 1, 1))
        left = rng.integers(shape[1], size=(self.count, 1, 1))
        steps = np.arange(SIDE)
        crops = sources[
            texture[:, None, None], top + steps[:, None], left + steps
        ]
        colours = torch.tensor(list(TINTS.values()))[tint]
        light = torch.from_numpy(rng.uniform(0.8, 1.05, self.count)).float()
        tinted = crops[:, None] * (light[:, None] * colours)[..., None, None]
        images = torch.full((self.count, 3, SIDE, LEFT + SIDE), 0.5)
        images[..., LEFT:] = tinted.clamp(0, 1)
        down = torch.from_numpy(rng.integers(SIDE - DOT + 1, size=self.count))
        dot = (torch.arange(SIDE) - down[:, None]).clamp(0, DOT - 1)
        inside = dot == torch.arange(SIDE) - down[:, None]
        colour = (1.0 - cue.float())[:, None, None, None]
        column = torch.where(inside[:, None, :, None], colour, 0.5)
        images[..., 1 : 1 + DOT] = column
        return Scenes(images, torch.where(cue == 0, texture, tint), None)

    def factors(self, epoch: int = 0) -> CueFactors:
        """What the scenes of an epoch are made of."""
        rng = self._rng(epoch, 0)
        drawn = (rng.integers(n, size=self.count) for n in (2, 3, 3))
        return CueFactors(*(torch.from_numpy(each) for each in drawn))

    def _rng(self, epoch: int, part: int) -> np.random.Generator:
        split = SPLITS.index(self.split)
        return np.random.default_rng([self.seed, epoch, split, part])


@lru_cache(3)
def _textures(split: str) -> Float[Tensor, "3 height width"]:
    """Photographs at half their size, brought to one mean and contrast."""
    kept = []
    for name in TEXTURES:
        grey = F.avg_pool2d(photo(name)[:1], 2)[0]
        cut = round(0.6 * len(grey))
        part = grey[cut:] if split == "test" else grey[:cut]
        kept.append(0.55 + 0.2 * (part - part.mean()) / part.std())
    return torch.stack(kept).clamp(0, 1)
