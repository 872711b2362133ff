"""Maps of where people look: the middle, contrast, and a network."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class Centre(nn.Module):
    """The mean density of the training scenes, whatever the image."""

    prior: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("prior", torch.full((1, 1, 64, 64), 64**-2))

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 1 height width"]:
        """Return the same density for every image."""
        return self.prior.expand(images.shape[0], -1, -1, -1)


class Contrast(nn.Module):
    """Centre minus surround of brightness and of two opponent colours.

    After Itti, Koch and Niebur, "A model of saliency-based visual attention
    for rapid scene analysis", TPAMI 1998, at two scales and without the
    orientations. Nothing is learnt.
    """

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 1 height width"]:
        """Return a map that sums to one."""
        red, green, blue = images.split(1, 1)
        features = torch.cat(
            [(red + green + blue) / 3, red - green, blue - (red + green) / 2],
            1,
        )
        contrasts = torch.cat(
            [
                _mean(features, centre) - _mean(features, surround)
                for centre, surround in ((5, 17), (9, 33))
            ],
            1,
        )
        summed = contrasts.abs().sum(1, keepdim=True)
        heights = _mean(summed.square(), 9) + 1e-6
        shares: Tensor = heights / heights.sum((2, 3), keepdim=True)
        return shares


class SaliencyNetwork(nn.Module):
    """Five convolutions and a softmax over all pixels.

    Parameters
    ----------
    bias
        Whether to add a learnt log-density of the position alone, made of
        the square distances from the middle in x and in y.
    """

    def __init__(self, *, bias: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        shapes = [(12, 5, 2), (24, 3, 2), (24, 3, 1), (24, 3, 1)]
        for after, kernel, stride in shapes:
            layers += [
                nn.Conv2d(
                    before,
                    after,
                    kernel,
                    stride,
                    padding=kernel // 2,
                    bias=False,
                ),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
            before = after
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, 1, 1))
        self.bias = nn.Parameter(torch.zeros(2)) if bias else None

    def logits(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 1 height width"]:
        """Logits of where the next look lands."""
        height, width = images.shape[2:]
        coarse = self.layers(images)
        logits = F.interpolate(
            coarse, (height, width), mode="bilinear", align_corners=False
        )
        if self.bias is None:
            return logits
        y = torch.linspace(-1, 1, height).to(logits)[:, None].square()
        x = torch.linspace(-1, 1, width).to(logits).square()
        return logits + self.bias[0] * x + self.bias[1] * y

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 1 height width"]:
        """Return a density that sums to one."""
        logits = self.logits(images)
        return logits.flatten(1).softmax(1).view_as(logits)


class TimesCentre(nn.Module):
    """The product of another map and the mean density of the training."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.centre = Centre()

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 1 height width"]:
        """Return a density that sums to one."""
        product = self.inner(images) * self.centre(images)
        shares: Tensor = product / product.sum((2, 3), keepdim=True)
        return shares


def _mean(
    values: Float[Tensor, "batch channels height width"], side: int
) -> Float[Tensor, "batch channels height width"]:
    """Mean over a square around each pixel, of what lies in the image."""
    for shape in ((side, 1), (1, side)):
        padding = (shape[0] // 2, shape[1] // 2)
        values = F.avg_pool2d(
            values, shape, 1, padding, count_include_pad=False
        )
    return values
