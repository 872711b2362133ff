"""Branches and scales, shared out wrongly."""

import torch
from jaxtyping import Float
from torch import Tensor

from attncourse.attention import (
    Attended,
    MultiScaleAttention,
    SelectiveKernel,
)


class SoftmaxOverChannels(SelectiveKernel):
    """Wrong: the channels of a branch compete, not the branches.

    The weights of a channel no longer sum to one over the branches, and
    the map shrinks by about its number of channels.
    """

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """Share out each branch among its channels."""
        maps = [branch(x) for branch in self.branches]
        weights = self.scores(maps).softmax(-1)
        output = torch.einsum("mbchw,bmc->bchw", torch.stack(maps), weights)
        return Attended(output, weights)


class SoftmaxOverPositions(MultiScaleAttention):
    """Wrong: the positions of a view compete, not the scales of a position.

    The output shrinks by about the number of positions, and a position that
    two scales want gets both.
    """

    def share(
        self, scores: Float[Tensor, "batch scales height width"]
    ) -> Float[Tensor, "batch scales height width"]:
        """Share out every scale among the positions."""
        shares: Tensor = scores.flatten(2).softmax(-1)
        return shares.reshape(scores.shape)
