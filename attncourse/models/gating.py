"""Gates on a map before its average, and what they are held against."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse.attention import Attended, CBAMWeights


class GatedAverage(nn.Module):
    r"""Gate the map, then average its positions.

    .. math:: y_c = \frac{1}{hw} \sum_i M_c \, M_i \, x_{ci}

    Its map is the gate of the positions; without one it is flat.

    Parameters
    ----------
    gate
        Module from a map to a map of the same shape that multiplies it by
        gates. For the weights it needs ``attend``.
    """

    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.gate: Any = gate

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Gate and average."""
        gated: Tensor = self.gate(x)
        return gated.mean((2, 3))

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the gate of the positions."""
        return Attended(self.forward(x), self.both(x).spatial)

    def both(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> CBAMWeights:
        """Both gates; one that is not there is one everywhere."""
        _, weights = self.gate.attend(x)
        if isinstance(weights, CBAMWeights):
            return weights
        if weights.ndim == 2:
            return CBAMWeights(weights, torch.ones_like(x[:, :1]))
        return CBAMWeights(torch.ones_like(x[:, :, 0, 0]), weights)


class HiddenAverage(nn.Module):
    """The average of the positions, then one hidden layer; no gates."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(channels, channels)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Average, then the hidden layer."""
        return F.relu(self.hidden(x.mean((2, 3))))


class LinearGate(nn.Module):
    """Gates from one linear layer, as softmax gates have it.

    Parameters
    ----------
    channels
        Channels of the map.
    squash
        Function from the scores to the gates.
    """

    def __init__(
        self, channels: int, squash: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.score = nn.Linear(channels, channels)
        self.squash = squash

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Multiply every channel by its gate."""
        return self.attend(x).output

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the gates."""
        gates = self.squash(self.score(x.mean((2, 3))))
        return Attended(x * gates[..., None, None], gates)


class ConstantGate(nn.Module):
    """Gates that are learned and are the same for every image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Parameter(torch.zeros(channels))

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Multiply every channel by its gate."""
        return x * self.score.sigmoid()[:, None, None]
