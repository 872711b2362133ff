"""How much is a position code worth to a small vision transformer?"""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from attncourse.attention import (
    LearnedPositions2d,
    RelativePositionBias2d,
    RotaryPositions2d,
)
from attncourse.data import Scenes, digits
from attncourse.models import VisionTransformer
from attncourse.models.raster_positions import RasterPositions
from attncourse.models.vision_transformer import SinusoidalPositions2d
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.runs import Variant

PATCH = 2  # pixels
ROWS = 8 // PATCH  # patches in a row of a digit
DIM = 32
HEADS = 4


def transformer(
    positions: Callable[[], nn.Module] | None = None,
    *,
    rotary: bool = False,
    relative: bool = False,
) -> VisionTransformer:
    """Build a transformer for digits with one kind of positions."""
    return VisionTransformer(
        positions=None if positions is None else positions(),
        rotary=RotaryPositions2d(DIM // HEADS) if rotary else None,
        relative=(
            RelativePositionBias2d(HEADS, ROWS, ROWS) if relative else None
        ),
        patch_size=PATCH,
        in_channels=1,
        dim=DIM,
        depth=2,
        heads=HEADS,
    )


def convolutions() -> nn.Sequential:
    """Build a network without attention, of about as many parameters."""
    return nn.Sequential(
        *_convolution(1, 16),
        *_convolution(16, 32),
        nn.MaxPool2d(2),
        *_convolution(32, 64),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def _convolution(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    ]


def with_shuffled_patches(scenes: Scenes, seed: int = 0) -> Scenes:
    """Put the patches of all images into one other order."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(ROWS**2, generator=generator)
    cut = scenes.images.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH)
    moved = cut.flatten(2, 3)[:, :, order].unflatten(2, (ROWS, ROWS))
    images = moved.transpose(3, 4).reshape(scenes.images.shape)
    return Scenes(images, scenes.labels, scenes.masks)


VARIANTS = {
    "none": Variant("no positions", transformer),
    "raster": Variant(
        "sinusoidal, 1-D in raster order",
        partial(transformer, RasterPositions),
    ),
    "sinusoidal": Variant(
        "sinusoidal, 2-D", partial(transformer, SinusoidalPositions2d)
    ),
    "learned": Variant(
        "learned",
        partial(transformer, partial(LearnedPositions2d, DIM, ROWS, ROWS)),
    ),
    "relative": Variant("relative bias", partial(transformer, relative=True)),
    "rotary": Variant("rotary", partial(transformer, rotary=True)),
    "convolution": Variant("convolutions, no attention", convolutions),
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant on real digits; test it also on shuffled patches."""
    torch.manual_seed(seed)
    model = VARIANTS[variant].build()
    budget.fit(model, digits("train"), seed=seed)
    test = digits("test")
    metrics = evaluate(model, test)
    shuffled = evaluate(model, with_shuffled_patches(test))["accuracy"]
    metrics["drop_shuffled"] = metrics["accuracy"] - shuffled
    return metrics
