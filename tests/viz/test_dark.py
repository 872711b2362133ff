"""Figures for dark pages: what is read can be read, pictures stay."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb, to_rgba

from attncourse.viz import INK, PALETTE, course_style, overlay
from attncourse.viz.dark import GROUND, contrast, dark, darken


@pytest.mark.parametrize("colour", [*PALETTE, "black", "grey", "#555555"])
def test_lines_and_text_can_be_read_on_dark(colour):
    assert contrast(dark(colour)[:3]) >= 4.5


def test_greys_are_turned_over_and_hues_stay():
    assert to_rgb(dark("white")[:3]) == to_rgb(GROUND)
    assert contrast(dark("#dddddd")[:3]) < 2
    for colour in PALETTE[:-1]:
        before, after = np.array(to_rgb(colour)), np.array(dark(colour)[:3])
        assert np.argsort(before).tolist() == np.argsort(after).tolist()
    assert dark(to_rgba(INK, 0.3))[3] == 0.3


def test_light_text_can_be_read_on_pale_fills():
    text = dark(INK)[:3]
    for fill in ("#fbeccc", "#dcebf5", "white", "#eeeeee"):
        assert contrast(text, dark(fill, area=True)[:3]) > 7


def test_a_drawn_figure_is_recoloured():
    with course_style():
        fig, ax = plt.subplots()
        (line,) = ax.plot([1, 2], color="black", marker="o", mfc="white")
        note = ax.annotate(
            "note",
            (0, 1),
            (1, 1),
            bbox={"facecolor": "white"},
            arrowprops={"arrowstyle": "->"},
        )
        fig.draw_without_rendering()
    darken(fig)
    ink = dark("black")
    assert line.get_color() == note.arrow_patch.get_edgecolor() == ink
    assert to_rgb(line.get_markerfacecolor()) == to_rgb(GROUND)
    assert to_rgb(note.get_bbox_patch().get_facecolor()) == to_rgb(GROUND)
    label = ax.get_xticklabels()[0]
    assert contrast(label.get_color()) > 10
    for patch in (fig.patch, ax.patch):
        assert to_rgb(patch.get_facecolor()) == to_rgb(GROUND)


def test_images_and_what_is_drawn_on_them_stay():
    mask = torch.zeros(1, 8, 8, dtype=torch.bool)
    mask[0, 2:4, 3:5] = True
    ax = overlay(
        torch.rand(1, 8, 8), torch.rand(4, 4), mask=mask, title="Title"
    )
    inside = ax.text(4, 4, "on it", color="white")
    outside = ax.text(-9, 4, "beside", color=INK)
    (outline,) = ax.collections
    before = outline.get_colors().copy()
    pixels = [image.get_array().copy() for image in ax.images]
    ax.figure.draw_without_rendering()
    darken(ax.figure)
    assert inside.get_color() == "white"
    np.testing.assert_array_equal(outline.get_colors(), before)
    for image, kept in zip(ax.images, pixels, strict=True):
        np.testing.assert_array_equal(image.get_array(), kept)
    assert contrast(outside.get_color()) > 10
    title = ax.title, ax._left_title
    assert all(contrast(text.get_color()) > 10 for text in title)
