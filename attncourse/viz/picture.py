"""What a figure becomes in a notebook, in the book and in a PDF."""

import re
from base64 import b64encode
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageColor

from attncourse.viz.dark import GROUND, darken
from attncourse.viz.page import asset
from attncourse.viz.style import course_style

DPI = 200
"""Resolution of saved figures: two pixels for each CSS pixel."""

LARGEST = 1.35
"""How much a wide column may enlarge a figure."""


@dataclass(frozen=True)
class Picture:
    """A finished figure that Jupyter and the book can show."""

    html: str
    png: bytes
    alt: str
    live: Any = field(default=None, repr=False)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = {}
        if self.live is not None:
            bundle |= self.live._repr_mimebundle_()
        return bundle | {
            "text/html": self.html,
            "image/png": b64encode(self.png).decode(),
            "text/plain": self.alt,
        }


@dataclass(frozen=True)
class Frame:
    """One drawn figure: its pixels, and the sources of its HTML images.

    `source` is for a light page, `dark` for a dark one.
    """

    image: Image.Image
    source: str
    dark: str

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in CSS pixels."""
        return self.image.width // 2, self.image.height // 2

    @property
    def png(self) -> bytes:
        """The frame as a file, on white."""
        return _encode(self.image, "PNG", optimize=True)


def figure(
    fig: Figure | Axes, *, alt: str, caption: str | None = None
) -> Picture:
    """Finish a figure: return it with its alternative text, and close it.

    Parameters
    ----------
    fig
        A matplotlib figure, or axes of one.
    alt
        What the figure shows, for a reader who does not see it.  `describe`
        makes it from a map.
    caption
        Text below the figure.

    Raises
    ------
    ValueError
        If `alt` is empty or looks like the name of a file.
    """
    frame = draw_frame(fig)
    text = check_alt(alt)
    html = (
        f'{style("plate.css")}<figure class="plate">'
        f"{image_tags(frame, text)}{caption_tag(caption)}</figure>"
    )
    return Picture(html, frame.png, text)


def style(*names: str) -> str:
    """Return style sheets of this package for an output."""
    return f"<style>{''.join(asset(name) for name in names)}</style>"


def check_alt(alt: str) -> str:
    """Return the alternative text, stripped, or refuse it."""
    text = alt.strip() if isinstance(alt, str) else ""
    if not text or re.fullmatch(r"\S+\.\w{2,4}|\S+", text):
        raise ValueError(
            f"alt is {alt!r}; a sentence that says what the figure shows "
            "is needed"
        )
    return text


def draw_frame(fig: Figure | Axes) -> Frame:
    """Draw a figure at twice the size of the screen, and close it.

    It is drawn for a light page, on white, and for a dark one, without a
    background.
    """
    whole = fig.get_figure(root=True) if isinstance(fig, Axes) else fig
    if not isinstance(whole, Figure):
        raise ValueError(
            f"fig is a {type(fig).__name__}; "
            "a matplotlib Figure or Axes is needed"
        )
    with course_style():
        light = _pixels(whole)
        whole.set_layout_engine("none")
        darken(whole)
        dark = _pixels(whole)
    plt.close(whole)
    return Frame(light, _source(light), _source(dark, clear=GROUND))


def _pixels(fig: Figure) -> Image.Image:
    raw = BytesIO()
    fig.savefig(
        raw,
        format="png",
        dpi=DPI,
        facecolor=fig.get_facecolor(),
        pil_kwargs={"compress_level": 0},
    )
    with Image.open(raw) as drawn:
        return drawn.convert("RGB")


def image_tags(frame: Frame, alt: str) -> str:
    """Return the HTML images of a frame, of which a page shows one.

    Without the style sheet ``plate.css`` it is the one for a light page.
    """
    width, height = frame.size
    shown = (
        f'alt="{escape(alt)}" width="{width}" height="{height}" '
        f'style="width:100%;max-width:{LARGEST * width:.0f}px;height:auto"'
    )
    return (
        f'<img class="plate-light dark-light" src="{frame.source}" {shown}>'
        f'<img class="plate-dark dark-light" src="{frame.dark}" {shown} '
        "hidden>"
    )


def caption_tag(caption: str | None) -> str:
    """Return the HTML of a caption, or nothing."""
    if caption is None:
        return ""
    return f"<figcaption>{escape(caption)}</figcaption>"


def _source(image: Image.Image, clear: str = "") -> str:
    """Return an image as a data URI; `clear` is a colour to see through."""
    pixels = np.asarray(image)
    kept = _few_colours(image)
    kept = image if kept is None else kept
    if clear:
        ground = np.array(ImageColor.getrgb(clear))
        drawn = (pixels != ground).any(axis=-1)
        kept.putalpha(Image.fromarray(np.where(drawn, 255, 0).astype("u1")))
    data = _smaller(kept)
    return f"data:image/webp;base64,{b64encode(data).decode()}"


def _few_colours(image: Image.Image) -> Image.Image | None:
    """Return a plot in 256 colours, which halves it; None for photographs.

    No pixel may change by more than one twentieth of the scale.
    """
    few = image.quantize(
        256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    )
    few = few.convert("RGB")
    change = np.abs(np.asarray(few, "i2") - np.asarray(image, "i2"))
    return few if change.max() <= 12 else None


def _smaller(image: Image.Image) -> bytes:
    """Return plots without loss, and photographs at a fraction of that."""
    exact, lossy = _webp(image), _encode(image, "WEBP", quality=75, method=4)
    return exact if len(exact) < 1.5 * len(lossy) else lossy


def _webp(image: Image.Image) -> bytes:
    return _encode(image, "WEBP", lossless=True, quality=60, method=3)


def _encode(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
