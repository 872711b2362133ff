import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch

from attncourse.data import faces


def test_a_hundred_faces_and_a_hundred_patches() -> None:
    images, labels, masks = scenes = faces()
    assert images.shape == (200, 1, 25, 25)
    assert images.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() <= 1
    assert labels.tolist() == [1] * 100 + [0] * 100
    assert masks is None
    assert scenes.sources is None
    shown = skimage.data.lfw_subset().astype(np.float32)
    assert np.array_equal(images[:, 0].numpy(), shown)


def test_without_scikit_image_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ModuleNotFoundError, match="pip install scikit-image"):
        faces()


@pytest.mark.parametrize(
    ("content", "message"), [(None, "is missing"), (b"cut", "is damaged")]
)
def test_a_file_that_is_not_as_it_was_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    content: bytes | None,
    message: str,
) -> None:
    path = tmp_path / "data" / "lfw_subset.npy"
    path.parent.mkdir()
    if content:
        path.write_bytes(content)
    module = sys.modules[faces.__module__]
    monkeypatch.setattr(module, "package_folder", lambda *_: tmp_path)
    with pytest.raises(OSError, match=message) as caught:
        faces()
    assert str(path) in str(caught.value)
    assert "--no-deps scikit-image" in str(caught.value)
