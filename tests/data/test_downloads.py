"""The loaders on small fabricated files; no test here uses the network."""

import gzip
import hashlib
import pickle
import shutil
import socket
import struct
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from torchvision import datasets
from torchvision.datasets import utils

from attncourse.data import Scenes, cifar10, fashion, mnist, olivetti
from attncourse.data.downloads import DEBIAN_FASHION, UNPACKED

COUNTS = {"train": 7, "test": 5}
Loader = Callable[..., Scenes]
Case = tuple[Loader, Path]


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def write_mnist(folder: Path, *, packed: bool) -> dict[str, str]:
    """Four files, packed or not; returns names and checksums when unpacked."""
    folder.mkdir(parents=True)
    sums = {}
    for prefix, count in (("train", 7), ("t10k", 5)):
        pixels = torch.arange(count * 28 * 28) % 256
        files = {
            "images-idx3": struct.pack(">IIII", 2051, count, 28, 28)
            + bytes(pixels.tolist()),
            "labels-idx1": struct.pack(">II", 2049, count)
            + bytes(range(count)),
        }
        for kind, content in files.items():
            path = folder / f"{prefix}-{kind}-ubyte"
            sums[path.name] = hashlib.md5(content).hexdigest()
            if packed:
                content = gzip.compress(content, compresslevel=3)
                path = folder / f"{path.name}.gz"
            path.write_bytes(content)
    return sums


def write_cifar(folder: Path) -> dict[str, str]:
    """Two batches and the names; returns file names and checksums."""
    folder.mkdir(parents=True)
    contents: dict[str, dict[str, Any]] = {"batches.meta": {}}
    contents["batches.meta"]["label_names"] = [str(i) for i in range(10)]
    for name, count in (("data_batch_1", 7), ("test_batch", 5)):
        pixels = (torch.arange(count * 3072) % 256).to(torch.uint8)
        contents[name] = {
            "data": pixels.view(count, 3072).numpy(),
            "labels": list(range(count)),
        }
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content))
    return {name: md5(folder / name) for name in contents}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def cifar_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    sums = write_cifar(tmp_path / "cifar-10-batches-py")
    cifar = datasets.CIFAR10
    for attribute, name in (
        ("train_list", "data_batch_1"),
        ("test_list", "test_batch"),
    ):
        monkeypatch.setattr(cifar, attribute, [[name, sums[name]]])
    monkeypatch.setitem(cifar.meta, "md5", sums["batches.meta"])
    return cifar10, tmp_path


@pytest.fixture(params=["mnist", "fashion", "mnist.gz", "cifar10"])
def case(request: pytest.FixtureRequest) -> Case:
    """A loader and a root that holds an intact, tiny data set for it."""
    if request.param == "cifar10":
        found: Case = request.getfixturevalue("cifar_case")
        return found
    tmp_path: Path = request.getfixturevalue("tmp_path")
    patch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    name, _, packed = request.param.partition(".")
    loader, dataset = {
        "mnist": (mnist, "MNIST"),
        "fashion": (fashion, "FashionMNIST"),
    }[name]
    sums = write_mnist(tmp_path / dataset / "raw", packed=bool(packed))
    patch.setitem(UNPACKED, dataset, sums)
    return loader, tmp_path


def files_of(case: Case, split: str) -> list[Path]:
    """The files that a split needs; CIFAR10 is checked as a whole."""
    loader, root = case
    start = "" if loader is cifar10 else {"test": "t10k"}.get(split, split)
    return [path for path in files_below(root) if path.name.startswith(start)]


