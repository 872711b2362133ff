"""Channel attention, written wrongly in four ways."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import (
    Attended,
    EfficientChannelAttention,
    SqueezeExcitation,
)


class EmptyBottleneck(nn.Module):
    """Wrong: with fewer channels than ``reduction`` no hidden unit is left.

    8 // 16 is 0. Nothing fails: the module has no weights, and every gate
    is 0.5 whatever the map holds.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = channels // reduction
        self.reduce = nn.Linear(channels, hidden, bias=False)
        self.expand = nn.Linear(hidden, channels, bias=False)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Halve the map."""
        return self.attend(x).output

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the gates."""
        hidden = F.relu(self.reduce(x.mean((2, 3))))
        gates = torch.sigmoid(self.expand(hidden))
        output = x * gates[..., None, None]
        return Attended(output, gates)


class GatesOnColumns(SqueezeExcitation):
    """Wrong: the gates have the shape (1, 1, channels), channels last.

    Against (channels, height, width) they line up with the width. If the
    map is not exactly as wide as it has channels, torch refuses; if it is,
    columns are scaled instead of channels.
    """

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """Multiply every column by the gate of a channel."""
        _, gates = super().attend(x)
        output = x * gates[:, None, None, :]
        return Attended(output, gates)


class SqueezedOverChannels(SqueezeExcitation):
    """Wrong: the mean is taken over channels and height, not over positions.

    What is left has one number for each column. It fits the hidden layer
    only if the map is as wide as it has channels.
    """

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """Gate the channels by the averages of the columns."""
        hidden = F.relu(self.reduce(x.mean((1, 2))))
        gates = torch.sigmoid(self.expand(hidden))
        output = x * gates[..., None, None]
        return Attended(output, gates)


class FilterOverBatch(EfficientChannelAttention):
    """Wrong: the filter runs along the batch, not along the channels.

    ``nn.Conv1d`` wants (batch, 1, channels). Fed with (channels, 1, batch)
    it mixes each sample with its neighbours in the batch.
    """

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """Gate every channel by its value in neighbouring samples."""
        squeezed = x.mean((2, 3))
        scores = self.filter(squeezed.mT.unsqueeze(1)).squeeze(1).mT
        gates = torch.sigmoid(scores)
        output = x * gates[..., None, None]
        return Attended(output, gates)
