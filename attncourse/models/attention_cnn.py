"""A small convolutional classifier that pools its last map by attention."""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import AdditivePooling2d, Attended


class AttentionCNN(nn.Module):
    """Convolutions, a pooling of the last map, and a linear classifier.

    The first two convolutions halve the resolution. Images of any size
    will do, since the pooling brings every map to one vector.

    Parameters
    ----------
    classes
        Number of classes.
    in_channels
        Channels of the images.
    widths
        Output channels of the 3 x 3 convolutions, each followed by batch
        normalisation and ReLU.
    pooling
        Module from (batch, widths[-1], h, w) to (batch, widths[-1]) that
        has ``attend``; :class:`AdditivePooling2d` by default.

    Raises
    ------
    ValueError
        If fewer than two widths are given.
    """

    def __init__(
        self,
        classes: int = 10,
        *,
        in_channels: int = 1,
        widths: Sequence[int] = (8, 16, 32, 32),
        pooling: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if len(widths) < 2:
            raise ValueError(
                f"widths must name at least two convolutions, got {widths}"
            )
        layers: list[nn.Module] = []
        for index, width in enumerate(widths):
            stride = 2 if index < 2 else 1
            layers += [
                nn.Conv2d(
                    in_channels, width, 3, stride, padding=1, bias=False
                ),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            in_channels = width
        self.features = nn.Sequential(*layers)
        self.pooling: Any = (  # has `attend`
            AdditivePooling2d(in_channels) if pooling is None else pooling
        )
        self.classifier = nn.Linear(in_channels, classes)

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits of each image."""
        return self.classifier(self.pooling(self.features(images)))

    def attend(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the weights of the pooling over its last map."""
        pooled, weights = self.pooling.attend(self.features(images))
        return Attended(self.classifier(pooled), weights)
