"""The one form in which every data set of the course is handed over."""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int64
from torch import Tensor


class Scenes(NamedTuple):
    """Images, their labels and, where it is known, the ground-truth mask.

    A tuple of three: ``len`` of it is 3, ``len(scenes.labels)`` counts the
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
    """

    images: Float[Tensor, "count channels height width"]
    labels: Int64[Tensor, " count"]
    masks: Bool[Tensor, "count 1 height width"] | None
