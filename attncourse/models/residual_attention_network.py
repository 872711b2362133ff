"""Modules of residual attention in a row."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import ResidualAttention


class TrunkAlone(ResidualAttention):
    """The trunk of residual attention; its mask is there but not used."""

    def __init__(self, channels: int, levels: int = 2) -> None:
        super().__init__(channels, levels)
        self.mask = nn.Sequential()

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Run the trunk."""
        trunk: Tensor = self.trunk(x)
        return trunk


class ResidualAttentionNetwork(nn.Module):
    """Two convolutions, modules of attention, an average, a classifier.

    As in the paper, normalisation and ReLU stand before each convolution,
    and once more before the average.

    Parameters
    ----------
    module
        Called with a number of channels, returns a module from a map to a
        map of the same shape.
    depth
        Number of modules, one behind the other.
    classes
        Number of classes.
    """

    def __init__(
        self,
        module: Callable[[int], nn.Module],
        depth: int,
        *,
        channels: int = 16,
        classes: int = 10,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, channels, 5, 2, padding=2, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 2, padding=1, bias=False),
        )
        self.modules_in_a_row = nn.Sequential(
            *(module(channels) for _ in range(depth))
        )
        self.head = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
        self.classifier = nn.Linear(channels, classes)

    def forward(
        self, images: Float[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits of each image."""
        maps = self.head(self.modules_in_a_row(self.stem(images)))
        logits: Tensor = self.classifier(maps.mean((2, 3)))
        return logits

    @torch.no_grad()
    def masks(
        self, images: Float[Tensor, "batch 1 height width"]
    ) -> list[Float[Tensor, "batch channels rows columns"]]:
        """Masks of all modules, the first one first."""
        x, found = self.stem(images), []
        row: Any = self.modules_in_a_row
        for module in row:
            x, mask = module.attend(x)
            found.append(mask)
        return found

    @torch.no_grad()
    def growth(self, images: Float[Tensor, "batch 1 height width"]) -> float:
        """Size of the last map over that of the first, root mean square."""
        first = self.stem(images)
        last = self.modules_in_a_row(first)
        return float(
            last.square().mean().sqrt() / first.square().mean().sqrt()
        )
