import socket
from pathlib import Path

import numpy as np
import pytest
import skimage
import skimage.data
import torch

from attncourse.data import photo, photo_credit, photos
from attncourse.data.photos import PHOTOS


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a photograph must not need the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("name", photos())
def test_a_photograph_is_the_one_scikit_image_shows(name: str) -> None:
    pixels = photo(name)
    expected = getattr(skimage.data, name)()
    assert pixels.dtype == torch.float32
    assert pixels.shape == (3, *expected.shape[:2])
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    assert pixels.is_contiguous()
    if expected.ndim == 2:
        expected = np.stack([expected] * 3, -1)
    assert np.array_equal((pixels * 255).round().permute(1, 2, 0), expected)


@pytest.mark.parametrize("name", photos())
def test_every_photograph_has_maker_and_terms(name: str) -> None:
    credit = photo_credit(name)
    assert credit.endswith(
        (
            "CC0",
            "public domain",
            "no known copyright restrictions",
            "BSD-3-Clause",
        )
    )
    assert len(credit.split(", ")) >= 2


def test_an_unknown_name_is_refused() -> None:
    for function in (photo, photo_credit):
        with pytest.raises(ValueError, match=r"name must be one of.*'lena'"):
            function("lena")


def test_a_missing_file_says_what_to_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(PHOTOS, "coffee", ("tea.png", "nobody"))
    with pytest.raises(FileNotFoundError, match="pip install") as caught:
        photo("coffee")
    assert str(Path(skimage.__file__).parent) in str(caught.value)
