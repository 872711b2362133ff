"""Is a map read where the grid says?

torch's grids hold x, then y: the first number moves along the width. What
makes the grid and what reads it must agree on where the corners are, and
positions run from -1 to 1.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from attncourse.checkup.finding import Finding
from attncourse.checkup.subject import Subject

NAME = "grid"


def probe(subject: Subject) -> Iterator[Finding]:
    """Look at each grid with which a map was read."""
    seen = subject.exact.base_trace
    for grid in seen.grids:
        yield from _judge(grid.at, grid.corners, seen.grid_corners)


def _judge(at: Tensor, corners: bool, made: list[bool]) -> Iterator[Finding]:
    if made and corners not in made:
        yield Finding(
            "error",
            NAME,
            f"the grid is made with align_corners={made[0]} and read with "
            f"align_corners={corners}",
            "the corners are pixel centres for one and pixel edges for the "
            "other, so that the identity zooms a little",
            "pass the same align_corners to affine_grid and grid_sample",
        )
    if at.ndim != 4 or min(at.shape[1:3]) < 3:
        return
    along = [_follows(at[..., number]) for number in (0, 1)]
    if all(
        along[number][number] > max(0.3, 3 * along[number][1 - number])
        for number in (0, 1)
    ):
        yield Finding(
            "error",
            NAME,
            f"the first number of the grid follows the rows (correlation "
            f"{along[0][0]:.2f}) and the second the columns "
            f"({along[1][1]:.2f})",
            "torch reads x first and y then; the map comes out with its "
            "axes exchanged",
            "stack the columns first: torch.stack((x, y), -1), or meshgrid "
            'with indexing="xy"',
        )
        return
    if not corners and _ends_at_edges(at):
        yield Finding(
            "error",
            NAME,
            "the grid runs from -1 to 1 over the pixel centres and is read "
            "with align_corners=False, for which 1 is the edge of a pixel",
            "a map read without any displacement is zoomed a little",
            "read it with align_corners=True, or let the centres run to "
            "1 - 1 / size",
        )
    inside = float(at.abs().median())
    if inside > 1.5:
        yield Finding(
            "warning",
            NAME,
            f"half of the positions of the grid lie beyond {inside:.3g}, "
            "outside of the map, which runs from -1 to 1",
            "pixel coordinates are taken for normalised ones",
            "scale by 2 / (size - 1) and subtract 1 (align_corners=True)",
        )


def _follows(numbers: Tensor) -> tuple[float, float]:
    """Correlations with the row and with the column, sign aside."""
    mean = numbers.double().mean(0)
    rows, columns = mean.shape
    lines = (
        torch.arange(rows).double()[:, None].expand(rows, columns),
        torch.arange(columns).double()[None].expand(rows, columns),
    )
    found = []
    for line in lines:
        pair = torch.stack([mean.flatten(), line.flatten().to(mean)])
        found.append(abs(float(pair.corrcoef()[0, 1].nan_to_num())))
    return found[0], found[1]


def _ends_at_edges(at: Tensor) -> bool:
    """Whether the first and last positions are -1 and 1 exactly."""
    x, y = at[..., 0], at[..., 1]
    gaps = (x[:, :, 0] + 1, x[:, :, -1] - 1, y[:, 0] + 1, y[:, -1] - 1)
    return all(float(gap.abs().max()) < 1e-6 for gap in gaps)
