"""Is pooling by attention better than pooling without, at three sizes?

The digit is 12, 16 or 24 pixels large, among as many pixels of clutter
whatever its size. A learned query brings three projections with it, so the
average and the generalised mean are tried behind a hidden layer of as many
parameters, too.
"""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import (
    AdditivePooling2d,
    AttentionPooling,
    GeneralizedMeanPooling,
    MultiHeadAttention,
)
from attncourse.data import SeveralSizes
from attncourse.models import AttentionCNN, AveragePooling2d, MaxPooling2d
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.runs import Variant

CHANNELS = 32
HEADS = 4
HIDDEN = 48


class MeanQueryPooling(nn.Module):
    r"""Pool a map by attention; the query is its own average.

    .. math:: v = \operatorname{attention}(\bar x W_q, X W_k, X W_v)\, W_o

    The attention pooling of CLIP's convolutional networks without its
    positions, which a digit at any place has no use for, and with the
    places alone as keys.

    References
    ----------
    Radford et al., "Learning Transferable Visual Models From Natural
    Language Supervision", ICML 2021.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(channels, heads)

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        *,
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "batch channels"]
        | tuple[
            Float[Tensor, "batch channels"],
            Float[Tensor, "batch heads height width"],
        ]
    ):
        """Pool; the weights of each head sum to one over the map."""
        places = x.flatten(2).mT
        query = places.mean(1, keepdim=True)
        if not return_weights:
            pooled: Tensor = self.attention(query, places)
            return pooled.squeeze(1)
        pooled, weights = self.attention(query, places, return_weights=True)
        maps = weights.squeeze(2).unflatten(-1, x.shape[2:])
        return pooled.squeeze(1), maps


class OneMap(nn.Module):
    """A pooling with several heads; its map is the mean of theirs."""

    def __init__(self, pooling: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.pooling = pooling()

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
        """Pool; the weights sum to one over the map."""
        if not return_weights:
            vector: Tensor = self.pooling(x)
            return vector
        pooled, weights = self.pooling(x, return_weights=True)
        return pooled, weights.mean(1, keepdim=True)


class HiddenPooling(nn.Module):
    """A pooling behind a hidden layer at each place.

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
        self.pooling = pooling()

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
        """Mix the channels of each place, then pool."""
        pooled: Tensor = self.pooling(
            self.mix(x), return_weights=return_weights
        )
        return pooled


def network(pooling: Callable[[], nn.Module]) -> AttentionCNN:
    """Build the network; all variants of a seed start from the same trunk."""
    model = AttentionCNN(widths=(8, 16, 32, CHANNELS))
    model.pooling = pooling()
    return model


hidden = partial(HiddenPooling, CHANNELS, HIDDEN)
learned_query = partial(AttentionPooling, CHANNELS, HEADS)
mean_query = partial(MeanQueryPooling, CHANNELS, HEADS)
POOLINGS: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "average": ("global average", AveragePooling2d),
    "average+mlp": (
        "hidden layer, global average",
        partial(hidden, AveragePooling2d),
    ),
    "max": ("global max", MaxPooling2d),
    "gem": ("generalised mean", GeneralizedMeanPooling),
    "gem+mlp": (
        "hidden layer, generalised mean",
        partial(hidden, GeneralizedMeanPooling),
    ),
    "query": (
        "learned query, one head",
        partial(AttentionPooling, CHANNELS),
    ),
    "query4": (
        "learned query, four heads",
        partial(OneMap, learned_query),
    ),
    "clip": (
        "the average as the query, four heads",
        partial(OneMap, mean_query),
    ),
    "additive": (
        "additive attention",
        partial(AdditivePooling2d, CHANNELS),
    ),
}
VARIANTS = {
    name: Variant(label, partial(network, pooling))
    for name, (label, pooling) in POOLINGS.items()
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant; score it and its map, in all and for each size."""
    torch.manual_seed(seed)
    model = network(POOLINGS[variant][1])
    budget.fit(model, SeveralSizes(budget.scenes, seed=seed), seed=seed)
    test = SeveralSizes(budget.test_scenes, split="test")
    alone = {
        side: evaluate(model, source) for side, source in test.sources.items()
    }
    metrics = {
        name: sum(each[name] for each in alone.values())
        / len(SeveralSizes.SIZES)
        for name in alone[SeveralSizes.SIZES[0]]
    }
    for side, each in alone.items():
        for name in ("accuracy", "mass", "pointing"):
            metrics[f"{name}_{side}"] = each[name]
    return metrics
