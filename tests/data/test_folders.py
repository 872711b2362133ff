from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from attncourse import trials
from attncourse.data import images
from attncourse.models import AttentionCNN


def paint(path: Path, size: tuple[int, int], level: int, mode: str) -> None:
    """An image of one level, (height, width) = size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = level if mode in ("L", "1") else (level, 0, 255 - level)
    Image.new(mode, size[::-1], colour).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two dogs and a cat, 6 x 4, grey."""
    paint(tmp_path / "dog" / "b.png", (6, 4), 20, "L")
    paint(tmp_path / "dog" / "a.png", (6, 4), 10, "L")
    paint(tmp_path / "cat" / "c.PNG", (6, 4), 30, "L")
    return tmp_path


def levels(pixels: torch.Tensor) -> list[int]:
    return (pixels[:, 0, 0, 0] * 255).round().int().tolist()


def test_classes_and_images_in_the_order_of_their_names(folder: Path) -> None:
    pixels, labels, masks = scenes = images(folder)
    assert pixels.shape == (3, 1, 6, 4)
    assert pixels.dtype == torch.float32
    assert levels(pixels) == [30, 10, 20]
    assert labels.tolist() == [0, 1, 1]
    assert labels.dtype == torch.int64
    assert masks is None
    assert scenes.sources is None
    assert torch.equal(images(str(folder)).images, pixels)


def test_one_image_in_colour_makes_three_channels(folder: Path) -> None:
    paint(folder / "dog" / "z.jpeg", (6, 4), 255, "RGB")
    pixels = images(folder).images
    assert pixels.shape == (4, 3, 6, 4)
    assert levels(pixels)[:3] == [30, 10, 20]
    assert pixels[3, 0].min() > 0.9
    assert pixels[3, 2].max() < 0.1
    assert torch.equal(pixels[0, 0], pixels[0, 2])


def test_palettes_and_transparency_become_colours(folder: Path) -> None:
    for path in list(folder.glob("*/*")):
        path.unlink()
    Image.new("RGBA", (4, 6), (50, 60, 70, 80)).save(folder / "cat/a.png")
    Image.new("RGB", (4, 6), (50, 60, 70)).convert("P").save(
        folder / "dog/b.png"
    )
    pixels = images(folder).images
    assert pixels.shape == (2, 3, 6, 4)
    first = (pixels[0, :, 0, 0] * 255).round().tolist()
    assert first == [50, 60, 70]


def test_sixteen_bits_become_eight(folder: Path) -> None:
    deep = np.full((6, 4), 65535, np.uint16)
    deep[0] = 257 * 10
    Image.fromarray(deep).save(folder / "cat" / "deep.png")
    shown = images(folder).images[1, 0] * 255
    assert shown[0].round().unique().tolist() == [10]
    assert shown[1:].unique().tolist() == [255]


def test_a_photograph_is_turned_upright(folder: Path) -> None:
    turned = Image.new("L", (6, 4), 40)
    tags = Image.Exif()
    tags[0x0112] = 6
    turned.save(folder / "cat" / "a.jpg", exif=tags)
    assert images(folder).images.shape == (4, 1, 6, 4)


def test_hidden_and_other_files_are_passed_over(folder: Path) -> None:
    (folder / "notes.txt").write_text("of the photographer")
    (folder / ".cache").mkdir()
    (folder / "dog" / "notes.txt").write_text("of the dog")
    (folder / "dog" / ".hidden.png").write_bytes(b"no image")
    assert len(images(folder).labels) == 3


def test_masks_lie_beside_their_images(folder: Path) -> None:
    for path in list(folder.glob("*/*")):
        mask = np.zeros((6, 4), np.uint8)
        mask[:2] = 255 if path.stem == "a" else 1
        Image.fromarray(mask).save(path.with_name(f"{path.stem}.mask.png"))
    scenes = images(folder)
    assert scenes.masks is not None
    assert scenes.masks.shape == (3, 1, 6, 4)
    assert scenes.masks.dtype == torch.bool
    assert scenes.masks[:, :, :2].all()
    assert not scenes.masks[:, :, 2:].any()
    larger = images(folder, size=(12, 4)).masks
    assert larger is not None
    assert larger[:, :, :4].all()
    assert not larger[:, :, 4:].any()


def test_a_size_brings_all_to_one(folder: Path) -> None:
    paint(folder / "cat" / "large.png", (50, 70), 30, "L")
    assert images(folder, size=8).images.shape == (4, 1, 8, 8)
    pixels = images(folder, size=(5, 9)).images
    assert pixels.shape == (4, 1, 5, 9)
    assert levels(pixels) == [30, 30, 10, 20]


def test_smaller_images_are_averages(tmp_path: Path) -> None:
    stripes = np.zeros((64, 64), np.uint8)
    stripes[::2] = 255
    (tmp_path / "one").mkdir()
    Image.fromarray(stripes).save(tmp_path / "one" / "stripes.png")
    small = images(tmp_path, size=8).images
    assert (small - 0.5).abs().max() < 0.05


def test_a_trial_runs_on_a_folder(folder: Path) -> None:
    for path in list(folder.glob("*/*")):
        paint(path.with_name(f"{path.stem}.mask.png"), (6, 4), 255, "L")
    scenes = images(folder, size=16)
    model = AttentionCNN(classes=2)
    trials.fit(model, scenes, epochs=2, batch_size=2, progress=False)
    metrics = trials.evaluate(model, scenes)
    assert metrics["mass"] == pytest.approx(1, abs=1e-5)
    assert 0 <= metrics["accuracy"] <= 1


def test_other_sizes_need_a_size(folder: Path) -> None:
    paint(folder / "dog" / "large.png", (50, 70), 30, "L")
    with pytest.raises(ValueError, match="size must be given") as caught:
        images(folder)
    assert "c.PNG is 6 x 4" in str(caught.value)
    assert "large.png 50 x 70" in str(caught.value)
    with pytest.raises(ValueError, match="size must be at least 1, got 0"):
        images(folder, size=0)


def test_all_bad_files_are_named(folder: Path) -> None:
    whole = (folder / "dog" / "a.png").read_bytes()
    (folder / "dog" / "a.png").write_bytes(whole[:50])
    (folder / "cat" / "c.PNG").write_bytes(b"no image")
    with pytest.raises(OSError, match="cannot be read as images") as caught:
        images(folder)
    for name in "a.png", "c.PNG":
        assert name in str(caught.value)
    assert "b.png" not in str(caught.value)
    for number in range(7):
        (folder / "cat" / f"{number}.png").write_bytes(b"")
    with pytest.raises(OSError, match="and 4 more cannot be read"):
        images(folder)


def test_masks_for_some_images_are_not_enough(folder: Path) -> None:
    paint(folder / "dog" / "a.mask.png", (6, 4), 255, "L")
    with pytest.raises(ValueError, match="either all images need a mask") as e:
        images(folder)
    assert "b.png" in str(e.value)
    assert "a.png" not in str(e.value)


def test_a_mask_is_as_large_as_its_image(folder: Path) -> None:
    for path in list(folder.glob("*/*")):
        height = 7 if path.stem == "b" else 6
        paint(path.with_name(f"{path.stem}.mask.png"), (height, 4), 9, "L")
    with pytest.raises(ValueError, match=r"b\.mask\.png must be") as caught:
        images(folder, size=8)
    assert "6 x 4, got 7 x 4" in str(caught.value)


def test_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="folder must exist"):
        images(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="a subfolder for each class"):
        images(tmp_path)
    (tmp_path / "cat").mkdir()
    with pytest.raises(FileNotFoundError, match="each class needs an image"):
        images(tmp_path)
