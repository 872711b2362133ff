"""Images with a ground-truth mask, and loaders of real data sets."""

from attncourse.data.cluttered import ClutteredDigits
from attncourse.data.colour_lookup import ColourLookup
from attncourse.data.covered import CoveredDigits, covered, squares
from attncourse.data.cued_textures import CuedTextures, CueFactors
from attncourse.data.digits import digits, mnist_digits
from attncourse.data.downloads import cifar10, fashion_mnist, mnist
from attncourse.data.photos import photo, photo_credit, photos
from attncourse.data.posed import PosedDigits
from attncourse.data.scenes import Scenes
from attncourse.data.several_sizes import (
    GrowingDigits,
    SeveralSizes,
    SizedDigits,
    sizes_of,
)
from attncourse.data.two_digits import TwoDigits
from attncourse.data.viewed import Viewed, ViewedDigits

__all__ = [
    "ClutteredDigits",
    "ColourLookup",
    "CoveredDigits",
    "CueFactors",
    "CuedTextures",
    "GrowingDigits",
    "PosedDigits",
    "Scenes",
    "SeveralSizes",
    "SizedDigits",
    "TwoDigits",
    "Viewed",
    "ViewedDigits",
    "cifar10",
    "covered",
    "digits",
    "fashion_mnist",
    "mnist",
    "mnist_digits",
    "photo",
    "photo_credit",
    "photos",
    "sizes_of",
    "squares",
]
