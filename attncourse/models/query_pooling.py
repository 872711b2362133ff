"""Pooling by attention with the average as its query; one map of heads."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import Attended, MultiHeadAttention


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
