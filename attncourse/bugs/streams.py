"""Two inputs, and mistakes in which of them does what."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Exchange(nn.Module):
    """Right: each of two images attends to the other as it came in."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.query = nn.Linear(dim, dim)
        self.source = nn.Linear(dim, 2 * dim)

    def gather(
        self,
        x: Float[Tensor, "batch queries dim"],
        source: Float[Tensor, "batch keys dim"],
    ) -> Float[Tensor, "batch queries dim"]:
        """Add to x what it finds in the source."""
        key, value = self.source(source).chunk(2, dim=-1)
        query = self.query(x)
        return x + F.scaled_dot_product_attention(query, key, value)

    def forward(
        self,
        left: Float[Tensor, "batch queries dim"],
        right: Float[Tensor, "batch keys dim"],
    ) -> tuple[Tensor, Tensor]:
        """Let both images look at each other."""
        seen_left = self.gather(left, right)
        seen_right = self.gather(right, left)
        return seen_left, seen_right


class ExchangeInTurn(Exchange):
    """Wrong: the second image attends to the first after its update.

    The two are not treated alike: exchanging them does not exchange what
    comes out.
    """

    def forward(
        self,
        left: Float[Tensor, "batch queries dim"],
        right: Float[Tensor, "batch keys dim"],
    ) -> tuple[Tensor, Tensor]:
        """Let both images look at each other."""
        left = self.gather(left, right)
        right = self.gather(right, left)
        return left, right


class SkipGate(nn.Module):
    """Right: the coarse map says where the fine one is let through."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.of_fine = nn.Conv2d(channels, channels, kernel_size=1)
        self.of_coarse = nn.Conv2d(channels, channels, kernel_size=1)
        self.score = nn.Conv2d(channels, 1, kernel_size=1)

    def gate(
        self,
        fine: Float[Tensor, "batch channels height width"],
        coarse: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, "batch 1 height width"]:
        """One number between zero and one for each position."""
        both = F.relu(self.of_fine(fine) + self.of_coarse(coarse))
        return torch.sigmoid(self.score(both))

    def forward(
        self,
        fine: Float[Tensor, "batch channels height width"],
        coarse: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, "batch channels height width"]:
        """Return what the skip connection passes on."""
        return fine * self.gate(fine, coarse)


class GateOnTheCoarse(SkipGate):
    """Wrong: the gate multiplies the map that should steer it.

    The fine map never reaches the decoder: it only helps to make the gate.
    """

    def forward(
        self,
        fine: Float[Tensor, "batch channels height width"],
        coarse: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, "batch channels height width"]:
        """Return what the skip connection passes on."""
        return coarse * self.gate(fine, coarse)


class ChannelAffinity(nn.Module):
    """Right: each channel gathers from the channels that are like it."""

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Add to each channel a mean of all, weighted by likeness."""
        rows = x.flatten(2)
        likeness = rows @ rows.mT / rows.shape[-1] ** 0.5
        return x + (self.weights(likeness) @ rows).view_as(x)

    def weights(
        self, likeness: Float[Tensor, "batch channels channels"]
    ) -> Float[Tensor, "batch channels channels"]:
        """Turn likeness into shares."""
        return likeness.softmax(-1)


class UnlikeChannels(ChannelAffinity):
    """Wrong: the likeness is subtracted from the largest one.

    A softmax subtracts the largest score by itself, to be safe from
    overflow. The other way around, what is most alike gets least.
    """

    def weights(
        self, likeness: Float[Tensor, "batch channels channels"]
    ) -> Float[Tensor, "batch channels channels"]:
        """Turn likeness into shares."""
        return (likeness.amax(-1, keepdim=True) - likeness).softmax(-1)