def files_below(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_intact_data_set_is_read(case: Case, split: str) -> None:
    loader, root = case
    images, labels, masks = loader(split, root)
    count = COUNTS[split]
    channels = 3 if loader is cifar10 else 1
    side = 32 if loader is cifar10 else 28
    assert images.shape == (count, channels, side, side)
    assert images.dtype == torch.float32
    assert images.is_contiguous()
    written = (torch.arange(images.numel()) % 256).view(images.shape)
    torch.testing.assert_close(images * 255, written.float())
    assert torch.equal(labels, torch.arange(count))
    assert masks is None


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_missing_file_is_reported(case: Case, split: str) -> None:
    loader, root = case
    for path in files_of(case, split):
        kept = path.read_bytes()
        path.unlink()
        with pytest.raises(FileNotFoundError) as caught:
            loader(split, root)
        call = f'run {loader.__name__}("{split}", "{root}", download=True)'
        unpacked = path.with_name(path.name.removesuffix(".gz"))
        assert f"{unpacked} is missing" in str(caught.value)
        assert call in str(caught.value)
        path.write_bytes(kept)
    assert loader(split, root).labels.tolist() == list(range(COUNTS[split]))


def test_every_damaged_file_is_reported(case: Case) -> None:
    """Cut short, and of the right length with one bit turned."""
    loader, root = case
    for path in files_of(case, "train"):
        kept = path.read_bytes()
        turned = kept[:-1] + bytes([kept[-1] ^ 1])
        for damaged in (kept[:-3], turned, b""):
            path.write_bytes(damaged)
            with pytest.raises(OSError, match="download=True") as caught:
                loader("train", root)
            assert f"{path} is damaged" in str(caught.value)
            assert path.read_bytes() == damaged
        path.write_bytes(kept)


def test_an_empty_root_stays_empty(case: Case) -> None:
    loader, root = case
    with pytest.raises(FileNotFoundError, match="is missing"):
        loader("train", root / "elsewhere")
    assert not (root / "elsewhere").exists()


@pytest.mark.parametrize("packed", [True, False])
def test_an_intact_copy_stands_in_for_a_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    folder = tmp_path / "MNIST" / "raw"
    sums = write_mnist(folder, packed=packed)
    monkeypatch.setitem(UNPACKED, "MNIST", sums)
    for name in sums:
        (folder / (name if packed else f"{name}.gz")).write_bytes(b"cut")
    assert len(mnist("train", tmp_path).images) == 7


def test_a_split_is_read_though_the_other_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "MNIST" / "raw"
    monkeypatch.setitem(UNPACKED, "MNIST", write_mnist(folder, packed=False))
    (folder / "train-images-idx3-ubyte").unlink()
    assert len(mnist("test", tmp_path).images) == 5


def test_a_missing_data_set_is_fetched_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for torchvision brings good files, then bad ones."""
    sums = write_mnist(tmp_path / "kept", packed=True)
    monkeypatch.setitem(UNPACKED, "MNIST", sums)

    def bring(root: Path, download: bool) -> None:
        assert download
        raw = Path(root, "MNIST", "raw")
        shutil.copytree(tmp_path / "kept", raw, dirs_exist_ok=True)

    monkeypatch.setattr(datasets, "MNIST", bring)
    root = tmp_path / "root"
    stale = root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"stale")
    assert len(mnist("train", root, download=True).images) == 7
    assert not stale.exists()
    (tmp_path / "kept" / "t10k-labels-idx1-ubyte.gz").write_bytes(b"bad")
    shutil.rmtree(root)
    with pytest.raises(OSError, match="is damaged; delete ") as caught:
        mnist("test", root, download=True)
    assert "t10k-labels-idx1-ubyte.gz is damaged" in str(caught.value)
    assert f"delete {stale.parent}, then with" in str(caught.value)


@pytest.mark.parametrize("name", ["data_batch_1", "batches.meta"])
def test_cifar_is_repaired_from_its_archive(
    cifar_case: Case, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    _, root = cifar_case
    archive = root / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(root / "cifar-10-batches-py", "cifar-10-batches-py")
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5(archive))
    (root / "cifar-10-batches-py" / name).write_bytes(b"cut")
    assert len(cifar10("train", root, download=True).images) == 7


def test_a_failed_download_says_what_to_run(case: Case) -> None:
    loader, root = case
    shutil.rmtree(root)
    root.mkdir()
    with pytest.raises(OSError, match="the download failed; with a network"):
        loader("test", root, download=True)


def test_a_download_that_is_still_wrong_is_not_read(
    cifar_case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, root = cifar_case
    folder = root / "cifar-10-batches-py"

    def fetch_wrong_bytes(*_: object, **__: object) -> None:
        (folder / "data_batch_1").write_bytes(b"another file")

    monkeypatch.setattr(
        utils, "download_and_extract_archive", fetch_wrong_bytes
    )
    (folder / "data_batch_1").unlink()
    with pytest.raises(OSError, match="is damaged; delete ") as caught:
        cifar10("train", root, download=True)
    assert f"delete {folder}, then with a network" in str(caught.value)


def test_an_intact_data_set_is_not_downloaded_again(case: Case) -> None:
    loader, root = case
    before = {path: path.stat().st_mtime_ns for path in files_below(root)}
    loader("train", root, download=True)
    after = {path: path.stat().st_mtime_ns for path in files_below(root)}
    assert before == after


def test_an_unknown_split_is_refused(case: Case) -> None:
    loader, root = case
    with pytest.raises(ValueError, match=r"split must be one of.*'all'"):
        loader("all", root)


def test_without_a_root_the_files_of_debian_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sums = write_mnist(tmp_path / "debian", packed=True)
    monkeypatch.setitem(UNPACKED, "FashionMNIST", sums)
    module = sys.modules[fashion.__module__]
    monkeypatch.setattr(module, "DEBIAN_FASHION", tmp_path / "debian")
    assert len(fashion("train").images) == 7
    monkeypatch.setattr(module, "DEBIAN_FASHION", tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError, match="dataset-fashion-mnist"):
        fashion("train")
    with pytest.raises(ValueError, match="root must say where"):
        fashion("train", download=True)


@pytest.mark.parametrize(("split", "each"), [("train", 6000), ("test", 1000)])
def test_fashion_of_debian_is_whole(split: str, each: int) -> None:
    if not DEBIAN_FASHION.is_dir():
        pytest.skip("Debian's dataset-fashion-mnist is not installed")
    images, labels, masks = fashion(split)
    assert images.shape == (10 * each, 1, 28, 28)
    assert images.min() == 0
    assert images.max() == 1
    assert labels.bincount().tolist() == [each] * 10
    assert masks is None


def write_olivetti(folder: Path, faces: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    joblib.dump(faces, folder / "olivetti_py3.pkz", compress=6)


def test_the_faces_of_a_cache_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made-up faces in the form in which scikit-learn keeps the real ones."""
    upright = np.arange(400 * 64 * 64).reshape(400, 64, 64) % 243
    write_olivetti(
        tmp_path, upright.transpose(0, 2, 1).reshape(400, -1).astype(float)
    )
    digest = hashlib.sha256(upright.astype(np.uint8).tobytes()).hexdigest()
    module = sys.modules[olivetti.__module__]
    monkeypatch.setattr(module, "OLIVETTI_SHA256", digest)
    images, labels, masks = olivetti(tmp_path)
    assert images.shape == (400, 1, 64, 64)
    assert images.dtype == torch.float32
    expected = torch.from_numpy(upright).float()[:, None] / 242
    torch.testing.assert_close(images, expected)
    assert labels.bincount().tolist() == [10] * 40
    assert labels[9:11].tolist() == [0, 1]
    assert masks is None


def test_missing_faces_say_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "none"
    with pytest.raises(FileNotFoundError, match="are missing in") as caught:
        olivetti(folder)
    assert f'run olivetti("{folder}", download=True)' in str(caught.value)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(folder))
    with pytest.raises(
        FileNotFoundError, match=r"run olivetti\(download"
    ) as e:
        olivetti()
    assert str(folder) in str(e.value)
    assert not folder.exists()


def test_faces_that_cannot_be_fetched_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(data_home: Path, download_if_missing: bool) -> None:
        assert data_home == tmp_path
        assert download_if_missing
        raise OSError("no network in this test")

    monkeypatch.setattr("sklearn.datasets.fetch_olivetti_faces", unreachable)
    with pytest.raises(OSError, match="the download failed"):
        olivetti(tmp_path, download=True)


@pytest.mark.parametrize("damage", ["other", "cut"])
def test_damaged_faces_are_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "olivetti_py3.pkz"
    write_olivetti(tmp_path, np.arange(400.0 * 4096).reshape(400, 4096))
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(OSError, match="is damaged; delete it") as caught:
        olivetti(tmp_path)
    assert str(path) in str(caught.value)


def test_the_real_faces_are_whole() -> None:
    try:
        images, labels, _ = olivetti()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    assert images.shape == (400, 1, 64, 64)
    assert images.min() == 0
    assert images.max() == 1
    assert labels.max() == 39
