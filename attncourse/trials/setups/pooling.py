"""Is pooling by attention better than pooling without, at three sizes?

The digit is 12, 16 or 24 pixels large, among as many pixels of clutter
whatever its size. A learned query brings three projections with it, so the
average and the generalised mean are tried behind a hidden layer of as many
parameters, too.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from attncourse.attention import (
    AdditivePooling2d,
    AttentionPooling,
    GeneralizedMeanPooling,
)
from attncourse.data import SeveralSizes
from attncourse.models import AttentionCNN, AveragePooling2d, MaxPooling2d
from attncourse.models.hidden_pooling import HiddenPooling
from attncourse.models.query_pooling import MeanQueryPooling, OneMap
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.runs import Variant

CHANNELS = 32
HEADS = 4
HIDDEN = 48


def network(pooling: Callable[[], nn.Module]) -> AttentionCNN:
    """Build the network; all variants of a seed start from the same trunk."""
    model = AttentionCNN(widths=(8, 16, 32, CHANNELS))
    model.pooling = pooling()
    return model


def _pooled(label: str, pooling: Callable[[], nn.Module]) -> Variant:
    return Variant(label, partial(network, pooling))


hidden = partial(HiddenPooling, CHANNELS, HIDDEN)
VARIANTS = {
    "average": _pooled("global average", AveragePooling2d),
    "average+mlp": _pooled(
        "hidden layer, global average", partial(hidden, AveragePooling2d)
    ),
    "max": _pooled("global max", MaxPooling2d),
    "gem": _pooled("generalised mean", GeneralizedMeanPooling),
    "gem+mlp": _pooled(
        "hidden layer, generalised mean",
        partial(hidden, GeneralizedMeanPooling),
    ),
    "query": _pooled(
        "learned query, one head", partial(AttentionPooling, CHANNELS)
    ),
    "query4": _pooled(
        "learned query, four heads",
        partial(OneMap, partial(AttentionPooling, CHANNELS, HEADS)),
    ),
    "clip": _pooled(
        "the average as the query, four heads",
        partial(OneMap, partial(MeanQueryPooling, CHANNELS, HEADS)),
    ),
    "additive": _pooled(
        "additive attention", partial(AdditivePooling2d, CHANNELS)
    ),
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant; score it and its map, in all and for each size."""
    torch.manual_seed(seed)
    model = VARIANTS[variant].build()
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
