"""Images of one's own: a folder with a subfolder for each class."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from attncourse.data.pictures import opened, resized
from attncourse.data.scenes import Scenes

ENDINGS = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
MASK = ".mask.png"


def images(
    folder: str | Path, size: int | tuple[int, int] | None = None
) -> Scenes:
    """Load images of your own, so that a trial can be run on them.

    ``folder/cat/tom.jpg`` is an image of the class ``cat``. Classes are
    numbered in the order of their names, and so are the images of a class.
    The mask of ``tom.jpg``, if there is one, lies beside it as
    ``tom.mask.png``: black where a pixel has nothing to do with the label,
    anything else where it has. Files with other endings than those of images
    are passed over, and so are hidden ones.

    Parameters
    ----------
    folder
        Holds one subfolder for each class, and in it the images: bmp, jpeg,
        png, tiff or webp.
    size
        Side, or (height, width), to which all images are brought, whatever
        their shape; smaller ones are averages. Without it, all must have one
        size already.

    Returns
    -------
    Scenes
        images (count, channels, height, width), of one channel if all are
        grey and else of three, labels 0 to the number of classes less one,
        masks if all images have one. A scene belongs to no known source.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, no class in it, or no image in a class.
    ValueError
        If images differ in size and ``size`` is not given, some have a mask
        and others none, or a mask has another size than its image. The
        message names the files.
    OSError
        If a file cannot be read as an image. The message names all such
        files.

    Examples
    --------
    Train on one folder and test on another, whose classes have the same
    names::

        trials.fit(model, images("train", size=64), epochs=10)
        trials.evaluate(model, images("test", size=64))
    """
    paths, labels = _listed(Path(folder))
    masked = {path: path.with_name(path.stem + MASK) for path in paths}
    bare = [path for path in paths if not masked[path].is_file()]
    files = paths if bare else [*paths, *masked.values()]
    if bare and len(bare) < len(paths):
        raise ValueError(
            f"either all images need a mask or none may have one: "
            f"{_some(bare)} lack NAME{MASK} beside them"
        )
    pictures = _read(files)
    for path in () if bare else paths:
        if pictures[path].size != pictures[masked[path]].size:
            raise ValueError(
                f"{masked[path]} must be as large as its image, "
                f"{_measured(pictures[path])}, got "
                f"{_measured(pictures[masked[path]])}"
            )
    if size is None:
        _of_one_size(paths, pictures)
        first = pictures[paths[0]]
        size = first.height, first.width
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1:
        raise ValueError(f"size must be at least 1, got {size}")
    mode = "RGB" if any(pictures[p].mode == "RGB" for p in paths) else "L"
    shown = [
        resized(pictures[path].convert(mode), (height, width))
        for path in paths
    ]
    pixels = torch.from_numpy(np.stack([np.asarray(one) for one in shown]))
    return Scenes(
        pixels.view(len(paths), height, width, -1).permute(0, 3, 1, 2) / 255,
        torch.tensor(labels),
        None
        if bare
        else torch.from_numpy(
            np.stack(
                [_mask(pictures[masked[p]], (height, width)) for p in paths]
            )
        )[:, None],
    )


def _listed(folder: Path) -> tuple[list[Path], list[int]]:
    """Images in the order of their classes, and the labels."""
    if not folder.is_dir():
        raise FileNotFoundError(f"folder must exist, got {folder}")
    classes = sorted(path for path in _shown(folder) if path.is_dir())
    if not classes:
        raise FileNotFoundError(
            f"folder must hold a subfolder for each class, {folder} has none"
        )
    paths, labels = [], []
    for label, subfolder in enumerate(classes):
        found = sorted(
            path
            for path in _shown(subfolder)
            if path.suffix.lower() in ENDINGS and not path.name.endswith(MASK)
        )
        if not found:
            raise FileNotFoundError(
                f"each class needs an image ({', '.join(ENDINGS)}), "
                f"{subfolder} has none"
            )
        paths += found
        labels += [label] * len(found)
    return paths, labels


def _shown(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.name[0] != ".")


def _read(paths: list[Path]) -> dict[Path, Image.Image]:
    pictures, bad = {}, []
    for path in paths:
        try:
            pictures[path] = opened(path.read_bytes())
        except OSError:
            bad.append(path)
    if bad:
        raise OSError(f"{_some(bad)} cannot be read as images")
    return pictures


def _of_one_size(paths: list[Path], pictures: dict[Path, Image.Image]) -> None:
    for path in paths:
        if pictures[path].size != pictures[paths[0]].size:
            raise ValueError(
                f"size must be given where images differ in it: {paths[0]} "
                f"is {_measured(pictures[paths[0]])}, {path} "
                f"{_measured(pictures[path])}"
            )


def _mask(picture: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """True where at least half of a pixel is not black."""
    marked = np.asarray(picture.convert("L")) > 0
    averaged = resized(Image.fromarray(marked.astype(np.uint8) * 255), size)
    halves: np.ndarray = np.asarray(averaged) >= 128
    return halves


def _measured(picture: Image.Image) -> str:
    return f"{picture.height} x {picture.width}"


def _some(paths: list[Path]) -> str:
    named = ", ".join(map(str, paths[:5]))
    return named if len(paths) <= 5 else f"{named} and {len(paths) - 5} more"
