"""What a network that looks closely at few patches is held against."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse.attention import DynamicCapacity


class WholeImage(nn.Module):
    """One trunk over the whole image, then the top of the dynamic network.

    Parameters
    ----------
    trunk
        From the image to a map of 10 x 10 positions.
    width
        Channels of that map.
    margin
        Zeros around the image.
    """

    def __init__(self, trunk: nn.Module, width: int, margin: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.margin = margin
        self.hidden = nn.Conv2d(width, width, 1)
        self.classifier = nn.Linear(width, 10)

    def forward(
        self, x: Float[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch 10"]:
        """Logits."""
        maps = self.trunk(F.pad(x, [self.margin] * 4))
        strongest = self.hidden(maps).relu().amax((2, 3))
        logits: Tensor = self.classifier(strongest)
        return logits


class RandomPatches(DynamicCapacity):
    """Patches anywhere, drawn anew in every call."""

    def saliency(
        self, coarse: Float[Tensor, "batch dim rows columns"]
    ) -> Float[Tensor, "batch 1 rows columns"]:
        """Noise."""
        return torch.rand_like(coarse[:, :1])


class CentrePatches(DynamicCapacity):
    """Patches at the centre of the image, the same in every image."""

    def saliency(
        self, coarse: Float[Tensor, "batch dim rows columns"]
    ) -> Float[Tensor, "batch 1 rows columns"]:
        """Falls with the distance from the middle."""
        row, column = (
            torch.arange(size, device=coarse.device) - (size - 1) / 2
            for size in coarse.shape[2:]
        )
        distance = row[:, None] ** 2 + column**2
        # Several positions are as near; the first in reading order wins.
        order = torch.arange(distance.numel(), device=coarse.device)
        distance = distance + 1e-3 * order.view_as(distance)
        return (1 / (1 + distance)).expand(len(coarse), 1, -1, -1)


class InkPatches(DynamicCapacity):
    """The patches with the most ink: no network is asked."""

    def look(self, x: Tensor):  # type: ignore[no-untyped-def]
        self._ink = F.avg_pool2d(self._padded(x), self.PATCH, self.STRIDE)
        return super().look(x)

    def saliency(
        self, coarse: Float[Tensor, "batch dim rows columns"]
    ) -> Float[Tensor, "batch 1 rows columns"]:
        """Mean brightness of each patch."""
        return self._ink


class ChangedSaliency(DynamicCapacity):
    """A copy of a trained network that looks elsewhere.

    Parameters
    ----------
    model
        The trained network.
    change
        Function from its saliency to the one that is used.
    """

    def __init__(
        self, model: DynamicCapacity, change: Callable[[Tensor], Tensor]
    ) -> None:
        first = next(model.coarse.parameters())  # (width, channels, 5, 5)
        super().__init__(
            first.shape[1],
            model.classifier.out_features,
            patches=model.patches,
            width=model.classifier.in_features,
        )
        self.load_state_dict(model.state_dict())
        self.train(model.training)
        self.change = change

    def saliency(
        self, coarse: Float[Tensor, "batch dim rows columns"]
    ) -> Float[Tensor, "batch 1 rows columns"]:
        """Return the changed map."""
        return self.change(super().saliency(coarse))


def coarse_trunk(first: int, width: int) -> nn.Sequential:
    """Build the coarse layers of the dynamic network, in other widths."""
    return nn.Sequential(
        nn.AvgPool2d(2),
        *_convolution(1, first, 5, stride=2, padding=2),
        *_convolution(first, width, 3, stride=2, padding=1),
    )


def fine_trunk(first: int, second: int, width: int) -> nn.Sequential:
    """Build the fine layers of the dynamic network, in other widths."""
    return nn.Sequential(
        *_convolution(1, first, 5, stride=2),
        *_convolution(first, second, 3),
        nn.MaxPool2d(2),
        *_convolution(second, width, 3),
        nn.MaxPool2d(2),
    )


def _convolution(
    channels: int, width: int, kernel: int, stride: int = 1, padding: int = 0
) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(channels, width, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )
