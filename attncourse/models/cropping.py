"""A classifier behind a spatial transformer."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import Attended
from attncourse.attention.sampling import affine_sample, compose, reading_map
from attncourse.attention.spatial_transformer import (
    Localization,
    SpatialTransformer,
    Transform,
    similarity,
)

CROP = 20  # pixels of the side of a crop


class Crop(nn.Module):
    """A classifier behind a spatial transformer.

    With ``still`` the transformation stays what it is at the start, which
    averages squares of 2 x 2 pixels, whatever the localisation says.
    """

    def __init__(
        self,
        classifier: nn.Module,
        transformer: SpatialTransformer,
        *,
        still: bool = False,
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.classifier = classifier
        self.still = still

    def theta(
        self, images: Float[Tensor, "batch 1 40 40"]
    ) -> Float[Tensor, "batch 2 3"]:
        """Matrix from the crop to the image."""
        if self.still:
            return torch.eye(2, 3).to(images).expand(len(images), 2, 3)
        return self.transformer.theta(images)

    def forward(
        self, images: Float[Tensor, "batch 1 40 40"]
    ) -> Float[Tensor, "batch 10"]:
        """Logits."""
        if self.still:
            crop = affine_sample(images, self.theta(images), (CROP, CROP))
        else:
            crop = self.transformer(images)
        return self.classifier(crop)

    def attend(self, images: Float[Tensor, "batch 1 40 40"]) -> Attended:
        """The same, and how much each pixel counts in the crop."""
        theta = self.theta(images)
        canvas = (images.shape[2], images.shape[3])
        weights = reading_map(theta, (CROP, CROP), canvas)
        return Attended(self.forward(images), weights)


class ResampledTransformer(SpatialTransformer):
    """Several steps that each sample what the last one left over.

    What one step has moved out of the frame is lost to the next, and every
    step blurs. The mistake is made on purpose.
    """

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels rows columns"]:
        """Sample once for each step."""
        return self._passes(x)[0]

    def theta(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch 2 3"]:
        """Compose the matrices of the steps."""
        return self.frames(x)[-1]

    def frames(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> list[Float[Tensor, "batch 2 3"]]:
        """Matrix from what each step samples to the map."""
        return self._passes(x)[1]

    def _passes(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        size = (x.shape[2], x.shape[3])
        whole = torch.eye(2, 3).to(x).expand(len(x), 2, 3)
        frames = []
        for step in range(self.steps):
            numbers = self.localization(x)
            theta = self.transform.matrix(numbers, size[0] / size[1])
            last = step == self.steps - 1
            x = affine_sample(x, theta, self.size or size if last else size)
            whole = compose(whole, theta)
            frames.append(whole)
        return x, frames


def _upright(p: Tensor, aspect: float) -> Float[Tensor, "batch 2 3"]:
    zoom, location = p[:, :1], p[:, 1:]
    still = torch.zeros_like(zoom)
    return similarity.matrix(torch.cat([zoom, still, location], 1), aspect)


upright = Transform(3, _upright)  # zoom and location, no angle


def wide_localization(width: int) -> Localization:
    """Build the localisation network with more channels; same layers."""
    network = Localization(1, similarity.count)
    network.features = nn.Sequential(
        nn.Conv2d(1, width, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )
    heat_maps, hidden = network.heat.out_channels, network.hidden.out_features
    network.heat = nn.Conv2d(width, heat_maps, 1)
    network.hidden = nn.Linear(width + 2 * heat_maps, hidden)
    return network


class ChangedTransformer(SpatialTransformer):
    """A trained transformer whose transformation is changed before use.

    Parameters
    ----------
    transformer
        The trained transformer.
    change
        Function from the predicted matrices to those that are used.
    """

    def __init__(
        self,
        transformer: SpatialTransformer,
        change: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__(
            1,
            transformer.transform,
            size=transformer.size,
            localization=transformer.localization,
        )
        self.inner = transformer
        self.change = change

    def theta(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch 2 3"]:
        """Return the changed matrix."""
        return self.change(self.inner.theta(x))
