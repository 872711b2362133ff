"""One trunk, one head, and every mechanism of the course in between."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import log
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse.attention import (
    CBAM,
    AdditivePooling2d,
    Attended,
    AttentionPooling,
    EfficientChannelAttention,
    GeneralizedMeanPooling,
    NonLocal2d,
    ResidualAttention,
    SelectiveKernel,
    SelfAttention2d,
    SpatialTransformer,
    SqueezeExcitation,
)
from attncourse.attention.spatial_transformer import (
    Localization,
    similarity,
)
from attncourse.data import ClutteredDigits, Scenes
from attncourse.models import AttentionCNN, AveragePooling2d, MaxPooling2d
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.maps import ClassActivation, activation_scores
from attncourse.trials.runs import Variant
from attncourse.watching import watch

CHANNELS, WIDER, WIDEST = 32, 37, 67
REDUCTION = 4
ZOOM = 0.6  # where the spatial transformer starts
CANVAS, DIGIT = 40, 16

scenes = partial(ClutteredDigits, size=CANVAS, digit_size=DIGIT, fragments=8)


def network(last: int = CHANNELS) -> AttentionCNN:
    """Build trunk, average and head; nothing in it attends.

    Networks of one width start from the same trunk and the same head.
    """
    widths = (8, 16, 32, last)
    return AttentionCNN(widths=widths, pooling=AveragePooling2d())


def pooled_by(pooling: Callable[[], nn.Module]) -> AttentionCNN:
    """Pool the last map in another way."""
    model = network()
    model.pooling = pooling()
    return model


def on_the_map(attention: Callable[[], nn.Module]) -> AttentionCNN:
    """Let the mechanism work on the last map, before the average."""
    model = network()
    model.features.add_module("attention", attention())
    return model


def in_front(attention: Callable[[], nn.Module]) -> AttentionCNN:
    """Let the mechanism work on the image, before the trunk."""
    model = network()
    parts = OrderedDict(attention=attention(), trunk=model.features)
    model.features = nn.Sequential(parts)
    return model


def zoomed() -> SpatialTransformer:
    """Build a transformer that first shows the middle, 1 / 0.6 times."""
    transformer = SpatialTransformer(1, similarity)
    assert isinstance(transformer.localization, Localization)
    with torch.no_grad():
        transformer.localization.numbers.bias[0] = log(ZOOM)
    return transformer


def received(
    weights: Float[Tensor, "batch 1 positions positions"],
) -> Float[Tensor, "batch 1 side side"]:
    """What each position of a square map gets, mean over the queries."""
    side = int(weights.shape[-1] ** 0.5)
    got: Tensor = weights.mean(2).unflatten(-1, (side, side))
    return got


def over_channels(
    weights: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "batch 1 height width"]:
    """Average over channels or heads."""
    return weights.mean(1, keepdim=True)


class OwnMap(nn.Module):
    """A network that gives the map of one of its layers.

    Parameters
    ----------
    model
        The network.
    layer
        The layer whose weights are a map of positions, by its name.
    read
        How they become one map.
    """

    def __init__(
        self,
        model: AttentionCNN,
        layer: str,
        read: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__()
        self.model = model
        self.layer, self.read = layer, read

    def forward(
        self, images: Float[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch 10"]:
        """Logits."""
        logits: Tensor = self.model(images)
        return logits

    def attend(
        self, images: Float[Tensor, "batch 1 height width"]
    ) -> Attended:
        """The same with the map; where it is empty it is flat instead."""
        with watch(self.model) as seen:
            logits = self.model(images)
        found = self.read(seen[self.layer])
        flat = found.sum((2, 3), keepdim=True) == 0
        return Attended(logits, found + flat)


def brightest_window(
    maps: Float[Tensor, "batch 1 rows cols"], size: tuple[int, int]
) -> tuple[Int64[Tensor, " batch"], Int64[Tensor, " batch"]]:
    """Top row and left column of the digit-sized window with most mass."""
    fine = F.interpolate(maps, size, mode="bilinear", align_corners=False)
    windows = F.avg_pool2d(fine, DIGIT, stride=1)
    best = windows.flatten(1).argmax(1)
    return best // windows.shape[3], best % windows.shape[3]


def blackened(
    images: Float[Tensor, "batch 1 height width"],
    top: Int64[Tensor, " batch"],
    left: Int64[Tensor, " batch"],
) -> Float[Tensor, "batch 1 height width"]:
    """Black out one digit-sized window of each image."""
    rows, columns = (torch.arange(size) for size in images.shape[2:])
    inside = ((rows - top[:, None]) // DIGIT == 0)[:, None, :, None] & (
        (columns - left[:, None]) // DIGIT == 0
    )[:, None, None]
    return images.masked_fill(inside, 0.0)


@torch.no_grad()
def deleted(judged: Any, shown: Scenes, accuracy: float) -> dict[str, float]:
    """Accuracy lost without the window the map points at, and a random one."""
    size = (shown.images.shape[2], shown.images.shape[3])
    maps = judged.attend(shown.images).weights
    random = torch.Generator().manual_seed(0)
    count = len(shown.labels)
    windows = {
        "drop_deleted": brightest_window(maps, size),
        "drop_random": tuple(
            torch.randint(side - DIGIT + 1, (count,), generator=random)
            for side in size
        ),
    }
    lost = {}
    for name, window in windows.items():
        changed = Scenes(blackened(shown.images, *window), shown.labels, None)
        lost[name] = accuracy - evaluate(judged, changed)["accuracy"]
    return lost


Judge = Callable[[AttentionCNN], OwnMap | ClassActivation]


@dataclass(frozen=True)
class MappedVariant(Variant):
    """A variant, and what gives the network the map it is judged by."""

    judge: Judge = ClassActivation


def activation(model: AttentionCNN, shown: Scenes) -> dict[str, float]:
    """Score the class activation map, beside the mechanism's own."""
    return activation_scores(model, shown)


