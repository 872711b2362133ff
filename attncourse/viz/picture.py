"""What a figure becomes in a notebook, in the book and in a PDF."""

import re
from base64 import b64encode
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from attncourse.viz.page import asset
from attncourse.viz.style import course_style

DPI = 200
"""Resolution of saved figures: two pixels for each CSS pixel."""


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
    """One drawn figure, and its pixels as the source of an HTML image."""

    image: Image.Image
    source: str

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in CSS pixels."""
        return self.image.width // 2, self.image.height // 2

    @property
    def png(self) -> bytes:
        """The frame as a file for a PDF."""
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
        f"<style>{asset('plate.css')}</style>"
        f'<figure class="plate">{image_tag(frame, text)}'
        f"{caption_tag(caption)}</figure>"
    )
    return Picture(html, frame.png, text)


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
    """Draw a figure at twice the size of the screen, and close it."""
    whole = fig.get_figure(root=True) if isinstance(fig, Axes) else fig
    if not isinstance(whole, Figure):
        raise ValueError(
            f"fig is a {type(fig).__name__}; "
            "a matplotlib Figure or Axes is needed"
        )
    raw = BytesIO()
    with course_style():
        whole.savefig(
            raw, format="png", dpi=DPI, pil_kwargs={"compress_level": 0}
        )
    plt.close(whole)
    with Image.open(raw) as drawn:
        image = drawn.convert("RGB")
    data = _compress(image)
    return Frame(image, f"data:image/webp;base64,{b64encode(data).decode()}")


def image_tag(frame: Frame, alt: str) -> str:
    """Return the HTML image of a frame, on a white card in any theme."""
    width, height = frame.size
    return (
        f'<img class="dark-light" src="{frame.source}" '
        f'alt="{escape(alt)}" width="{width}" height="{height}" '
        'style="max-width:100%;height:auto;background:#fff;'
        'border-radius:6px">'
    )


def caption_tag(caption: str | None) -> str:
    """Return the HTML of a caption, or nothing."""
    if caption is None:
        return ""
    return f"<figcaption>{escape(caption)}</figcaption>"


def _compress(image: Image.Image) -> bytes:
    """Return plots without loss, and photographs at a fraction of that."""
    exact = _encode(image, "WEBP", lossless=True, quality=60, method=3)
    lossy = _encode(image, "WEBP", quality=75, method=4)
    return exact if len(exact) < 1.5 * len(lossy) else lossy


def _encode(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
