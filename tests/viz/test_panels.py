"""Rows of images and maps with one scale."""

import numpy as np
import pytest
import torch

from attncourse.viz import panels

IMAGES = torch.rand(3, 1, 11, 17, generator=torch.manual_seed(0))
SOFT = torch.rand(3, 1, 2, 5, generator=torch.manual_seed(1))
MAPS = {"soft": SOFT, "hard": 3 * SOFT}


def test_every_image_has_every_map_on_one_scale():
    masks = torch.rand(3, 1, 11, 17) > 0.5
    figure = panels(
        IMAGES,
        MAPS,
        masks=masks,
        titles=["a", "b", "c"],
        scores={"hard": ["1 %", "2 %", "3 %"]},
    )
    cells = figure.axes[:9]
    assert [x.get_title() for x in cells[:3]] == ["a", "b", "c"]
    assert [x.get_xlabel() for x in cells[6:]] == ["1 %", "2 %", "3 %"]
    assert [x.get_ylabel() for x in cells[::3]] == ["", "soft", "hard"]
    top = MAPS["hard"].max().item()
    for cell in cells[3:]:
        assert cell.images[0].get_clim() == (0, pytest.approx(top))
        assert len(cell.collections) == 1
    for cell, weights in zip(cells[3:6], SOFT, strict=True):
        np.testing.assert_allclose(cell.images[0].get_array(), weights[0])
    assert len(figure.axes) == 10
    assert figure.axes[9].get_xlabel() == "weight"


def test_maps_have_the_outline_of_their_image():
    figure = panels(IMAGES, MAPS)
    figure.canvas.draw()
    image, *_, map_ = (x.get_window_extent() for x in figure.axes[:9])
    assert image.height / image.width == pytest.approx(11 / 17, rel=1e-3)
    assert map_.height / map_.width == pytest.approx(11 / 17, rel=1e-3)


@pytest.mark.usefixtures("as_shipped")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"maps": {}}, "3 images and maps 0 rows"),
        ({"images": torch.rand(7, 1, 11, 17)}, "7 images"),
        ({"titles": ["a"]}, "titles has 1 entries; one for each of the 3"),
        ({"maps": {"soft": SOFT[:2]}}, r"maps\['soft'\] has 2 entries"),
        ({"scores": {"soft": ["1"]}}, r"scores\['soft'\] has 1 entries"),
        ({"scores": {"none": ["1"] * 3}}, "scores has a row 'none'"),
    ],
)
def test_counts_must_agree(arguments, message):
    with pytest.raises(ValueError, match=message):
        panels(**({"images": IMAGES, "maps": MAPS} | arguments))
