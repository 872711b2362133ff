"""MNIST, FashionMNIST, CIFAR10 and the Olivetti faces.

Nothing is downloaded unless asked for, and nothing is handed over whose
checksum is wrong.
"""

import gzip
import hashlib
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from attncourse.data.scenes import Scenes

DOWNLOADED_SPLITS = ("train", "test")
DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")
PREFIXES = {"train": "train", "test": "t10k"}

# MD5 of the files as unpacked: the same whoever compressed them.
UNPACKED = {
    "MNIST": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    "FashionMNIST": {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
}
OLIVETTI_WHITE = 242  # the brightest byte, which scikit-learn makes 1
OLIVETTI_SHA256 = (
    "a3f75007cc103363b61a63e06bec8ea4846407682ef6e7c9ae1eb9c1bd0e8a00"
)


def mnist(split: str, root: str | Path, download: bool = False) -> Scenes:
    """Load MNIST: 28 x 28 grey digits, 60,000 to train and 10,000 to test.

    Parameters
    ----------
    split
        ``"train"`` or ``"test"``.
    root
        Folder of the data sets, as torchvision uses it. The files may be
        packed (.gz) or not.
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
    return _mnist_like("MNIST", "mnist", split, root, download)


def fashion(
    split: str, root: str | Path | None = None, download: bool = False
) -> Scenes:
    """Load FashionMNIST: ten kinds of clothes in the format of MNIST.

    Parameters
    ----------
    split
        ``"train"`` or ``"test"``.
    root
        Folder of the data sets, as for :func:`mnist`. Without it, the files
        of Debian's package dataset-fashion-mnist are read.
    download
        As for :func:`mnist`; needs ``root``.

    Returns
    -------
    Scenes
        As of :func:`mnist`.

    Raises
    ------
    ValueError
        If ``split`` is neither of the two, or ``download`` lacks ``root``.
    FileNotFoundError, OSError
        As for :func:`mnist`.

    References
    ----------
    Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for
    Benchmarking Machine Learning Algorithms", 2017.
    """
    if root is not None:
        return _mnist_like("FashionMNIST", "fashion", split, root, download)
    if download:
        raise ValueError("root must say where to download to, got None")
    return _idx_scenes(
        "FashionMNIST",
        split,
        DEBIAN_FASHION,
        None,
        "install Debian's package dataset-fashion-mnist or, with a network "
        f'connection, run fashion("{split}", FOLDER, download=True)',
    )


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

    _known(split)
    checksums = dict(CIFAR10.train_list + CIFAR10.test_list)
    checksums[CIFAR10.meta["filename"]] = CIFAR10.meta["md5"]
    folder = Path(root, CIFAR10.base_folder)

    def fetch() -> None:
        download_and_extract_archive(
            CIFAR10.url,
            root,
            filename=CIFAR10.filename,
            md5=CIFAR10.tgz_md5,
        )

    _contents(
        {folder / name: md5 for name, md5 in checksums.items()},
        fetch if download else None,
        _remedy("cifar10", split, root),
    )
    data = CIFAR10(root, train=split == "train")
    images = torch.from_numpy(data.data).permute(0, 3, 1, 2)
    return _scenes(images, torch.tensor(data.targets))


def olivetti(root: str | Path | None = None, download: bool = False) -> Scenes:
    """Load the Olivetti faces: ten pictures each of 40 people.

    Parameters
    ----------
    root
        scikit-learn's folder of data sets; without it, the folder that
        scikit-learn uses itself.
    download
        Fetch the faces if they are missing, through scikit-learn. Without
        it, no request leaves the machine.

    Returns
    -------
    Scenes
        images (400, 1, 64, 64), labels 0 to 39 for the people, ten in a row
        for each, no masks.

    Raises
    ------
    FileNotFoundError
        If the faces are missing.
    OSError
        If they are damaged, or the download failed.

    References
    ----------
    Samaria and Harter, "Parameterisation of a Stochastic Model for Human
    Face Identification", Workshop on Applications of Computer Vision 1994.
    """
    from sklearn.datasets import fetch_olivetti_faces

    home = root or os.environ.get("SCIKIT_LEARN_DATA", "~/scikit_learn_data")
    folder = Path(home).expanduser()
    where = "" if root is None else f'"{root}", '
    remedy = f"with a network connection, run olivetti({where}download=True)"
    kept = list(folder.glob("olivetti*.pkz"))
    if not kept and not download:
        raise FileNotFoundError(
            f"the Olivetti faces are missing in {folder}; {remedy}"
        )
    try:
        images = fetch_olivetti_faces(
            data_home=folder, download_if_missing=download
        ).images
    except Exception as error:
        if not kept:
            raise OSError(f"the download failed; {remedy}") from error
        images = None
    if images is not None:
        pixels = torch.from_numpy(images)[:, None].contiguous()
        raw = (pixels * OLIVETTI_WHITE).round().byte().numpy().tobytes()
        if hashlib.sha256(raw).hexdigest() == OLIVETTI_SHA256:
            people = torch.arange(40).repeat_interleave(10)
            return Scenes(pixels, people, None)
    raise OSError(
        f"{(kept or [folder])[0]} is damaged; delete it, then {remedy}"
    )


def _mnist_like(
    dataset: str,
    name: str,
    split: str,
    root: str | Path,
    download: bool,
) -> Scenes:
    def fetch() -> None:
        from torchvision import datasets

        getattr(datasets, dataset)(root, download=True)

    return _idx_scenes(
        dataset,
        split,
        Path(root, dataset, "raw"),
        fetch if download else None,
        _remedy(name, split, root),
    )


def _idx_scenes(
    name: str,
    split: str,
    folder: Path,
    fetch: Callable[[], None] | None,
    remedy: str,
) -> Scenes:
    """Images and labels of a split; their headers have 16 and 8 bytes."""
    start = f"{PREFIXES[_known(split)]}-"
    needed = {
        folder / file: md5
        for file, md5 in UNPACKED[name].items()
        if file.startswith(start)
    }
    images, labels = (
        torch.frombuffer(bytearray(content), dtype=torch.uint8)
        for content in _contents(needed, fetch, remedy)
    )
    return _scenes(images[16:].view(-1, 1, 28, 28), labels[8:])


def _known(split: str) -> str:
    if split in DOWNLOADED_SPLITS:
        return split
    raise ValueError(
        f"split must be one of {DOWNLOADED_SPLITS}, got {split!r}"
    )


def _remedy(name: str, split: str, root: str | Path) -> str:
    return (
        f'with a network connection, run {name}("{split}", "{root}", '
        f"download=True)"
    )


def _contents(
    needed: dict[Path, str],
    fetch: Callable[[], None] | None,
    remedy: str,
) -> list[bytes]:
    """Unpacked contents of all files, or an error for the first one."""
    found = {path: _unpacked(path, md5) for path, md5 in needed.items()}
    broken = [path for path, content in found.items() if content is None]
    if broken and fetch:
        for path in broken:
            path.unlink(missing_ok=True)
            _packed(path).unlink(missing_ok=True)
        try:
            fetch()
        except (OSError, RuntimeError) as error:
            raise OSError(f"the download failed; {remedy}") from error
        return _contents(
            needed, None, f"delete {broken[0].parent}, then {remedy}"
        )
    for path in broken:
        for kept in (path, _packed(path)):
            if kept.exists():
                raise OSError(f"{kept} is damaged; {remedy}")
        raise FileNotFoundError(f"{path} is missing; {remedy}")
    return [content for content in found.values() if content is not None]


def _unpacked(path: Path, md5: str) -> bytes | None:
    """What a file or its packed copy holds, if that is what it should be."""
    for kept, read in ((path, bytes), (_packed(path), gzip.decompress)):
        try:
            content = read(kept.read_bytes())
        except (OSError, EOFError, zlib.error):
            continue
        if hashlib.md5(content).hexdigest() == md5:
            return content
    return None


def _packed(path: Path) -> Path:
    return path.with_name(f"{path.name}.gz")


def _scenes(images: Tensor, labels: Tensor) -> Scenes:
    return Scenes(images.float().contiguous() / 255, labels.long(), None)
