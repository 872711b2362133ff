"""Words for a map, made from its numbers."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from attncourse.metrics import mass_inside
from attncourse.viz.inputs import as_mask, as_weights


def describe(
    weights: Float[Tensor, "*one height width"],
    mask: Bool[Tensor, "*single mask_height mask_width"] | None = None,
) -> str:
    """Return the alternative text of a weight map.

    It states where the largest weight is (rows and columns count from 1 at
    the upper left), how many positions hold half of the mass and, with a
    ground-truth mask, the share of the mass inside it, which is
    `mass_inside`.

    Raises
    ------
    ValueError
        If an argument has the wrong shape, type or range.
    """
    values = as_weights(weights)
    rows, columns = values.shape
    words = [f"Weight map of {rows} rows and {columns} columns."]
    total = values.sum()
    if total == 0:
        return f"{words[0]} All weights are zero."
    if mask is not None:
        words.append(_mass(values / total, as_mask(mask)))
    if np.ptp(values) <= 1e-6 * values.max():
        words.append(f"All weights are equal, {values[0, 0]:.3g} each.")
    else:
        words += [_peak(values), _spread(values)]
    return " ".join(words)


def _mass(shares: NDArray[np.float64], mask: NDArray[np.bool_]) -> str:
    if not mask.any():
        return "The ground-truth mask is empty."
    inside = mass_inside(
        torch.from_numpy(shares)[None, None],
        torch.from_numpy(mask)[None, None],
    )
    row, column = (np.argwhere(mask) + 0.5).mean(axis=0) / mask.shape
    return (
        f"{_percent(inside.item())} of the mass lies inside the "
        f"ground-truth mask at the {_where(row, column)}, which covers "
        f"{_percent(mask.mean())} of the area."
    )


def _peak(values: NDArray[np.float64]) -> str:
    rows, columns = values.shape
    row, column = divmod(int(values.argmax()), columns)
    where = _where((row + 0.5) / rows, (column + 0.5) / columns)
    return (
        f"The largest weight, {values.max():.3g}, is at row {row + 1}, "
        f"column {column + 1}, at the {where}."
    )


def _spread(values: NDArray[np.float64]) -> str:
    shares = np.sort(values, axis=None)[::-1].cumsum() / values.sum()
    count = int((shares < 0.5 - 1e-9).sum()) + 1
    verb, noun = ("holds", "position") if count == 1 else ("hold", "positions")
    return f"{count} {noun} of {values.size} {verb} half of the mass or more."


def _where(row: float, column: float) -> str:
    vertical = ("top", "middle", "bottom")[min(int(3 * row), 2)]
    horizontal = ("left", "centre", "right")[min(int(3 * column), 2)]
    if (vertical, horizontal) == ("middle", "centre"):
        return "centre"
    return f"{vertical} {horizontal}"


def _percent(share: float) -> str:
    if 0 < share < 0.005:
        return "less than 1 %"
    if 0.995 <= share < 1 - 1e-6:
        return "more than 99 %"
    return f"{100 * share:.0f} %"
