"""CBAM, written wrongly in five ways."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import (
    CBAM,
    Attended,
    CBAMWeights,
    ChannelGate,
    SpatialGate,
)
from attncourse.attention.cbam import AttendedTwice


class TwoPerceptrons(ChannelGate):
    """Wrong: average and maximum have hidden layers of their own.

    Twice the weights, and the gate is no longer one function of both
    descriptors.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__(channels, reduction)
        hidden = self.reduce.out_features
        self.reduce_largest = nn.Linear(channels, hidden, bias=False)
        self.expand_largest = nn.Linear(hidden, channels, bias=False)

    def gates(
        self,
        average: Float[Tensor, "batch channels"],
        largest: Float[Tensor, "batch channels"],
    ) -> Float[Tensor, "batch channels"]:
        """Score each descriptor with its own layers."""
        scores: Tensor = self.expand(F.relu(self.reduce(average)))
        hidden = F.relu(self.reduce_largest(largest))
        return torch.sigmoid(scores + self.expand_largest(hidden))


class SumAfterSigmoid(ChannelGate):
    """Wrong: the descriptors are added after the sigmoid, not before.

    The gates lie between zero and two, and most channels are amplified.
    """

    def gates(
        self,
        average: Float[Tensor, "batch channels"],
        largest: Float[Tensor, "batch channels"],
    ) -> Float[Tensor, "batch channels"]:
        """Add two gates."""
        hidden = F.relu(self.reduce(torch.stack([average, largest])))
        return torch.sigmoid(self.expand(hidden)).sum(0)


class DeadMaximum(ChannelGate):
    """Wrong: the average is added to itself and the maximum never used."""

    def gates(
        self,
        average: Float[Tensor, "batch channels"],
        largest: Float[Tensor, "batch channels"],
    ) -> Float[Tensor, "batch channels"]:
        """Count the average twice."""
        return super().gates(average, average)


class DescriptorsOverPositions(SpatialGate):
    """Wrong: the spatial gate pools over the positions, not the channels.

    Averages over height and width know nothing about where. Spread over
    the map again, they give every position the same gate but for the border.
    """

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """Gate the positions by two numbers for the whole map."""
        pooled = torch.stack([x.mean((1, 2, 3)), x.amax((1, 2, 3))], dim=1)
        descriptors = pooled[..., None, None].expand(-1, -1, *x.shape[2:])
        gates = torch.sigmoid(self.norm(self.filter(descriptors)))
        output = x * gates
        return Attended(output, gates)


class SpatialGateOfTheInput(CBAM):
    """Wrong: the spatial gate looks at the input of the channel gate.

    It should see what the channel gate left. This is the parallel
    arrangement, which the paper found worse.
    """

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Multiply by two gates of the same map."""
        return self.attend(x).output

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> AttendedTwice:
        """The same with both gates."""
        gated, channel = self.channel.attend(x)
        _, spatial = self.spatial.attend(x)
        return AttendedTwice(gated * spatial, CBAMWeights(channel, spatial))
