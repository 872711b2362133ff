"""Weight maps, alone and over the image they belong to."""

import matplotlib.pyplot as plt
import numpy as np
import torch.nn.functional as F
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.image import AxesImage
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from torch import Tensor

from attncourse.viz.inputs import as_image, as_map, as_mask, as_weights
from attncourse.viz.style import MASK_COLOUR, WEIGHTS_CMAP, course_style


def heatmap(
    weights: Float[Tensor, "*one height width"],
    *,
    ax: Axes | None = None,
    title: str | None = None,
    vmax: float | None = None,
    mask: Bool[Tensor, "*single mask_height mask_width"] | None = None,
    scale: bool = True,
) -> Axes:
    """Draw one weight map; the colours start at zero.

    Parameters
    ----------
    weights
        One map of weights, not negative.
    ax
        Where to draw; a new figure by default.
    vmax
        Weight that gets the brightest colour; the largest one by default.
        Give it to compare maps.  Larger weights are then marked by an arrow
        on the colour bar.
    mask
        Ground-truth mask of any resolution, outlined over the whole map.
    scale
        Whether to draw the colour bar.

    Returns
    -------
    Axes
        Row r, column c of the map is centred on the point (c, r).

    Raises
    ------
    ValueError
        If an argument has the wrong shape, type or range.
    """
    values = as_weights(weights)
    truth = None if mask is None else as_mask(mask)
    top = _top(values, vmax)
    with course_style():
        ax = plt.subplots()[1] if ax is None else ax
        image = ax.imshow(values, cmap=WEIGHTS_CMAP, vmin=0, vmax=top)
        _finish(ax, title)
        if truth is not None:
            _outline(ax, truth, *values.shape)
        if scale:
            _colour_bar(ax, image, values, top)
    return ax


def overlay(
    image: Float[Tensor, "channels height width"],
    weights: Float[Tensor, "*one map_height map_width"],
    *,
    ax: Axes | None = None,
    title: str | None = None,
    vmax: float | None = None,
    mask: Bool[Tensor, "*single mask_height mask_width"] | None = None,
    smooth: bool = False,
    scale: bool = True,
) -> Axes:
    """Draw a weight map over its image.

    Each position of the map covers exactly its share of the image: with h rows
    on an image of H pixels, row r covers the pixels from r H / h to
    (r + 1) H / h, the convention called ``align_corners=False``.  The image
    is drawn in grey, so that colour means weight and nothing else; the
    larger the weight, the more the colour covers the image.

    Parameters
    ----------
    image
        Values from 0 to 1, one or three channels.
    weights
        One map of weights, not negative, of any resolution.
    ax, title, vmax, mask, scale
        As in `heatmap`.
    smooth
        Whether to interpolate between the positions.  By default each is
        one block, which shows how coarse the map is.

    Returns
    -------
    Axes
        In pixels of the image: pixel (x, y) is centred on the point (x, y).

    Raises
    ------
    ValueError
        If an argument has the wrong shape, type or range.
    """
    pixels = as_image(image)
    values = as_weights(weights)
    truth = None if mask is None else as_mask(mask)
    top = _top(values, vmax)
    height, width = pixels.shape[:2]
    if smooth:
        values = _resample(weights, height, width)
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    with course_style():
        ax = plt.subplots()[1] if ax is None else ax
        ax.imshow(_pale(pixels), cmap="gray", vmin=0, vmax=1, extent=extent)
        drawn = ax.imshow(
            values,
            extent=extent,
            cmap=WEIGHTS_CMAP,
            vmin=0,
            vmax=top,
            alpha=0.85 * np.sqrt(np.clip(values / top, 0, 1)),
            interpolation="nearest",
        )
        _finish(ax, title)
        if truth is not None:
            _outline(ax, truth, height, width)
        if scale:
            _colour_bar(ax, drawn, values, top)
    return ax


def _pale(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the luminance of an image, between dark grey and pale grey."""
    luminance: NDArray[np.float64] = pixels @ [0.2126, 0.7152, 0.0722]
    return 0.2 + 0.7 * luminance


def _top(values: NDArray[np.float64], vmax: float | None) -> float:
    if vmax is None:
        return float(values.max()) or 1.0
    if not 0 < vmax < float("inf"):
        raise ValueError(f"vmax is {vmax}; a positive number is needed")
    return vmax


def _resample(weights: Tensor, height: int, width: int) -> NDArray[np.float64]:
    rows, columns = weights.shape[-2:]
    resampled = F.interpolate(
        weights.detach().double().reshape(1, 1, rows, columns),
        size=(height, width),
        mode="bilinear",
        align_corners=False,
    )
    return as_map(resampled[0])


def _finish(ax: Axes, title: str | None) -> None:
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    if title is not None:
        ax.set_title(title)


def _colour_bar(
    ax: Axes, image: AxesImage, values: NDArray[np.float64], top: float
) -> None:
    extend = "max" if values.max() > top * (1 + 1e-6) else "neither"
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.85, extend=extend)
    bar.locator = MaxNLocator(4)
    bar.set_alpha(1)
    bar.outline.set_visible(False)
    bar.update_ticks()


def _outline(
    ax: Axes, mask: NDArray[np.bool_], height: int, width: int
) -> None:
    """Draw the border of a mask stretched over height x width pixels."""
    padded = np.pad(mask, 1)
    across = np.argwhere(padded[1:] != padded[:-1]) - (0, 1)
    along = np.argwhere(padded[:, 1:] != padded[:, :-1]) - (1, 0)
    begins = np.concatenate([across, along])
    if len(begins) == 0:
        return
    ends = begins + np.repeat([(0, 1), (1, 0)], [len(across), len(along)], 0)
    step = (width / mask.shape[1], height / mask.shape[0])
    border = LineCollection(
        np.stack([begins, ends], axis=1)[..., ::-1] * step - 0.5,
        colors=MASK_COLOUR,
        linewidths=1.6,
        capstyle="projecting",
        path_effects=[Stroke(linewidth=3, foreground="white"), Normal()],
    )
    ax.add_collection(border, autolim=False)
