"""Digits of several sizes."""

from typing import ClassVar

import torch
from jaxtyping import Int64
from torch import Tensor

from attncourse.data.cluttered import ClutteredDigits
from attncourse.data.scenes import Scenes, joined


class SizedDigits:
    """Cluttered digits seen from near and from far.

    Digit and fragments grow together, so that a scene with a digit of 32
    pixels holds what one of 16 pixels holds, twice as large.

    Parameters
    ----------
    count
        Scenes in an epoch; as many of each size, up to rounding.
    sizes
        Sides of the digit in pixels.
    split, seed, strokes
        As for :class:`ClutteredDigits`.
    """

    def __init__(
        self,
        count: int,
        *,
        sizes: tuple[int, ...] = (12, 16, 20, 24, 28, 32),
        split: str = "train",
        seed: int = 0,
        strokes: str = "8x8",
    ) -> None:
        shares = [
            count // len(sizes) + (rank < count % len(sizes))
            for rank in range(len(sizes))
        ]
        self.sources = [
            ClutteredDigits(
                share,
                size=48,
                digit_size=size,
                fragments=4,
                split=split,
                seed=seed * 100 + size,
                strokes=strokes,
            )
            for size, share in zip(sizes, shares, strict=True)
        ]

    def draw(self, epoch: int = 0) -> Scenes:
        """Draw the scenes of an epoch, sorted by size."""
        return joined([source.draw(epoch) for source in self.sources])


class SeveralSizes:
    """Scenes of :class:`ClutteredDigits`, a third with each size of digit.

    The fragments scale with the digit, and small digits get more of them:
    16, 9 or 4. So the clutter fills about as many pixels in every scene,
    256 to 324 where no fragment hides another.

    Parameters
    ----------
    count
        Scenes in one epoch, divisible by three.
    split, seed, strokes
        As for :class:`ClutteredDigits`.

    Raises
    ------
    ValueError
        If ``count`` is not divisible by three.
    """

    CANVAS: ClassVar[int] = 48
    SIZES: ClassVar[tuple[int, ...]] = (12, 16, 24)

    def __init__(
        self,
        count: int,
        *,
        split: str = "train",
        seed: int = 0,
        strokes: str = "8x8",
    ) -> None:
        if count % len(self.SIZES):
            raise ValueError(
                f"count must be divisible by {len(self.SIZES)}, got {count}"
            )
        self.sources = {
            side: ClutteredDigits(
                count // len(self.SIZES),
                size=self.CANVAS,
                digit_size=side,
                fragments=(self.CANVAS // side) ** 2,
                split=split,
                seed=len(self.SIZES) * seed + rank,
                strokes=strokes,
            )
            for rank, side in enumerate(self.SIZES)
        }

    def draw(self, epoch: int = 0) -> Scenes:
        """Draw an epoch, the smallest digits first."""
        return joined([source.draw(epoch) for source in self.sources.values()])


class GrowingDigits:
    """Digits of five sizes, as many of each, in random order.

    Digits of 10 to 26 pixels anywhere on a black canvas of 40.

    Parameters
    ----------
    count
        Scenes in one epoch, a multiple of five.
    split, seed, strokes
        As for :class:`ClutteredDigits`.

    Raises
    ------
    ValueError
        If ``count`` is no positive multiple of five.
    """

    CANVAS: ClassVar[int] = 40
    SIZES: ClassVar[tuple[int, ...]] = (10, 14, 18, 22, 26)

    def __init__(
        self,
        count: int,
        *,
        split: str = "train",
        seed: int = 0,
        strokes: str = "8x8",
    ) -> None:
        if count < 1 or count % len(self.SIZES):
            raise ValueError(
                f"count must be a positive multiple of {len(self.SIZES)}, got "
                f"{count}"
            )
        self.count, self.seed = count, seed
        self._parts = [
            ClutteredDigits(
                count // len(self.SIZES),
                size=self.CANVAS,
                digit_size=size,
                fragments=0,
                split=split,
                seed=seed,
                strokes=strokes,
            )
            for size in self.SIZES
        ]

    def draw(self, epoch: int = 0) -> Scenes:
        """Draw an epoch; the masks are the boxes of the digits."""
        drawn = joined([part.draw(epoch) for part in self._parts])
        return drawn.pick(self._order(epoch))

    def sizes(self, epoch: int = 0) -> Int64[Tensor, " count"]:
        """Side of the digit in each scene of an epoch, in pixels."""
        each = torch.tensor(self.SIZES)
        repeated = each.repeat_interleave(self.count // len(self.SIZES))
        return repeated[self._order(epoch)]

    def _order(self, epoch: int) -> Int64[Tensor, " count"]:
        generator = torch.Generator().manual_seed(1000 * self.seed + epoch)
        return torch.randperm(self.count, generator=generator)


def sizes_of(scenes: Scenes) -> Int64[Tensor, " count"]:
    """Side of each digit, read off its mask."""
    assert scenes.masks is not None
    return scenes.masks[:, 0].any(2).sum(1)