def _map_of(
    layer: str, read: Callable[[Tensor], Tensor] = over_channels
) -> Judge:
    return partial(OwnMap, layer=layer, read=read)


def _pool(label: str, pooling: Callable[[], nn.Module]) -> MappedVariant:
    return MappedVariant(
        label,
        partial(pooled_by, pooling),
        score=activation,
        judge=_map_of("pooling"),
    )


def _channels(label: str, attention: Callable[[], nn.Module]) -> MappedVariant:
    return MappedVariant(label, partial(on_the_map, attention))


def _positions(
    label: str,
    attention: Callable[[], nn.Module],
    judge: Judge,
) -> MappedVariant:
    return MappedVariant(
        label, partial(on_the_map, attention), score=activation, judge=judge
    )


VARIANTS = {
    "average": MappedVariant("average, no attention", network),
    "wider": MappedVariant("average, wider", partial(network, WIDER)),
    "widest": MappedVariant("average, widest", partial(network, WIDEST)),
    "max": _pool("max pooling", MaxPooling2d),
    "gem": _pool("generalised mean", GeneralizedMeanPooling),
    "additive": _pool(
        "additive pooling", partial(AdditivePooling2d, CHANNELS)
    ),
    "query": MappedVariant(
        "learned query",
        partial(pooled_by, partial(AttentionPooling, CHANNELS)),
        judge=_map_of("pooling"),
    ),
    "se": _channels(
        "squeeze-and-excitation",
        partial(SqueezeExcitation, CHANNELS, REDUCTION),
    ),
    "eca": _channels(
        "efficient channel attention",
        partial(EfficientChannelAttention, CHANNELS),
    ),
    "sk": _channels("selective kernel", partial(SelectiveKernel, CHANNELS)),
    "cbam": _positions(
        "CBAM",
        partial(CBAM, CHANNELS, REDUCTION),
        _map_of("features.attention.spatial"),
    ),
    "self-attention": _positions(
        "self-attention (SAGAN)",
        partial(SelfAttention2d, CHANNELS),
        _map_of("features.attention", received),
    ),
    "non-local": _positions(
        "non-local block",
        partial(NonLocal2d, CHANNELS),
        _map_of("features.attention", received),
    ),
    "residual": _positions(
        "residual attention",
        partial(ResidualAttention, CHANNELS),
        _map_of("features.attention"),
    ),
    "transformer": MappedVariant(
        "spatial transformer",
        partial(in_front, zoomed),
        judge=_map_of("features.attention"),
    ),
}
# Each mechanism against a plain network that has no fewer parameters and does
# no fewer multiply-adds.
CONTROLS = {
    **dict.fromkeys(("additive", "se", "eca", "cbam"), "wider"),
    **dict.fromkeys(
        (
            "query",
            "sk",
            "self-attention",
            "non-local",
            "residual",
            "transformer",
        ),
        "widest",
    ),
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant; score it and its map, delete what that points at."""
    chosen = VARIANTS[variant]
    torch.manual_seed(seed)
    model = chosen.build()
    assert isinstance(model, AttentionCNN)
    budget.fit(model, scenes(budget.scenes, seed=seed), seed=seed)
    test = scenes(budget.test_scenes, split="test").draw()
    mapped = chosen.judge(model)
    metrics = evaluate(mapped, test)
    metrics |= deleted(mapped, test, metrics["accuracy"])
    return metrics | chosen.score(model, test)
