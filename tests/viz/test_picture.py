"""A finished figure: one image, with its text, closed."""

from base64 import b64decode
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from attncourse.viz import figure, heatmap, overlay
from tests.viz.parsing import decode, elements

ALT = 'A map of 3 rows & 5 columns, "peaked"'


def test_every_output_has_the_image_and_its_text():
    bundle = figure(heatmap(torch.rand(3, 5)), alt=ALT)._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/png", "text/plain"}
    for image in elements(bundle["text/html"], "img"):
        assert image.attributes["alt"] == bundle["text/plain"] == ALT
        assert [x.tag for x in image.parents] == ["figure"]
        assert "dark-light" in image.attributes["class"]
        with Image.open(BytesIO(b64decode(bundle["image/png"]))) as png:
            assert png.format == "PNG"
            assert png.mode == "RGB"
            assert png.getpixel((0, 0)) == (255, 255, 255)
            assert png.size == decode(image.attributes["src"]).size


def test_there_is_one_image_for_each_theme_and_without_styles_one():
    html = figure(heatmap(torch.rand(3, 5)), alt=ALT).html
    light, dark = elements(html, "img")
    assert "hidden" in dark.attributes
    assert "hidden" not in light.attributes
    corner = decode(dark.attributes["src"]).convert("RGBA").getpixel((0, 0))
    assert corner[3] == 0


def test_image_has_two_pixels_for_each_pixel_of_the_page():
    html = figure(plt.figure(figsize=(3, 2)), alt=ALT).html
    for image in elements(html, "img"):
        assert decode(image.attributes["src"]).size == (600, 400)
        assert image.attributes["width"] == "300"
        assert image.attributes["height"] == "200"


def test_figure_is_closed_so_that_it_is_not_shown_twice():
    axes = heatmap(torch.rand(3, 5))
    assert plt.get_fignums()
    figure(axes, alt=ALT)
    assert not plt.get_fignums()


def test_caption_is_text():
    html = figure(plt.figure(), alt=ALT, caption="1 < 2").html
    (caption,) = elements(html, "figcaption")
    assert caption.text == "1 < 2"
    assert not elements(figure(plt.figure(), alt=ALT).html, "figcaption")


@pytest.mark.parametrize("alt", ["", "  \n", "figure", "maps/digit_3.png"])
def test_alternative_text_must_say_something(alt):
    with pytest.raises(ValueError, match="a sentence that says what"):
        figure(plt.figure(), alt=alt)


@pytest.mark.usefixtures("as_shipped")
def test_only_figures_can_be_finished():
    with pytest.raises(ValueError, match=r"fig is a str.*Figure or Axes"):
        figure("a figure", alt=ALT)
    with pytest.raises(ValueError, match="alt is None"):
        figure(plt.figure(), alt=None)


def test_plots_keep_their_colours_and_photographs_stay_small():
    plot = figure(heatmap(torch.rand(3, 5)), alt=ALT)
    image, _ = elements(plot.html, "img")
    with Image.open(BytesIO(plot.png)) as png:
        shown = decode(image.attributes["src"]).convert("RGB")
        change = np.abs(np.asarray(shown, "i2") - np.asarray(png, "i2"))
    assert change.max() <= 12
    assert change.mean() < 2
    assert len(image.attributes["src"]) < len(plot.png)
    noise = torch.rand(3, 211, 223, generator=torch.manual_seed(0))
    photo = figure(overlay(noise, torch.rand(3, 5)), alt=ALT)
    assert len(elements(photo.html, "img")[0].attributes["src"]) < (
        len(photo.png) / 2
    )


def test_output_is_the_same_each_time():
    weights = torch.rand(3, 5)
    first, second = (figure(heatmap(weights), alt=ALT) for _ in range(2))
    assert first == second
