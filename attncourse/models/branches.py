"""A network around one unit of branches."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import SelectiveKernel

CHANNELS = 16


class SummedBranches(nn.Module):
    """The branches in equal parts: no weights, no attention."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.branches = SelectiveKernel(
            CHANNELS, (3, 7), groups=groups
        ).branches

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Average the branches."""
        return torch.stack([branch(x) for branch in self.branches]).mean(0)


class SelectiveCNN(nn.Module):
    """A convolution, the unit under test, a convolution, and max pooling."""

    def __init__(self, unit: nn.Module) -> None:
        super().__init__()
        self.stem = _convolution(1, 2)
        self.unit = unit
        self.last = _convolution(CHANNELS, 2)
        self.classifier = nn.Linear(CHANNELS, 10)

    def forward(
        self, images: Float[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch 10"]:
        """Logits of each image."""
        maps = self.last(self.unit(self.stem(images)))
        logits: Tensor = self.classifier(maps.amax((2, 3)))
        return logits


def _convolution(channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, CHANNELS, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(CHANNELS),
        nn.ReLU(),
    )
