"""Figures: maps, overlays, explorable figures, and the package's code."""

from .description import describe
from .explorable import explore
from .gluing import glue
from .maps import heatmap, overlay
from .panels import panels
from .picture import Picture, figure
from .source_code import Source, source
from .style import (
    BLUE,
    GREEN,
    INK,
    KEY_COLOUR,
    ORANGE,
    PALETTE,
    PURPLE,
    SKY,
    VERMILLION,
    WEIGHTS_CMAP,
    WIDTH,
    course_style,
    use_course_style,
)

__all__ = [
    "BLUE",
    "GREEN",
    "INK",
    "KEY_COLOUR",
    "ORANGE",
    "PALETTE",
    "PURPLE",
    "SKY",
    "VERMILLION",
    "WEIGHTS_CMAP",
    "WIDTH",
    "Picture",
    "Source",
    "course_style",
    "describe",
    "explore",
    "figure",
    "glue",
    "heatmap",
    "overlay",
    "panels",
    "source",
    "use_course_style",
]
