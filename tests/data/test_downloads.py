"""The loaders on small fabricated files; no test here uses the network."""

import gzip
import hashlib
import pickle
import shutil
import socket
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision import datasets
from torchvision.datasets import utils

from attncourse.data import Scenes, cifar10, fashion_mnist, mnist

COUNTS = {"train": 7, "test": 5}
Loader = Callable[..., Scenes]
Case = tuple[Loader, Path]


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def write_mnist(folder: Path) -> list[tuple[str, str]]:
    """Four archives and what they hold; returns names and checksums."""
    folder.mkdir(parents=True)
    resources = []
    for prefix, count in (("train", 7), ("t10k", 5)):
        pixels = torch.arange(count * 28 * 28) % 256
        files = {
            "images-idx3": struct.pack(">IIII", 2051, count, 28, 28)
            + bytes(pixels.tolist()),
            "labels-idx1": struct.pack(">II", 2049, count)
            + bytes(range(count)),
        }
        for kind, content in files.items():
            raw = folder / f"{prefix}-{kind}-ubyte"
            raw.write_bytes(content)
            archive = folder / f"{raw.name}.gz"
            archive.write_bytes(gzip.compress(content, mtime=0))
            resources.append((archive.name, md5(archive)))
    return resources


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


@pytest.fixture(params=["mnist", "fashion_mnist", "cifar10"])
def case(request: pytest.FixtureRequest) -> Case:
    """A loader and a root that holds an intact, tiny data set for it."""
    if request.param == "cifar10":
        found: Case = request.getfixturevalue("cifar_case")
        return found
    tmp_path: Path = request.getfixturevalue("tmp_path")
    patch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    loader, dataset = {
        "mnist": (mnist, datasets.MNIST),
        "fashion_mnist": (fashion_mnist, datasets.FashionMNIST),
    }[request.param]
    resources = write_mnist(tmp_path / dataset.__name__ / "raw")
    patch.setattr(dataset, "resources", resources)
    return loader, tmp_path


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
    for path in files_below(root):
        kept = path.read_bytes()
        path.unlink()
        with pytest.raises(FileNotFoundError) as caught:
            loader(split, root)
        call = f'run {loader.__name__}("{split}", "{root}", download=True)'
        assert f"{path} is missing" in str(caught.value)
        assert call in str(caught.value)
        path.write_bytes(kept)
    assert loader(split, root).labels.tolist() == list(range(COUNTS[split]))


def test_every_damaged_file_is_reported(case: Case) -> None:
    """Cut short, and of the right length with one bit turned."""
    loader, root = case
    for path in files_below(root):
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


def test_a_cut_extraction_is_repaired_from_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archives are intact, so even download=True asks for nothing."""
    resources = write_mnist(tmp_path / "MNIST" / "raw")
    monkeypatch.setattr(datasets.MNIST, "resources", resources)
    raw = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    kept = raw.read_bytes()
    raw.write_bytes(kept[:100])
    assert len(mnist("train", tmp_path, download=True).images) == 7
    assert raw.read_bytes() == kept


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
