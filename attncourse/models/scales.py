"""A map seen at several scales, fused by attention or by a rule."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import MultiScaleAttention

CHANNELS = 16
SCALES = (1.0, 0.5)


class FixedFusion(nn.Module):
    """The same views of a map, mixed by a rule without parameters.

    Parameters
    ----------
    scales
        Size of each view relative to the map.
    fuse
        Function from the stacked views (scales, batch, channels, height,
        width) to one map.
    width
        Channels inside the shared network.
    """

    def __init__(
        self,
        scales: tuple[float, ...],
        fuse: Callable[[Tensor], Tensor],
        width: int = CHANNELS,
    ) -> None:
        super().__init__()
        self.scales = scales
        self.fuse = fuse
        self.attention = attention(width)
        del self.attention.hidden, self.attention.score

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """See the map at every scale and mix what was seen."""
        views = [self.attention.view(x, scale) for scale in self.scales]
        return self.fuse(torch.stack(views))


def attention(width: int = CHANNELS) -> MultiScaleAttention:
    """Build attention over scales whose shared network is three layers."""
    layer = MultiScaleAttention(CHANNELS, SCALES)
    layer.features = nn.Sequential(
        *convolution(CHANNELS, width),
        *convolution(width, width),
        *convolution(width, CHANNELS),
    )
    return layer


def convolution(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    """Return a convolution, its normalisation and its ReLU."""
    return [
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]


class ScaleNetwork(nn.Module):
    """Two convolutions, several views fused to one map, its maximum.

    Parameters
    ----------
    fusion
        Module from a map to a map of the same shape.
    classes
        Number of classes.
    """

    def __init__(self, fusion: nn.Module, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *convolution(1, 8, stride=2), *convolution(8, CHANNELS, stride=2)
        )
        self.fusion: Any = fusion
        self.classifier = nn.Linear(CHANNELS, classes)

    def forward(
        self, images: Float[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits of each image."""
        maps = self.fusion(self.stem(images))
        logits: Tensor = self.classifier(maps.amax((2, 3)))
        return logits

    @torch.no_grad()
    def shares(
        self, images: Float[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch scales rows columns"]:
        """Share of each scale at each position."""
        return self.fusion.attend(self.stem(images)).weights
