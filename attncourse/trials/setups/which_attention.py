"""One trunk, one head, and every mechanism of the course in one place."""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from math import log

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse.attention import (
    CBAM,
    AdditivePooling2d,
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
from attncourse.trials.maps import ClassActivation
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


def _pool(label: str, pooling: Callable[[], nn.Module]) -> Variant:
    return Variant(label, partial(pooled_by, pooling))


def _map(label: str, attention: Callable[[], nn.Module]) -> Variant:
    return Variant(label, partial(on_the_map, attention))


VARIANTS = {
    "average": Variant("average, no attention", network),
    "wider": Variant("average, wider", partial(network, WIDER)),
    "widest": Variant("average, widest", partial(network, WIDEST)),
    "max": _pool("max pooling", MaxPooling2d),
    "gem": _pool("generalised mean", GeneralizedMeanPooling),
    "additive": _pool(
        "additive pooling", partial(AdditivePooling2d, CHANNELS)
    ),
    "query": _pool("learned query", partial(AttentionPooling, CHANNELS)),
    "se": _map(
        "squeeze-and-excitation",
        partial(SqueezeExcitation, CHANNELS, REDUCTION),
    ),
    "eca": _map(
        "efficient channel attention",
        partial(EfficientChannelAttention, CHANNELS),
    ),
    "sk": _map("selective kernel", partial(SelectiveKernel, CHANNELS)),
    "cbam": _map("CBAM", partial(CBAM, CHANNELS, REDUCTION)),
    "self-attention": _map(
        "self-attention (SAGAN)", partial(SelfAttention2d, CHANNELS)
    ),
    "non-local": _map("non-local block", partial(NonLocal2d, CHANNELS)),
    "residual": _map(
        "residual attention", partial(ResidualAttention, CHANNELS)
    ),
    "transformer": Variant("spatial transformer", partial(in_front, zoomed)),
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


def received(
    weights: Float[Tensor, "batch 1 places places"],
) -> Float[Tensor, "batch 1 side side"]:
    """What each place of a square map gets from all queries, on average."""
    side = int(weights.shape[-1] ** 0.5)
    got: Tensor = weights.mean(2).unflatten(-1, (side, side))
    return got


def over_channels(
    weights: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "batch 1 height width"]:
    """Average over channels or heads."""
    return weights.mean(1, keepdim=True)


# The layer whose weights are a map of places, and how they become one.
OWN_MAPS: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {
    "max": ("pooling", over_channels),
    "gem": ("pooling", over_channels),
    "additive": ("pooling", over_channels),
    "query": ("pooling", over_channels),
    "cbam": ("features.attention.spatial", over_channels),
    "self-attention": ("features.attention", received),
    "non-local": ("features.attention", received),
    "residual": ("features.attention", over_channels),
    "transformer": ("features.attention", over_channels),
}


class OwnMap(nn.Module):
    """A network that returns the map of its own mechanism.

    Parameters
    ----------
    model
        A network of one of the variants in `OWN_MAPS`.
    variant
        Its name.
    """

    def __init__(self, model: AttentionCNN, variant: str) -> None:
        super().__init__()
        self.model = model
        self.layer, self.read = OWN_MAPS[variant]

    def forward(
        self,
        images: Float[Tensor, "batch 1 height width"],
        *,
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "batch 10"]
        | tuple[Float[Tensor, "batch 10"], Float[Tensor, "batch 1 rows cols"]]
    ):
        """Logits, and the map; where it is empty it is flat instead."""
        if not return_weights:
            logits: Tensor = self.model(images)
            return logits
        with watch(self.model) as seen:
            logits = self.model(images)
        found = self.read(seen[self.layer])
        return logits, found + (found.sum((2, 3), keepdim=True) == 0)


def with_map(model: AttentionCNN, variant: str) -> nn.Module:
    """Return the network with its own map, or else its class activation."""
    return (
        OwnMap(model, variant)
        if variant in OWN_MAPS
        else ClassActivation(model)
    )


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
def deleted(
    model: nn.Module, shown: Scenes, accuracy: float
) -> dict[str, float]:
    """Accuracy lost without the window the map points at, and a random one."""
    size = (shown.images.shape[2], shown.images.shape[3])
    _, maps = model(shown.images, return_weights=True)
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
        lost[name] = accuracy - evaluate(model, changed)["accuracy"]
    return lost


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant; score it and its map, and delete what that points at."""
    torch.manual_seed(seed)
    model = VARIANTS[variant].build()
    assert isinstance(model, AttentionCNN)
    budget.fit(model, scenes(budget.scenes, seed=seed), seed=seed)
    test = scenes(budget.test_scenes, split="test").draw()
    mapped = with_map(model, variant)
    metrics = evaluate(mapped, test)
    metrics |= deleted(mapped, test, metrics["accuracy"])
    if variant in OWN_MAPS and variant not in ("query", "transformer"):
        activation = evaluate(ClassActivation(model), test)
        metrics["cam_mass"] = activation["mass"]
        metrics["cam_pointing"] = activation["pointing"]
    return metrics
