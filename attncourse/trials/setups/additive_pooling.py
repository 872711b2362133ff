"""Does additive pooling find the digit, and would accuracy tell?"""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import AdditivePooling2d
from attncourse.bugs.additive import ColumnSoftmaxPooling2d
from attncourse.data import ClutteredDigits
from attncourse.models import AttentionCNN, AveragePooling2d, MaxPooling2d
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.maps import (
    ClassActivation,
    shuffled_map,
    uniform_map,
    with_map_replaced,
)

CHANNELS = 32


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
        """Mix the channels of each place, then average the places."""
        pooled: Tensor = self.average(
            self.mix(x), return_weights=return_weights
        )
        return pooled


def network(pooling: Callable[[], nn.Module]) -> AttentionCNN:
    """Build the network; all variants of a seed start from the same trunk."""
    model = AttentionCNN(widths=(8, 16, 32, CHANNELS))
    model.pooling = pooling()
    return model


POOLINGS: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "average": ("global average", AveragePooling2d),
    "average+mlp": (
        "1 x 1 convolution, global average",
        partial(ConvolvedAverage, CHANNELS),
    ),
    "max": ("global max", MaxPooling2d),
    "attention": (
        "additive attention",
        partial(AdditivePooling2d, CHANNELS),
    ),
    "column": (
        "additive, softmax per column (wrong)",
        partial(ColumnSoftmaxPooling2d, CHANNELS),
    ),
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant and score it, its map, and what replaces the map."""
    torch.manual_seed(seed)
    model = network(POOLINGS[variant][1])
    budget.fit(model, ClutteredDigits(budget.scenes, seed=seed), seed=seed)
    test = ClutteredDigits(budget.test_scenes, split="test").draw()
    metrics = evaluate(model, test)
    if variant in ("attention", "column"):
        for name, replace in [
            ("drop_uniform", uniform_map),
            ("drop_shuffled", shuffled_map),
        ]:
            changed = evaluate(with_map_replaced(model, replace), test)
            metrics[name] = metrics["accuracy"] - changed["accuracy"]
    if variant in ("average", "max"):
        activation = evaluate(ClassActivation(model), test)
        metrics["cam_mass"] = activation["mass"]
        metrics["cam_pointing"] = activation["pointing"]
    return metrics
