"""Colours that can be told apart and read."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb

from attncourse.viz import (
    INK,
    PALETTE,
    WEIGHTS_CMAP,
    WIDTH,
    course_style,
    use_course_style,
)


def luminance(colour):
    rgb = np.array(to_rgb(colour))
    linear = np.where(
        rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4
    )
    return linear @ [0.2126, 0.7152, 0.0722]


def test_text_has_contrast_and_lines_differ():
    assert 1.05 / (luminance(INK) + 0.05) > 7
    assert len(set(PALETTE)) == len(PALETTE)


def test_colour_map_grows_lighter_all_the_way():
    colours = plt.get_cmap(WEIGHTS_CMAP)(np.linspace(0, 1, 64))
    light = [luminance(colour) for colour in colours]
    assert np.all(np.diff(light) > 0)


def test_context_ends_and_the_explicit_call_stays():
    before = dict(plt.rcParams)
    with course_style():
        assert plt.rcParams["figure.figsize"][0] == WIDTH
    assert dict(plt.rcParams) == before
    with plt.rc_context():
        use_course_style()
        assert plt.rcParams["figure.figsize"][0] == WIDTH
    assert dict(plt.rcParams) == before


def test_a_figure_fills_a_phone_without_tiny_text():
    with course_style():
        points = plt.rcParams["xtick.labelsize"]
    on_page = points / 72 * 100
    assert on_page * 342 / (100 * WIDTH) > 9
