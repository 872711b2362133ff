"""MNIST, FashionMNIST and CIFAR10, for those who have the network.

Nothing is downloaded unless asked for, and nothing is read before the
checksums of all its files were found right.
"""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from attncourse.data.scenes import Scenes

if TYPE_CHECKING:
    from torchvision.datasets import MNIST

DOWNLOADED_SPLITS = ("train", "test")


def mnist(split: str, root: str | Path, download: bool = False) -> Scenes:
    """Load MNIST: 28 x 28 grey digits, 60,000 to train and 10,000 to test.

    Parameters
    ----------
    split
        ``"train"`` or ``"test"``.
    root
        Folder of the data sets, as torchvision uses it.
    download
        Fetch what is missing or damaged, through torchvision. Without it,
        no request leaves the machine.

    Returns
    -------
    Scenes
        images (count, 1, 28, 28), labels 0 to 9, no masks. The training
        images take 180 MiB.

    Raises
    ------
    ValueError
        If ``split`` is neither of the two.
    FileNotFoundError
        If a file is missing.
    OSError
        If a file is damaged, or still is after the download.

    References
    ----------
    LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to
    Document Recognition", Proceedings of the IEEE 1998.
    """
    from torchvision.datasets import MNIST

    return _mnist_like(MNIST, "mnist", split, root, download)


def fashion_mnist(
    split: str, root: str | Path, download: bool = False
) -> Scenes:
    """Load FashionMNIST: ten kinds of clothes in the format of MNIST.

    Parameters, sizes and errors are those of :func:`mnist`.

    References
    ----------
    Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for
    Benchmarking Machine Learning Algorithms", 2017.
    """
    from torchvision.datasets import FashionMNIST

    return _mnist_like(FashionMNIST, "fashion_mnist", split, root, download)


def cifar10(split: str, root: str | Path, download: bool = False) -> Scenes:
    """Load CIFAR10: 32 x 32 colour images, 50,000 to train, 10,000 to test.

    Parameters and errors are those of :func:`mnist`.

    Returns
    -------
    Scenes
        images (count, 3, 32, 32), labels 0 to 9, no masks. The training
        images take 586 MiB.

    References
    ----------
    Krizhevsky, "Learning Multiple Layers of Features from Tiny Images",
    2009.
    """
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import download_and_extract_archive

    checksums = dict(CIFAR10.train_list + CIFAR10.test_list)
    checksums[CIFAR10.meta["filename"]] = CIFAR10.meta["md5"]

    def broken() -> list[Path]:
        files = {
            Path(root, CIFAR10.base_folder, name): md5
            for name, md5 in checksums.items()
        }
        return [path for path in files if not _intact(path, files[path])]

    def fetch() -> None:
        download_and_extract_archive(
            CIFAR10.url,
            root,
            filename=CIFAR10.filename,
            md5=CIFAR10.tgz_md5,
        )

    _require("cifar10", split, root, broken, fetch if download else None)
    data = CIFAR10(root, train=split == "train")
    images = torch.from_numpy(data.data).permute(0, 3, 1, 2)
    return _scenes(images, torch.tensor(data.targets))


def _mnist_like(
    dataset: "type[MNIST]",
    name: str,
    split: str,
    root: str | Path,
    download: bool,
) -> Scenes:
    from torchvision.datasets.mnist import read_image_file, read_label_file

    folder = Path(root, dataset.__name__, "raw")

    def broken() -> list[Path]:
        return [
            path
            for archive, md5 in dataset.resources
            for path in _broken_pair(folder / archive, md5)
        ]

    def fetch() -> None:
        dataset(root, download=True)

    _require(name, split, root, broken, fetch if download else None)
    prefix = folder / ("train" if split == "train" else "t10k")
    images = read_image_file(f"{prefix}-images-idx3-ubyte")
    labels = read_label_file(f"{prefix}-labels-idx1-ubyte")
    return _scenes(images[:, None], labels)


def _require(
    name: str,
    split: str,
    root: str | Path,
    broken: Callable[[], list[Path]],
    fetch: Callable[[], None] | None,
) -> None:
    """Leave only if every file is there and its checksum is right."""
    if split not in DOWNLOADED_SPLITS:
        raise ValueError(
            f"split must be one of {DOWNLOADED_SPLITS}, got {split!r}"
        )
    remedy = (
        f'with a network connection, run {name}("{split}", "{root}", '
        f"download=True)"
    )
    paths = broken()
    if paths and fetch:
        for path in paths:
            path.unlink(missing_ok=True)
        try:
            fetch()
        except (OSError, RuntimeError) as error:
            raise OSError(f"the download failed; {remedy}") from error
        paths = broken()
        remedy = f"delete {paths[0].parent if paths else root}, then {remedy}"
    if not paths:
        return
    if paths[0].exists():
        raise OSError(f"{paths[0]} is damaged; {remedy}")
    raise FileNotFoundError(f"{paths[0]} is missing; {remedy}")


def _broken_pair(archive: Path, md5: str) -> list[Path]:
    """Check an archive by its checksum, and its content by the archive.

    A gzip file ends with the CRC-32 and the length of what it holds.
    """
    content = archive.with_suffix("")
    if not _intact(archive, md5):
        return [archive, content]
    end = archive.read_bytes()[-8:]
    if content.is_file():
        raw = content.read_bytes()
        size = len(raw) % 2**32
        if end == struct.pack("<II", zlib.crc32(raw), size):
            return []
    return [content]


def _intact(path: Path, md5: str) -> bool:
    from torchvision.datasets.utils import check_integrity

    return bool(check_integrity(path, md5))


def _scenes(images: Tensor, labels: Tensor) -> Scenes:
    return Scenes(images.float().contiguous() / 255, labels.long(), None)
