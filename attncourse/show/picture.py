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
    """One drawn figure: its pixels as bytes of an image file."""

    png: bytes
    source: str
    width: int
    height: int


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
    label = ""
    if caption is not None:
        label = f"<figcaption>{escape(caption)}</figcaption>"
    html = f'<figure class="plate">{image_tag(frame, text)}{label}</figure>'
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
    whole.savefig(raw, format="png", dpi=DPI, pil_kwargs={"compress_level": 0})
    plt.close(whole)
    with Image.open(raw) as drawn:
        image = drawn.convert("RGB")
    png = _encode(image.quantize(256, dither=Image.Dither.NONE), "PNG")
    webp = _encode(image, "WEBP")
    kind, data = min(("png", png), ("webp", webp), key=lambda x: len(x[1]))
    return Frame(
        png,
        f"data:image/{kind};base64,{b64encode(data).decode()}",
        image.width // 2,
        image.height // 2,
    )


def image_tag(frame: Frame, alt: str) -> str:
    """Return the HTML image of a frame, on a white card in any theme."""
    return (
        f'<img class="dark-light" src="{frame.source}" '
        f'alt="{escape(alt)}" width="{frame.width}" height="{frame.height}" '
        'loading="lazy" decoding="async" style="max-width:100%;height:auto;'
        'background:#fff;border-radius:6px">'
    )


def _encode(image: Image.Image, kind: str) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, optimize=True, quality=75, method=4)
    return buffer.getvalue()
