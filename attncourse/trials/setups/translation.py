"""Shifted digits: which networks keep their answer, and which nearly do."""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from attncourse.attention import AdditivePooling2d
from attncourse.data import ClutteredDigits, Scenes
from attncourse.models import AveragePooling2d, MaxPooling2d
from attncourse.models.strides import (
    Padding,
    adaptive_max,
    blurred_max,
    max_stride,
    trunk,
)
from attncourse.trials.budget import Budget
from attncourse.trials.runs import Variant

CANVAS, DIGIT, FRAGMENTS = 32, 16, 4
SHIFTS = 8
CHANNELS, NARROW = 32, 12


def mixed(pooling: nn.Module) -> nn.Sequential:
    """Pool behind a 1 x 1 convolution; as large as additive pooling."""
    return nn.Sequential(
        nn.Conv2d(CHANNELS, CHANNELS, 1, bias=False),
        nn.BatchNorm2d(CHANNELS),
        nn.ReLU(),
        pooling,
    )


def average() -> nn.Sequential:
    """Average of all positions."""
    return mixed(AveragePooling2d())


def maximum() -> nn.Sequential:
    """Largest value of each channel, wherever it stands."""
    return mixed(MaxPooling2d())


def pooled(
    head: Callable[[], nn.Module],
    halve: Callable[[], nn.Module] = max_stride,
    padding: Padding = "zeros",
) -> nn.Sequential:
    """Build a network that pools its map; variants of a seed start alike."""
    features = trunk(halve, padding, CHANNELS)
    classifier = nn.Linear(CHANNELS, 10)
    return nn.Sequential(features, head(), classifier)


def flattened() -> nn.Sequential:
    """Build a network with a weight for each position; its map is narrower."""
    positions = (CANVAS // 4) ** 2
    return nn.Sequential(
        trunk(max_stride, "zeros", NARROW),
        nn.Flatten(),
        nn.Linear(NARROW * positions, 10),
    )


VARIANTS = {
    "average": Variant("CNN, global average", partial(pooled, average)),
    "flat": Variant("CNN, a weight for each position", flattened),
    "max": Variant("CNN, global max", partial(pooled, maximum)),
    "attention": Variant(
        "CNN, additive attention",
        partial(pooled, partial(AdditivePooling2d, CHANNELS)),
    ),
    "blur": Variant(
        "anti-aliased, global average", partial(pooled, average, blurred_max)
    ),
    "circular": Variant(
        "circular padding, global average",
        partial(pooled, average, padding="circular"),
    ),
    "adaptive": Variant(
        "circular padding, adaptive phase, global average",
        partial(pooled, average, adaptive_max, "circular"),
    ),
}


def directions(
    masks: Bool[Tensor, "count 1 32 32"],
) -> Int64[Tensor, "2 count"]:
    """Choose where each digit can go and stay on the canvas for 8 pixels.

    Steps along y and x: vertical in every second scene, horizontal in the
    others, away from the nearer border.
    """
    corner = torch.stack([masks.any(3), masks.any(2)]).int().argmax(-1)
    away = torch.where(corner[..., 0] <= SHIFTS, 1, -1)
    axis = torch.arange(len(masks)) % 2
    return away * torch.stack([axis, 1 - axis])


def moved(
    scenes: Scenes, by: int, *, alone: bool = False
) -> Float[Tensor, "count 1 32 32"]:
    """Move each image by so many pixels, or the digit alone.

    The image comes in again on the other side, so that nothing is lost; the
    digit is never cut. Where a digit moves alone, it uncovers black.
    """
    assert scenes.masks is not None
    step = by * directions(scenes.masks)
    index = (torch.arange(CANVAS) - step[..., None]) % CANVAS
    moved_from = (
        torch.arange(len(scenes.labels))[:, None, None],
        0,
        index[0, :, :, None],
        index[1, :, None, :],
    )
    images = scenes.images[moved_from][:, None]
    if not alone:
        return images
    box = scenes.masks[moved_from][:, None]
    return torch.where(box, images, scenes.images * ~scenes.masks)


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant, then move its test images by 1 to 8 pixels.

    ``consistency`` is the share of moves after which the class is the same
    as before, ``kept`` the share of images that keep it in all eight, and
    ``change`` the length of the change of the logits relative to theirs,
    both without their mean; ``_alone`` where the digit moves alone.
    """
    torch.manual_seed(seed)
    model = VARIANTS[variant].build()
    budget.fit(model, clutter(budget.scenes, seed=seed), seed=seed)
    test = clutter(budget.test_scenes, split="test").draw()
    with torch.no_grad():
        start = centred(model(test.images))
        chosen = start.argmax(1)
        metrics = {"accuracy": (chosen == test.labels).double().mean().item()}
        for name, alone in ("", False), ("_alone", True):
            ends = torch.stack(
                [
                    centred(model(moved(test, by, alone=alone)))
                    for by in range(1, SHIFTS + 1)
                ]
            )
            same = (ends.argmax(2) == chosen).double()
            change = (ends - start).norm(dim=2) / start.norm(dim=1)
            metrics |= {
                f"consistency{name}": same.mean().item(),
                f"kept{name}": same.amin(0).mean().item(),
                f"change{name}": change.mean().item(),
            }
            metrics |= {
                f"consistency{name}_{by}": share.item()
                for by, share in enumerate(same.mean(1), start=1)
            }
    return metrics


def clutter(
    count: int, *, split: str = "train", seed: int = 0
) -> ClutteredDigits:
    """Digits of 16 pixels among four fragments, on 32 x 32 pixels."""
    return ClutteredDigits(
        count,
        size=CANVAS,
        digit_size=DIGIT,
        fragments=FRAGMENTS,
        split=split,
        seed=seed,
    )


def centred(
    logits: Float[Tensor, "count 10"],
) -> Float[Tensor, "count 10"]:
    """Take off the mean, which no probability depends on."""
    return logits - logits.mean(1, keepdim=True)
