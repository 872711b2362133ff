"""Poolings with layers of their own in front or around them."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import Attended, MultiHeadAttention
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


class MeanQueryPooling(nn.Module):
    r"""Pool a map by attention; the query is its own average.

    .. math:: v = \operatorname{attention}(\bar x W_q, X W_k, X W_v)\, W_o

    The attention pooling of CLIP's convolutional networks without its
    positional codes, which a digit anywhere has no use for, and with the
    positions of the map alone as keys.

    References
    ----------
    Radford et al., "Learning Transferable Visual Models From Natural
    Language Supervision", ICML 2021.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(channels, heads)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Pool."""
        tokens = x.flatten(2).mT
        query = tokens.mean(1, keepdim=True)
        return self.attention(query, tokens).squeeze(1)

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same; the weights of each head sum to one over the map."""
        tokens = x.flatten(2).mT
        query = tokens.mean(1, keepdim=True)
        pooled, weights = self.attention.attend(query, tokens)
        maps = weights.squeeze(2).unflatten(-1, x.shape[2:])
        return Attended(pooled.squeeze(1), maps)


class OneMap(nn.Module):
    """A pooling with several heads; its map is the mean of theirs."""

    def __init__(self, pooling: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.pooling: Any = pooling()  # has `attend`

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Pool."""
        return self.pooling(x)

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same; the weights sum to one over the map."""
        pooled, weights = self.pooling.attend(x)
        return Attended(pooled, weights.mean(1, keepdim=True))
