"""Figures: maps, overlays, explorable figures, and the package's code."""

from attncourse.viz.description import describe
from attncourse.viz.diagrams import Block, Side, diagram
from attncourse.viz.explorable import explore
from attncourse.viz.folding import folded
from attncourse.viz.maps import heatmap, overlay
from attncourse.viz.panels import panels
from attncourse.viz.picture import Picture, figure
from attncourse.viz.prose import stated
from attncourse.viz.source_code import Source, Versions, source, versions
from attncourse.viz.style import (
    BLUE,
    GREEN,
    INK,
    MASK_COLOUR,
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
from attncourse.viz.trials import seeds, table

__all__ = [
    "BLUE",
    "GREEN",
    "INK",
    "MASK_COLOUR",
    "ORANGE",
    "PALETTE",
    "PURPLE",
    "SKY",
    "VERMILLION",
    "WEIGHTS_CMAP",
    "WIDTH",
    "Block",
    "Picture",
    "Side",
    "Source",
    "Versions",
    "course_style",
    "describe",
    "diagram",
    "explore",
    "figure",
    "folded",
    "heatmap",
    "overlay",
    "panels",
    "seeds",
    "source",
    "stated",
    "table",
    "use_course_style",
    "versions",
]
