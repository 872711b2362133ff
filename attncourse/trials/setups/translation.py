"""Shifted digits: which networks keep their answer, and which nearly do."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from attncourse.attention import AdditivePooling2d
from attncourse.data import ClutteredDigits, Scenes
from attncourse.models import AveragePooling2d, MaxPooling2d
from attncourse.trials.budget import Budget

CANVAS, DIGIT, FRAGMENTS = 32, 16, 4
SHIFTS = 8
CHANNELS, NARROW = 32, 12

Padding = Literal["zeros", "circular"]


class BlurredStride(nn.Module):
    """Blur with (1, 2, 1) / 4 along both axes, then take every second place.

    References
    ----------
    Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019.
    """

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels half_height half_width"]:
        """Halve the resolution."""
        line = torch.tensor([0.25, 0.5, 0.25]).to(x)
        blur = torch.outer(line, line).expand(x.shape[1], 1, 3, 3)
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        return F.conv2d(padded, blur, stride=2, groups=x.shape[1])


class AdaptiveStride(nn.Module):
    """Take every second place, from the phase that has the largest norm.

    A map of even height and width falls into four grids of every second
    place. A shift by one pixel swaps them, and the choice moves along: on a
    torus the output is the same, up to a shift of its own.

    References
    ----------
    Chaman and Dokmanić, "Truly Shift-Invariant Convolutional Neural
    Networks", CVPR 2021.
    """

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels half_height half_width"]:
        """Halve the resolution."""
        phases = F.pixel_unshuffle(x, 2).unflatten(1, (-1, 4))
        chosen = phases.square().sum((1, 3, 4)).argmax(1)
        halved: Tensor = phases[torch.arange(len(x)), :, chosen]
        return halved


class WrappedMax(nn.Module):
    """Largest value of 2 x 2 places at every place of a torus."""

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Keep the resolution."""
        wrapped = F.pad(x, (0, 1, 0, 1), mode="circular")
        return F.max_pool2d(wrapped, 2, stride=1)


def max_stride() -> nn.Module:
    """Maximum of each 2 x 2 places: the usual way to halve a map."""
    return nn.MaxPool2d(2)


def blurred_max() -> nn.Module:
    """Maximum at every place, blurred before every second one is taken."""
    return nn.Sequential(nn.MaxPool2d(2, 1), BlurredStride())


def adaptive_max() -> nn.Module:
    """Maximum at every place, then every second one, by their norm."""
    return nn.Sequential(WrappedMax(), AdaptiveStride())


def trunk(
    halve: Callable[[], nn.Module], padding: Padding, channels: int
) -> nn.Sequential:
    """Four convolutions; the map is halved behind the first two."""
    layers: list[nn.Module] = []
    widths = (1, 8, 16, 32, channels)
    for index, (before, after) in enumerate(pairwise(widths)):
        layers += [
            nn.Conv2d(
                before, after, 3, padding=1, padding_mode=padding, bias=False
            ),
            nn.BatchNorm2d(after),
            nn.ReLU(),
        ]
        if index < 2:
            layers.append(halve())
    return nn.Sequential(*layers)


def mixed(pooling: nn.Module) -> nn.Sequential:
    """Pool behind a 1 x 1 convolution; as large as additive pooling."""
    return nn.Sequential(
        nn.Conv2d(CHANNELS, CHANNELS, 1, bias=False),
        nn.BatchNorm2d(CHANNELS),
        nn.ReLU(),
        pooling,
    )


def average() -> nn.Sequential:
    """Average of all places."""
    return mixed(AveragePooling2d())


def maximum() -> nn.Sequential:
    """Largest value of each channel, wherever it stands."""
    return mixed(MaxPooling2d())


def pooled(
    head: Callable[[], nn.Module],
    halve: Callable[[], nn.Module] = max_stride,
    padding: Padding = "zeros",
) -> nn.Sequential:
    """Build a network that pools all places; variants of a seed start alike."""
    features = trunk(halve, padding, CHANNELS)
    classifier = nn.Linear(CHANNELS, 10)
    return nn.Sequential(features, head(), classifier)


def flattened() -> nn.Sequential:
    """Build a network with a weight for each place; its map is narrower."""
    places = (CANVAS // 4) ** 2
    return nn.Sequential(
        trunk(max_stride, "zeros", NARROW),
        nn.Flatten(),
        nn.Linear(NARROW * places, 10),
    )


VARIANTS: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "average": ("CNN, global average", partial(pooled, average)),
    "flat": ("CNN, a weight for each place", flattened),
    "max": ("CNN, global max", partial(pooled, maximum)),
    "attention": (
        "CNN, additive attention",
        partial(pooled, partial(AdditivePooling2d, CHANNELS)),
    ),
    "blur": (
        "anti-aliased, global average",
        partial(pooled, average, blurred_max),
    ),
    "circular": (
        "circular padding, global average",
        partial(pooled, average, padding="circular"),
    ),
    "adaptive": (
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
    place = (
        torch.arange(len(scenes.labels))[:, None, None],
        0,
        index[0, :, :, None],
        index[1, :, None, :],
    )
    images = scenes.images[place][:, None]
    if not alone:
        return images
    box = scenes.masks[place][:, None]
    return torch.where(box, images, scenes.images * ~scenes.masks)


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant, then move its test images by 1 to 8 pixels.

    ``consistency`` is the share of moves after which the class is the same
    as before, ``kept`` the share of images that keep it in all eight, and
    ``change`` the length of the change of the logits relative to theirs,
    both without their mean; ``_alone`` where the digit moves alone.
    """
    torch.manual_seed(seed)
    model = VARIANTS[variant][1]()
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
