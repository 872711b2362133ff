"""The one form in which every data set of the course is handed over."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor


class _Triple(NamedTuple):
    images: Float[Tensor, "count channels height width"]
    labels: Int64[Tensor, " count"]
    masks: Bool[Tensor, "count 1 height width"] | None


class Scenes(_Triple):
    """Images, their labels and, where it is known, the ground-truth mask.

    A tuple of three, ``images, labels, masks = scenes``, that carries its
    ``sources`` beside: ``len`` of it is 3, ``len(scenes.labels)`` counts the
    scenes.

    Attributes
    ----------
    images
        float32 between 0 and 1.
    labels
        The class of each image.
    masks
        The ground-truth mask: True on the pixels that decide the label.
        None for data sets that have none.
    sources
        What each scene was made from: the index, among the digits of its
        split, of the digit that decides the label. Scenes that share a
        source are not independent. None where every image is a source of its
        own, or where nobody knows.
    """

    sources: Int64[Tensor, " count"] | None

    def __new__(
        cls,
        images: Float[Tensor, "count channels height width"],
        labels: Int64[Tensor, " count"],
        masks: Bool[Tensor, "count 1 height width"] | None,
        sources: Int64[Tensor, " count"] | None = None,
    ) -> "Scenes":
        """Make the tuple of three, with the sources beside it."""
        scenes = super().__new__(cls, images, labels, masks)
        scenes.sources = sources
        return scenes

    def _replace(self, **changes: Any) -> "Scenes":
        parts = {**self._asdict(), "sources": self.sources}
        return Scenes(**{**parts, **changes})

    def pick(self, chosen: Tensor) -> "Scenes":
        """Return some of the scenes, by their indices or by a Boolean mask.

        Parameters
        ----------
        chosen
            Indices, in the order wanted, or True for each scene to keep.
        """
        masks, sources = self.masks, self.sources
        return Scenes(
            self.images[chosen],
            self.labels[chosen],
            None if masks is None else masks[chosen],
            None if sources is None else sources[chosen],
        )


def joined(parts: Sequence[Scenes]) -> Scenes:
    """Scenes of several draws, one after the other; nothing is None."""
    everything = [(*part, part.sources) for part in parts]
    return Scenes(*(torch.cat(each) for each in zip(*everything, strict=True)))
