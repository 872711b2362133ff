"""One look for every figure of the course.

Colours are those of Okabe and Ito, which people with any of the common
colour-vision deficiencies can tell apart.  Weights have one colour map, so a
colour means the same thing in every lesson.  Figures are drawn on a white
card, narrow enough that their text stays readable on a phone.
"""

from contextlib import AbstractContextManager
from typing import Any, Final

import matplotlib.pyplot as plt
from cycler import cycler

BLUE: Final = "#0072B2"
VERMILLION: Final = "#D55E00"
GREEN: Final = "#009E73"
PURPLE: Final = "#CC79A7"
ORANGE: Final = "#E69F00"
SKY: Final = "#56B4E9"
INK: Final = "#222222"

PALETTE: Final = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, INK)
"""Line colours in the order in which a plot uses them."""

WEIGHTS_CMAP: Final = "plasma"
"""The one colour map of weights: perceptually uniform, dark blue is zero."""

MASK_COLOUR: Final = SKY
"""Outline of the ground-truth mask; it occurs nowhere in the colour map."""

WIDTH: Final = 5.2
"""Width of a figure in inches: 520 CSS pixels, shown as wide as the column.

A column of 700 pixels enlarges it by 1.35, and on a phone of 390 pixels its
smallest type is still 9 pixels high.
"""

_SETTINGS: Final[Any] = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.prop_cycle": cycler(color=PALETTE),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "figure.figsize": (WIDTH, 0.6 * WIDTH),
    "font.size": 10.5,
    "grid.color": "#dddddd",
    "image.cmap": WEIGHTS_CMAP,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "text.color": INK,
    "xtick.color": INK,
    "xtick.labelsize": 10,
    "ytick.color": INK,
    "ytick.labelsize": 10,
}


def course_style() -> AbstractContextManager[None]:
    """Return a context in which matplotlib draws in the course's style.

    `heatmap`, `overlay`, `panels` and `explore` enter it by themselves when
    they make a figure.
    """
    return plt.rc_context(_SETTINGS)


def use_course_style() -> None:
    """Set the course's style for the rest of the session.

    This changes matplotlib's global settings; `course_style` does the same
    for one block only.
    """
    plt.rcParams.update(_SETTINGS)
