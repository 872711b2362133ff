"""What verdicts and hints look like in a notebook and in the book.

All style is inline, and colours of text are those of the page, so a box
looks the same in JupyterLab and in the book, light or dark.
"""

import re
from html import escape

import matplotlib.pyplot as plt
from torch import Tensor

from attncourse.viz import WEIGHTS_CMAP, WIDTH, course_style
from attncourse.viz.picture import draw_frame, image_tags, style

SIGNED_CMAP = "PuOr_r"  # for values of both signs, pale at zero


def box(title: str, name: str, text: str, colour: str, below: str = "") -> str:
    """Return a box with an edge of this colour; `below` is HTML."""
    return (
        f'<div style="border-left:4px solid {colour};'
        'padding:0.3em 0.9em;margin:0.5em 0">'
        f"<strong>{escape(title)}</strong> "
        f"<code>{escape(name)}</code>"
        f'<div style="margin-top:0.3em">{marked(text)}</div>{below}</div>'
    )


def marked(text: str) -> str:
    """Return the text as HTML, with what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def side_by_side(target: Tensor, yours: Tensor) -> str:
    """Return two maps with one colour scale as an HTML image.

    Returns an empty text where there is nothing to compare: maps that are no
    maps, are empty or are not finite.
    """
    wanted, found = _flat(target), _flat(yours)
    if wanted is None or found is None:
        return ""
    pair = {"target": wanted, "yours": found}
    low = min(float(m.min()) for m in pair.values())
    high = max(float(m.max()) for m in pair.values())
    signed = low < 0
    top = max(-low, high) or 1.0
    with course_style():
        figure, axes = plt.subplots(
            1, 2, figsize=(WIDTH, 2.1), layout="compressed"
        )
        for ax, (name, values) in zip(axes, pair.items(), strict=True):
            drawn = ax.imshow(
                values.numpy(),
                cmap=SIGNED_CMAP if signed else WEIGHTS_CMAP,
                vmin=-top if signed else 0,
                vmax=top,
            )
            ax.set(title=name, xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        figure.colorbar(drawn, ax=axes, shrink=0.8).outline.set_visible(False)
    images = image_tags(draw_frame(figure), _alt(**pair))
    return f'{style("plate.css")}<div style="margin-top:0.5em">{images}</div>'


def _flat(values: Tensor) -> Tensor | None:
    flat = values.detach().cpu().double().squeeze()
    if flat.ndim < 2:
        flat = flat.reshape(1, -1)
    usable = flat.ndim == 2 and flat.numel() > 0
    return flat if usable and flat.isfinite().all() else None


def _alt(target: Tensor, yours: Tensor) -> str:
    words = "Two maps with one colour scale."
    for name, values in {"The target": target, "Yours": yours}.items():
        rows, columns = values.shape
        row, column = divmod(int(values.argmax()), columns)
        words += (
            f" {name} has {rows} rows and {columns} columns, and its "
            f"largest value, {values.max():.3g}, at row {row + 1}, "
            f"column {column + 1}."
        )
    if target.shape == yours.shape:
        apart = (target - yours).abs()
        row, column = divmod(int(apart.argmax()), apart.shape[1])
        words += (
            f" They differ most at row {row + 1}, column {column + 1}: "
            f"{target[row, column]:.3g} against {yours[row, column]:.3g}."
        )
    return words
