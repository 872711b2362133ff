"""The photographs that ship inside the scikit-image wheel."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

# name: (file, credit); all of them may be shown and passed on.
PHOTOS = {
    "astronaut": (
        "astronaut.png",
        "Eileen Collins, photograph by NASA, public domain",
    ),
    "brick": ("brick.png", "Bricks25 from CC0Textures, CC0"),
    "camera": ("camera.png", "Photograph by Lav Varshney, CC0"),
    "chelsea": (
        "chelsea.png",
        "Chelsea the cat, photograph by Stefan van der Walt, CC0",
    ),
    "clock": (
        "clock_motion.png",
        "Photograph by Stefan van der Walt, public domain",
    ),
    "coffee": (
        "coffee.png",
        "Photograph by Rachel Michetti, courtesy of Pikolo Espresso Bar, CC0",
    ),
    "coins": (
        "coins.png",
        "Greek coins from Pompeii, Brooklyn Museum, no known copyright "
        "restrictions",
    ),
    "grass": ("grass.png", "Grass 01 by linolafett on DeviantArt, CC0"),
    "gravel": ("gravel.png", "Gravel04 from CC0Textures, CC0"),
    "hubble_deep_field": (
        "hubble_deep_field.jpg",
        "Hubble eXtreme Deep Field, NASA (HubbleSite), public domain",
    ),
    "page": (
        "page.png",
        "Page of the user guide of scikit-image, by its team, BSD-3-Clause",
    ),
    "retina": (
        "retina.jpg",
        "Fundus photograph by Mikael Häggström, Wikimedia Commons, CC0",
    ),
    "rocket": (
        "rocket.jpg",
        "Launch of DSCOVR, photograph by SpaceX, public domain",
    ),
}


def photos() -> tuple[str, ...]:
    """Name the photographs that :func:`photo` can load."""
    return tuple(PHOTOS)


def photo(name: str) -> Float[Tensor, "3 height width"]:
    """Load a photograph from the installed scikit-image; never download.

    Grey photographs come with three equal channels.

    Parameters
    ----------
    name
        One of :func:`photos`. Wherever the picture is shown,
        :func:`photo_credit` belongs beside it.

    Returns
    -------
    Tensor
        (3, height, width), float32 between 0 and 1.

    Raises
    ------
    ValueError
        If there is no photograph of this name.
    FileNotFoundError
        If the installed scikit-image lacks the file.
    """
    import skimage.io

    file = _entry(name)[0]
    path = Path(skimage.__file__).parent / "data" / file
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing; reinstall scikit-image from its wheel: "
            f"pip install --force-reinstall --no-deps scikit-image"
        )
    pixels = torch.from_numpy(skimage.io.imread(path)).float() / 255
    if pixels.ndim == 2:
        return pixels.expand(3, -1, -1).contiguous()
    return pixels.permute(2, 0, 1).contiguous()


def photo_credit(name: str) -> str:
    """Say who made a photograph, and under which terms.

    Raises
    ------
    ValueError
        If there is no photograph of this name.
    """
    return _entry(name)[1]


def _entry(name: str) -> tuple[str, str]:
    if name not in PHOTOS:
        raise ValueError(f"name must be one of {photos()}, got {name!r}")
    return PHOTOS[name]
