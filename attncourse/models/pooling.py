"""Pooling without learned attention: the controls of every comparison."""

from typing import Any

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention.attended import Attended


class AveragePooling2d(nn.Module):
    """Average all places of a map; every place has the same weight."""

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        *,
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "batch channels"]
        | tuple[
            Float[Tensor, "batch channels"],
            Float[Tensor, "batch 1 height width"],
        ]
    ):
        """Pool; the weights are 1 / (height x width) everywhere."""
        pooled = F.adaptive_avg_pool2d(x, 1).flatten(1)
        if not return_weights:
            return pooled
        places = x.shape[2] * x.shape[3]
        weights = x.new_full((x.shape[0], 1, *x.shape[2:]), 1 / places)
        return pooled, weights

    def attend(self, *inputs: Any, **options: Any) -> Attended:
        """The output and the weights."""
        return Attended(*self.forward(*inputs, return_weights=True, **options))


class MaxPooling2d(nn.Module):
    """Take the largest value of each channel, wherever it stands.

    This selects places without any attention. Its map tells where the
    pooled vector came from: the share of channels that each place won.
    """

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        *,
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "batch channels"]
        | tuple[
            Float[Tensor, "batch channels"],
            Float[Tensor, "batch 1 height width"],
        ]
    ):
        """Pool; the weights sum to one over height and width.

        Places that tie for the maximum of a channel share its vote.
        """
        pooled = x.amax((2, 3))
        if not return_weights:
            return pooled
        won = (x == pooled[..., None, None]).to(x.dtype)
        votes = won / won.sum((2, 3), keepdim=True)
        return pooled, votes.mean(1, keepdim=True)

    def attend(self, *inputs: Any, **options: Any) -> Attended:
        """The output and the weights."""
        return Attended(*self.forward(*inputs, return_weights=True, **options))
