"""Pooling without learned attention: the controls of every comparison."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import Attended


class AveragePooling2d(nn.Module):
    """Average all positions of a map; every position has the same weight."""

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Pool."""
        return F.adaptive_avg_pool2d(x, 1).flatten(1)

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with weights (batch, 1, height, width), all equal."""
        share = 1 / (x.shape[2] * x.shape[3])
        weights = x.new_full((x.shape[0], 1, *x.shape[2:]), share)
        return Attended(self.forward(x), weights)


class MaxPooling2d(nn.Module):
    """Take the largest value of each channel, wherever it stands.

    This selects positions without any attention. Its map tells where the
    pooled vector came from: the share of channels that each position won.
    """

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Pool."""
        return x.amax((2, 3))

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with weights (batch, 1, height, width).

        They sum to one over height and width. Positions that tie for the
        maximum of a channel share its vote.
        """
        pooled = self.forward(x)
        won = (x == pooled[..., None, None]).to(x.dtype)
        votes = won / won.sum((2, 3), keepdim=True)
        return Attended(pooled, votes.mean(1, keepdim=True))
