"""Ways to halve a map, and how they bear a shift."""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

Padding = Literal["zeros", "circular"]


class BlurredStride(nn.Module):
    """Blur with (1, 2, 1) / 4 along both axes, then take every second one.

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
    """Take every second position, from the phase that has the largest norm.

    A map of even height and width falls into four grids of every second
    position. A shift by one pixel swaps them, and the choice moves along: on a
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
    """Largest value of 2 x 2 positions at every position of a torus."""

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Keep the resolution."""
        wrapped = F.pad(x, (0, 1, 0, 1), mode="circular")
        return F.max_pool2d(wrapped, 2, stride=1)


def max_stride() -> nn.Module:
    """Maximum of each 2 x 2 positions: the usual way to halve a map."""
    return nn.MaxPool2d(2)


def blurred_max() -> nn.Module:
    """Maximum at every position, blurred before every second one is taken."""
    return nn.Sequential(nn.MaxPool2d(2, 1), BlurredStride())


def adaptive_max() -> nn.Module:
    """Maximum at every position, then every second one, by their norm."""
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
