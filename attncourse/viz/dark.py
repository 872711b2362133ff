"""The same figure for a dark page."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection, QuadMesh
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Annotation, Text

GROUND: Final = "#121212"
"""What white becomes: the background of the book's dark pages."""

_CONTRAST: Final = 4.5
RGBA = tuple[float, float, float, float]


def darken(fig: Figure) -> None:
    """Recolour a drawn figure, in place, for a dark page.

    Greys are turned over, so that ink becomes light and white becomes the
    page; colours keep their hue and are lightened where they would be too
    dark.  Images, heat maps and what is drawn on top of them stay as they
    are.
    """
    kept = _on_images(fig)
    for artist in fig.findobj():
        if artist not in kept:
            _recolour(artist)


def dark(colour: Any, *, area: bool = False) -> RGBA:
    """Return what a colour becomes on a dark page.

    Parameters
    ----------
    colour
        Any colour of matplotlib.
    area
        Whether it fills an area: pale fills then become dark ones, so that
        the light text on them can be read.
    """
    red, green, blue, alpha = to_rgba(colour)
    rgb = np.array((red, green, blue))
    if np.ptp(rgb) < 0.12:
        grey = 0.9 - 0.934 * (rgb.mean() - 0.133)
        rgb = np.full(3, min(grey, 0.95))
        if grey < 0.1:
            rgb = np.array(to_rgb(GROUND))
    elif area and rgb.min() > 0.6:
        rgb = 0.2 * rgb + 0.8 * np.array(to_rgb(GROUND))
    else:
        while contrast(rgb) < _CONTRAST:
            rgb = 0.95 * rgb + 0.05
    red, green, blue = map(float, rgb)
    return red, green, blue, alpha


def contrast(rgb: Any, ground: Any = GROUND) -> float:
    """Return the contrast of two colours as WCAG defines it."""
    light = sorted(_luminance(np.array(to_rgb(c))) for c in (rgb, ground))
    return (light[1] + 0.05) / (light[0] + 0.05)


def _luminance(rgb: Any) -> float:
    linear = np.where(
        rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4
    )
    return float(linear @ (0.2126, 0.7152, 0.0722))


def _on_images(fig: Figure) -> set[Artist]:
    """Return what is drawn on top of an image or a heat map."""
    return {
        artist
        for ax in fig.axes
        if ax.images or any(isinstance(c, QuadMesh) for c in ax.collections)
        for artist in _drawn_in(ax)
        if _inside(artist, ax)
    }


def _drawn_in(ax: Axes) -> Iterator[Artist]:
    yield from (*ax.lines, *ax.patches, *ax.collections, *ax.texts)


def _inside(artist: Artist, ax: Axes) -> bool:
    box = artist.get_window_extent()
    if not np.isfinite(box.get_points()).all():
        return True  # an outline that is not counted in the limits
    middle = box.get_points().mean(axis=0)
    return bool(ax.bbox.padded(1).contains(*middle))


def _recolour(artist: Artist) -> None:
    if isinstance(artist, Text):
        artist.set_color(dark(artist.get_color()))
        for part in (
            artist.get_bbox_patch(),
            artist.arrow_patch if isinstance(artist, Annotation) else None,
        ):
            if part is not None:
                _recolour(part)
    elif isinstance(artist, Line2D):
        marker = artist.get_markerfacecolor(), artist.get_markeredgecolor()
        artist.set_color(dark(artist.get_color()))
        artist.set_markerfacecolor(dark(marker[0], area=True))
        artist.set_markeredgecolor(dark(marker[1]))
    elif isinstance(artist, Patch):
        face, edge = artist.get_facecolor(), artist.get_edgecolor()
        artist.set_facecolor(dark(face, area=True))
        artist.set_edgecolor(dark(edge))
    elif isinstance(artist, Collection) and artist.get_array() is None:
        faces, edges = artist.get_facecolor(), artist.get_edgecolor()
        artist.set_facecolor([dark(face, area=True) for face in faces])
        artist.set_edgecolor([dark(edge) for edge in edges])
