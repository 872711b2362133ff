"""Images with a ground-truth mask, and loaders of real data sets."""

from attncourse.data.cluttered import ClutteredDigits
from attncourse.data.colour_lookup import ColourLookup
from attncourse.data.covered import CoveredDigits, covered, squares
from attncourse.data.credits import credit
from attncourse.data.cued_textures import CuedTextures, CueFactors
from attncourse.data.digits import digits, mnist_digits
from attncourse.data.downloads import cifar10, fashion, mnist, olivetti
from attncourse.data.faces import faces
from attncourse.data.folders import images
from attncourse.data.photos import photo, photo_credit, photos
from attncourse.data.posed import PosedDigits
from attncourse.data.scenes import Scenes
from attncourse.data.several_sizes import (
    GrowingDigits,
    SeveralSizes,
    SizedDigits,
    sizes_of,
)
from attncourse.data.solar_cells import (
    CellFacts,
    solar_cell_facts,
    solar_cells,
)
from attncourse.data.two_digits import TwoDigits
from attncourse.data.viewed import Viewed, ViewedDigits

__all__ = [
    "CellFacts",
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
    "credit",
    "digits",
    "faces",
    "fashion",
    "images",
    "mnist",
    "mnist_digits",
    "olivetti",
    "photo",
    "photo_credit",
    "photos",
    "sizes_of",
    "solar_cell_facts",
    "solar_cells",
    "squares",
]
