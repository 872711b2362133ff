import hashlib
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from PIL import Image

from attncourse.data import solar_cell_facts, solar_cells
from attncourse.data.solar_cells import CELLS, SOLAR_SPLITS

MODULE = sys.modules[solar_cells.__module__]
COUNTS = {"all": 2624, "train": 1442, "validation": 420, "test": 762}
SIZE = 24

needs_cells = pytest.mark.skipif(
    find_spec("elpv_dataset") is None, reason="elpv-dataset is not installed"
)


@needs_cells
@pytest.mark.slow
@pytest.mark.parametrize(("split", "count"), COUNTS.items())
def test_a_split_has_its_cells(split: str, count: int) -> None:
    images, labels, masks = scenes = solar_cells(split, SIZE)
    facts = solar_cell_facts(split)
    assert images.shape == (count, 1, SIZE, SIZE)
    assert images.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() <= 1
    assert torch.equal(labels, (facts.probability > 0.5).long())
    assert masks is None
    assert torch.equal(scenes.sources, facts.module)


@needs_cells
def test_what_the_makers_say_of_the_cells() -> None:
    facts = solar_cell_facts()
    values, counts = facts.probability.unique(return_counts=True)
    torch.testing.assert_close(values * 3, torch.arange(4.0))
    assert counts.tolist() == [1508, 295, 106, 715]
    assert facts.mono.sum() == 1074


@needs_cells
def test_a_module_is_of_one_type_and_there_are_as_many_as_published() -> None:
    facts = solar_cell_facts()
    cells = facts.module.bincount()
    mono = facts.module.bincount(facts.mono.float())
    assert cells.tolist() == list(CELLS)
    assert ((mono == 0) | (mono == cells)).all()
    assert [(mono == 0).sum(), (mono > 0).sum()] == [26, 18]


@needs_cells
def test_splits_share_no_module_and_both_types_are_in_each() -> None:
    parts = [solar_cell_facts(s) for s in ("train", "validation", "test")]
    modules = [set(part.module.tolist()) for part in parts]
    assert [len(one) for one in modules] == [24, 7, 13]
    assert len(set.union(*modules)) == 44
    for part in parts:
        assert 0.3 < part.mono.float().mean() < 0.5


@needs_cells
@pytest.mark.slow
def test_cells_of_a_module_look_alike() -> None:
    """The nearest other cell is of the same module far above chance."""
    scenes = solar_cells("all", SIZE)
    pixels = scenes.images.flatten(1)
    apart = torch.cdist(pixels, pixels).fill_diagonal_(torch.inf)
    nearest = scenes.sources[apart.argmin(1)]
    same = (nearest == scenes.sources).float().mean()
    chance = (scenes.sources.bincount() / 2624).square().sum()
    assert same > 10 * chance


@needs_cells
@pytest.mark.slow
def test_sizes() -> None:
    narrow = solar_cells("validation", (12, 20)).images
    assert narrow.shape == (420, 1, 12, 20)
    side = solar_cells("validation", SIZE).images.mean()
    torch.testing.assert_close(narrow.mean(), side, atol=4e-3, rtol=0)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="size must be at least 1, got 0"):
        solar_cells("all", 0)


@needs_cells
def test_an_unknown_split_is_refused() -> None:
    for load in solar_cells, solar_cell_facts:
        with pytest.raises(ValueError, match=r"split must be one.*'valid'"):
            load("valid")


def test_without_the_package_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "elpv_dataset", None)
    for load in solar_cells, solar_cell_facts:
        with pytest.raises(ModuleNotFoundError) as caught:
            load()
        assert "run pip install elpv-dataset" in str(caught.value)


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of three cells in two modules."""
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    rows, digest = [], hashlib.sha256()
    for number, kind in enumerate(("mono", "mono", "poly")):
        path = folder / "images" / f"cell{number}.png"
        Image.new("L", (300, 300), 100 + number).save(path)
        digest.update(path.read_bytes())
        rows.append(f"images/{path.name}  {number / 2}  {kind}\n")
    table = "".join(rows).encode()
    (folder / "labels.csv").write_bytes(table)
    monkeypatch.setattr(MODULE, "CELLS", (2, 1))
    monkeypatch.setattr(MODULE, "IMAGES_SHA256", digest.hexdigest())
    monkeypatch.setattr(
        MODULE, "TABLE_SHA256", hashlib.sha256(table).hexdigest()
    )
    monkeypatch.setattr(MODULE, "package_folder", lambda *_: tmp_path)
    monkeypatch.setitem(SOLAR_SPLITS, "test", ((0, 1), (1, 2)))
    MODULE._images.cache_clear()
    yield folder
    MODULE._images.cache_clear()


def test_three_cells_are_read_in_their_order(few: Path) -> None:
    scenes = solar_cells("all", 2)
    levels = (scenes.images * 255).round()[:, 0, 0, 0]
    assert levels.tolist() == [100, 101, 102]
    assert scenes.labels.tolist() == [0, 1, 1]
    assert scenes.sources.tolist() == [0, 0, 1]
    assert solar_cells("test", 2).sources.tolist() == [0, 0]
    scenes.images.zero_()
    assert solar_cells("all", 2).images.min() > 0


def test_damaged_and_missing_files_are_named(few: Path) -> None:
    first, last = few / "images" / "cell0.png", few / "labels.csv"
    for path in (first, last):
        kept = path.read_bytes()
        path.write_bytes(b"cut")
        with pytest.raises(OSError, match=f"{path} is damaged"):
            solar_cells("all", 2)
        path.unlink()
        with pytest.raises(FileNotFoundError, match=f"{path} is missing"):
            solar_cells("all", 2)
        path.write_bytes(kept)
    shutil.copy(few / "images" / "cell1.png", first)
    with pytest.raises(OSError, match=f"{few} is damaged.*pip install"):
        solar_cells("all", 2)
