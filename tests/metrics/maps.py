"""Random maps and answer keys of unrelated sizes."""

import torch
from hypothesis import strategies as st
from torch import Tensor

SIDES = st.sampled_from([1, 2, 3, 5, 7, 11, 13, 17])


@st.composite
def scored(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Weights (batch, heads, rows, columns) and masks of another size."""
    batch, heads = draw(st.sampled_from([(1, 1), (2, 1), (3, 2), (1, 5)]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    weights = torch.rand(
        batch,
        heads,
        draw(SIDES),
        draw(SIDES),
        generator=generator,
        dtype=torch.float64,
    )
    masks = (
        torch.rand(batch, 1, draw(SIDES), draw(SIDES), generator=generator)
        < 0.4
    )
    masks[:, :, 0, 0] = True
    return weights + 0.01, masks


def box(
    size: tuple[int, int], rows: slice, columns: slice, batch: int = 1
) -> Tensor:
    masks = torch.zeros(batch, 1, *size, dtype=torch.bool)
    masks[:, :, rows, columns] = True
    return masks


def refined(maps: Tensor, rows: int, columns: int) -> Tensor:
    """Repeat each value, so that every size can be compared pixelwise."""
    tall = maps.repeat_interleave(rows, 2)
    return tall.repeat_interleave(columns, 3)
