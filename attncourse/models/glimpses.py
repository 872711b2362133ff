"""Glimpses whose locations are a rule, or are computed with a gradient."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from attncourse.attention.recurrent_attention import (
    GlimpseReader,
    RecurrentAttention,
)


class DifferentiableReader(GlimpseReader):
    """The same patches, at locations that are not drawn but computed.

    The bilinear crop has a gradient by its location, so back-propagation
    reaches what chose it.
    """

    drawn: ClassVar[bool] = False


class CentreGlimpses(RecurrentAttention):
    """Every glimpse at the centre of the image."""

    def _choose(self, state: Tensor) -> tuple[Tensor, Tensor]:
        return state.new_zeros(len(state), 2), state.new_zeros(len(state))


class RandomGlimpses(RecurrentAttention):
    """Every glimpse but the first anywhere that a digit may be centred.

    A digit of 16 pixels on a canvas of 40 is centred within [-0.6, 0.6].
    """

    REACH: ClassVar[float] = 0.6

    def _choose(self, state: Tensor) -> tuple[Tensor, Tensor]:
        drawn = torch.rand(len(state), 2, device=state.device)
        return self.REACH * (2 * drawn - 1), state.new_zeros(len(state))


class InkGlimpses(RecurrentAttention):
    """Every glimpse but the first at the centre of mass of the ink."""

    def _run(self, x: Tensor):  # type: ignore[no-untyped-def]
        self._location = centre_of_mass(x)
        return super()._run(x)

    def _choose(self, state: Tensor) -> tuple[Tensor, Tensor]:
        return self._location, state.new_zeros(len(state))


def centre_of_mass(
    images: Float[Tensor, "batch 1 height width"],
) -> Float[Tensor, "batch 2"]:
    """Mean location (x, y) of the ink, in [-1, 1]."""
    ink = images / images.sum((2, 3), keepdim=True).clamp_min(1e-6)
    height, width = images.shape[2:]
    x = (2 * torch.arange(width, device=images.device) + 1) / width - 1
    y = (2 * torch.arange(height, device=images.device) + 1) / height - 1
    across = (ink.sum(2) * x).sum(-1)
    down = (ink.sum(3) * y).sum(-1)
    return torch.cat([across, down], 1)
