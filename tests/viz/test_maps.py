"""Maps and overlays: the right position, the right colour."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb

from attncourse.viz import MASK_COLOUR, heatmap, overlay


def border(ax):
    """Return the outline of the mask in data coordinates."""
    (lines,) = [x for x in ax.collections if isinstance(x, LineCollection)]
    np.testing.assert_allclose(lines.get_colors()[0][:3], to_rgb(MASK_COLOUR))
    return np.array(lines.get_segments())


def test_heatmap_shows_the_weights_of_a_map_that_is_not_square():
    weights = torch.rand(1, 3, 5)
    ax = heatmap(weights, title="three by five")
    (image,) = ax.images
    np.testing.assert_allclose(image.get_array(), weights[0])
    assert image.get_clim() == (0, weights.max().item())
    assert image.get_extent() == [-0.5, 4.5, 2.5, -0.5]
    assert ax.get_title(loc="left") == "three by five"


def test_heatmap_draws_on_the_given_axes_and_states_its_scale_on_demand():
    figure, axes = plt.subplots(1, 2)
    assert heatmap(torch.rand(3, 5), ax=axes[0], scale=False) is axes[0]
    assert len(figure.axes) == 2
    heatmap(torch.rand(3, 5), ax=axes[1])
    assert len(figure.axes) == 3
    assert not axes[1].get_images()[0].get_clim()[0]


def test_a_weight_beyond_the_scale_is_marked():
    bars = [
        heatmap(torch.full((3, 5), 0.5), vmax=vmax).images[0].colorbar
        for vmax in (0.4, 0.5)
    ]
    assert [bar.extend for bar in bars] == ["max", "neither"]
    assert bars[0].vmax == 0.4


def test_a_map_of_zeros_has_a_scale():
    assert heatmap(torch.zeros(3, 5)).images[0].get_clim() == (0, 1)


@pytest.mark.parametrize("vmax", [0.0, -1.0, float("nan"), float("inf")])
def test_vmax_must_be_positive(vmax):
    with pytest.raises(ValueError, match=rf"vmax is {vmax}; a positive"):
        heatmap(torch.rand(3, 5), vmax=vmax)


def test_the_mask_is_outlined_on_its_pixels_whatever_its_resolution():
    mask = torch.zeros(6, 10, dtype=torch.bool)
    mask[1:4, 2:7] = True
    segments = border(heatmap(torch.rand(3, 5), mask=mask))
    assert len(segments) == 2 * (3 + 5)
    np.testing.assert_allclose(segments.min((0, 1)), (2 / 2 - 0.5, 0.0))
    np.testing.assert_allclose(segments.max((0, 1)), (7 / 2 - 0.5, 1.5))


def test_an_empty_mask_draws_no_outline():
    ax = heatmap(torch.rand(3, 5), mask=torch.zeros(6, 10, dtype=torch.bool))
    assert not ax.collections


def test_overlay_covers_exactly_the_image():
    ax = overlay(torch.rand(3, 11, 17), torch.rand(3, 5))
    image, weights = ax.images
    assert list(image.get_extent()) == list(weights.get_extent())
    assert list(image.get_extent()) == [-0.5, 16.5, 10.5, -0.5]
    assert image.get_array().shape == (11, 17)
    assert weights.get_array().shape == (3, 5)


def test_overlay_colours_the_pixels_of_the_weight():
    weights = torch.zeros(2, 3)
    weights[1, 2] = 1
    figure = plt.figure(figsize=(0.6, 0.4), dpi=100)
    ax = figure.add_axes((0, 0, 1, 1))
    overlay(torch.zeros(1, 4, 6), weights, ax=ax, scale=False)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    coloured = np.ptp(pixels.astype(int), axis=-1) > 20
    expected = np.zeros((40, 60), dtype=bool)
    expected[20:, 40:] = True
    np.testing.assert_array_equal(coloured, expected)


def test_smooth_overlay_has_no_half_pixel_shift():
    weights = torch.zeros(5, 7)
    weights[1, 4] = 1
    ax = overlay(torch.rand(1, 15, 21), weights, smooth=True)
    drawn = np.asarray(ax.images[1].get_array())
    rows, columns = np.indices(drawn.shape)
    assert (rows * drawn).sum() / drawn.sum() == pytest.approx(3 * 1 + 1)
    assert (columns * drawn).sum() / drawn.sum() == pytest.approx(3 * 4 + 1)


def test_overlay_shows_the_image_in_grey_and_covers_it_by_weight():
    image = torch.zeros(3, 2, 2)
    image[0] = 1
    ax = overlay(image, torch.tensor([[0.0, 0.25], [0.5, 1.0]]))
    grey, weights = ax.images
    np.testing.assert_allclose(grey.get_array(), 0.2 + 0.7 * 0.2126)
    alpha = weights.get_alpha()
    assert alpha[0, 0] == 0
    assert 0 < alpha[0, 1] < alpha[1, 0] < alpha[1, 1] < 1


def test_overlay_outlines_the_mask_in_pixels_of_the_image():
    mask = torch.zeros(1, 4, 6, dtype=torch.bool)
    mask[0, 2, 3] = True
    ax = overlay(torch.rand(1, 8, 12), torch.rand(3, 5), mask=mask)
    segments = border(ax)
    np.testing.assert_allclose(segments.min((0, 1)), (5.5, 3.5))
    np.testing.assert_allclose(segments.max((0, 1)), (7.5, 5.5))


def test_drawing_changes_no_setting_and_no_input():
    before = dict(plt.rcParams)
    weights = torch.rand(3, 5)
    copy = weights.clone()
    overlay(torch.rand(1, 11, 17), weights, smooth=True)
    assert dict(plt.rcParams) == before
    assert torch.equal(weights, copy)
