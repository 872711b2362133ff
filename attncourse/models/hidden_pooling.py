"""Poolings behind a layer of their own."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import Attended
from attncourse.models.pooling import AveragePooling2d


class ConvolvedAverage(nn.Module):
    """Average pooling behind a 1 x 1 convolution.

    It has as many parameters as additive pooling: 1,088 at 32 channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        self.average = AveragePooling2d()

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Mix the channels of each position, then average the positions."""
        return self.average(self.mix(x))

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the weights of the average."""
        return self.average.attend(self.mix(x))


class HiddenPooling(nn.Module):
    """A pooling behind a hidden layer at each position.

    At 32 channels and 48 hidden ones it has 3,232 parameters, and a learned
    query 3,200.
    """

    def __init__(
        self, channels: int, hidden: int, pooling: Callable[[], nn.Module]
    ) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        self.pooling: Any = pooling()  # has `attend`

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Mix the channels of each position, then pool."""
        return self.pooling(self.mix(x))

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the weights of the pooling."""
        return self.pooling.attend(self.mix(x))
