"""Figures: maps, overlays, explorable figures, and the package's code."""

from attncourse.show.description import describe
from attncourse.show.explorable import explore
from attncourse.show.gluing import glue
from attncourse.show.maps import heatmap, overlay
from attncourse.show.panels import panels
from attncourse.show.picture import Picture, figure
from attncourse.show.source_code import Source, source
from attncourse.show.style import (
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
from attncourse.show.trials import (
    glue_difference,
    glue_record,
    glue_verdicts,
    seeds,
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
    "glue_difference",
    "glue_record",
    "glue_verdicts",
    "heatmap",
    "overlay",
    "panels",
    "seeds",
    "source",
    "use_course_style",
]
