"""Photographs of solar cells, some of them defective."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from attncourse.data.installed import bytes_of, damaged, intact, package_folder
from attncourse.data.pictures import opened, resized
from attncourse.data.scenes import Scenes

PROJECT = "elpv-dataset"
TABLE_SHA256 = (
    "0abe6fe7700aea571717d7d7dfec005a47c6207b4cde26a4556b6807a115483d"
)
IMAGES_SHA256 = (
    "23ca267689338c754ae3cc3ef36005bdbbb96f3dbeb401031e3a5e46b0dad8d5"
)
# Cells of each module, in the order of the files.
CELLS = (
    *(60,) * 20,
    *(54,),
    *(60,) * 11,
    *(50,),
    *(60,) * 3,
    *(72,),
    *(60,) * 3,
    *(48,),
    *(60,) * 3,
)
# Modules of each type, counted along one shuffled order: mono, then poly.
SOLAR_SPLITS = {
    "all": ((0, 18), (0, 26)),
    "test": ((0, 5), (0, 8)),
    "validation": ((5, 8), (8, 12)),
    "train": ((8, 18), (12, 26)),
}
SPLIT_SEED = 1234


class CellFacts(NamedTuple):
    """What the makers of the data say of each cell, and its module.

    Attributes
    ----------
    probability
        Of a defect, as an expert judged by eye: 0, 1/3, 2/3 or 1.
    mono
        True for monocrystalline cells, False for polycrystalline ones.
    module
        The module from which the cell was cut, as :func:`solar_cells` infers
        it.
    """

    probability: Float[Tensor, " count"]
    mono: Bool[Tensor, " count"]
    module: Int64[Tensor, " count"]


def solar_cells(
    split: str = "all", size: int | tuple[int, int] = 64
) -> Scenes:
    """Load 2,624 electroluminescence images of solar cells from elpv-dataset.

    A cell counts as defective where the expert's probability is 1/2 or more;
    :func:`solar_cell_facts` has the probability itself. The labels are the
    opinion of one expert, without a measurement, and some are disputed.

    **What leaks.** The cells were cut out of 44 modules, 18 mono- and 26
    polycrystalline, and the package does not say which cell belongs to which.
    Cells of one module look alike and are defective together, so that a
    random split of cells tests on modules that were trained on. Here modules
    are inferred: the files follow each other module by module, the type
    changes only between modules, and nearly all modules have 60 cells. That
    gives 44 modules, 18 and 26 of them. Where the two that lack cells, of 54
    and 50, begin and end was read off the images; a mistake there would put
    a few cells on the wrong side. Modules of one make follow each other too:
    the split does not separate makes.

    Parameters
    ----------
    split
        ``"train"`` (24 modules), ``"validation"`` (7), ``"test"`` (13) or
        ``"all"``: modules as a whole, drawn once with a fixed seed, the two
        types in like shares.
    size
        Side of the images, or (height, width), after averaging; they are
        300 x 300. The first call of a size takes seconds.

    Returns
    -------
    Scenes
        images (count, 1, height, width), labels 1 for defective cells and 0
        for others, no masks; the sources are the modules, 0 to 43.

    Raises
    ------
    ValueError
        If ``split`` is none of the four or ``size`` is below one.
    ModuleNotFoundError, FileNotFoundError, OSError
        If elpv-dataset is not installed, or its files are missing or
        damaged.

    References
    ----------
    Deitsch, Christlein, Berger, Buerhop-Lutz, Maier, Gallwitz and Riess,
    "Automatic Classification of Defective Photovoltaic Module Cells in
    Electroluminescence Images", Solar Energy 2019. The images are under CC
    BY-NC-SA 4.0: ``credit("solar_cells")`` belongs beside each one shown.
    """
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1:
        raise ValueError(f"size must be at least 1, got {size}")
    facts, chosen = _facts(), _of_split(split)
    images = torch.from_numpy(_images((height, width)))[chosen]
    return Scenes(
        images.float()[:, None] / 255,
        (facts.probability[chosen] >= 0.5).long(),
        None,
        facts.module[chosen],
    )


def solar_cell_facts(split: str = "all") -> CellFacts:
    """Probability, type and module of the cells of :func:`solar_cells`.

    Parameters
    ----------
    split
        As for :func:`solar_cells`, and in the same order.

    Raises
    ------
    ValueError, ModuleNotFoundError, FileNotFoundError, OSError
        As for :func:`solar_cells`.
    """
    chosen = _of_split(split)
    return CellFacts(*(part[chosen] for part in _facts()))


def _of_split(split: str) -> Int64[Tensor, " count"]:
    if split not in SOLAR_SPLITS:
        raise ValueError(
            f"split must be one of {tuple(SOLAR_SPLITS)}, got {split!r}"
        )
    facts = _facts()
    first = torch.tensor(CELLS).cumsum(0) - torch.tensor(CELLS)
    mono = facts.mono[first]
    order = torch.randperm(
        len(CELLS), generator=torch.Generator().manual_seed(SPLIT_SEED)
    )
    modules = torch.cat(
        [
            order[mono[order] == kind][low:high]
            for kind, (low, high) in zip(
                (True, False), SOLAR_SPLITS[split], strict=True
            )
        ]
    )
    return torch.isin(facts.module, modules).nonzero()[:, 0]


def _table() -> tuple[Path, list[list[str]]]:
    """Folder of the data, and (file, probability, type) of each cell."""
    folder = package_folder("elpv_dataset", PROJECT, "solar_cells") / "data"
    path = folder / "labels.csv"
    content = bytes_of(path, PROJECT)
    lines = intact(content, TABLE_SHA256, path, PROJECT).decode().splitlines()
    return folder, [line.split() for line in lines]


def _facts() -> CellFacts:
    _, rows = _table()
    cells = torch.tensor(CELLS)
    return CellFacts(
        torch.tensor([float(probability) for _, probability, _ in rows]),
        torch.tensor([kind == "mono" for *_, kind in rows]),
        torch.arange(len(CELLS)).repeat_interleave(cells),
    )


@lru_cache(2)
def _images(size: tuple[int, int]) -> np.ndarray:
    """All cells as (2624, height, width) bytes."""
    folder, rows = _table()
    digest = hashlib.sha256()
    images = np.empty((len(rows), *size), np.uint8)
    for image, (name, *_) in zip(images, rows, strict=True):
        content = bytes_of(folder / name, PROJECT)
        digest.update(content)
        try:
            image[:] = np.asarray(resized(opened(content), size))
        except (OSError, ValueError) as error:
            raise damaged(folder / name, PROJECT) from error
    if digest.hexdigest() != IMAGES_SHA256:
        raise damaged(folder, PROJECT)
    return images
