"""Does additive pooling find the digit, and would accuracy tell?"""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from attncourse.attention import AdditivePooling2d
from attncourse.bugs.additive import ColumnSoftmaxPooling2d
from attncourse.data import ClutteredDigits, Scenes
from attncourse.models import AttentionCNN, AveragePooling2d, MaxPooling2d
from attncourse.models.hidden_pooling import ConvolvedAverage
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.maps import (
    activation_scores,
    drops,
    shuffled_map,
    uniform_map,
    with_map_replaced,
)
from attncourse.trials.runs import Variant

CHANNELS = 32


def network(pooling: Callable[[], nn.Module]) -> AttentionCNN:
    """Build the network; all variants of a seed start from the same trunk."""
    model = AttentionCNN(widths=(8, 16, 32, CHANNELS))
    model.pooling = pooling()
    return model


def without_its_map(
    model: AttentionCNN, shown: Scenes, accuracy: float
) -> dict[str, float]:
    """Accuracy lost when the map is replaced and all else stays."""
    replaced = {"uniform": uniform_map, "shuffled": shuffled_map}
    changed = {
        name: with_map_replaced(model, replace)
        for name, replace in replaced.items()
    }
    return drops(accuracy, shown, changed)


def activation(
    model: AttentionCNN, shown: Scenes, _: float
) -> dict[str, float]:
    """Score the class activation map of a pooling without weights."""
    return activation_scores(model, shown)


VARIANTS = {
    "average": Variant(
        "global average",
        partial(network, AveragePooling2d),
        score=activation,
    ),
    "average+mlp": Variant(
        "1 x 1 convolution, global average",
        partial(network, partial(ConvolvedAverage, CHANNELS)),
    ),
    "max": Variant(
        "global max", partial(network, MaxPooling2d), score=activation
    ),
    "attention": Variant(
        "additive attention",
        partial(network, partial(AdditivePooling2d, CHANNELS)),
        score=without_its_map,
    ),
    "column": Variant(
        "additive, softmax per column (wrong)",
        partial(network, partial(ColumnSoftmaxPooling2d, CHANNELS)),
        score=without_its_map,
    ),
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant and score it, its map, and what replaces the map."""
    chosen = VARIANTS[variant]
    torch.manual_seed(seed)
    model = chosen.build()
    budget.fit(model, ClutteredDigits(budget.scenes, seed=seed), seed=seed)
    test = ClutteredDigits(budget.test_scenes, split="test").draw()
    metrics = evaluate(model, test)
    return metrics | chosen.score(model, test, metrics["accuracy"])
