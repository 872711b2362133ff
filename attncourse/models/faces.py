"""A face network: from a face to a vector that stands for the person."""

from collections.abc import Callable, Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import SelfAttention2d


class FaceNetwork(nn.Module):
    r"""Bring faces of one person near each other on a sphere.

    Convolutions that halve the resolution, with attention behind each but
    the first, where the map is still large; then a coarse grid of averages,
    which keeps what is above and below, and one linear layer. There are no
    classes: two faces are compared by the cosine of their vectors, people
    never seen in training included. Train it with
    :class:`~attncourse.losses.AngularMarginLoss` or
    :func:`~attncourse.losses.semi_hard_triplet_loss`.

    Parameters
    ----------
    dim
        Width of the embeddings.
    in_channels
        Channels of the images.
    widths
        Output channels of the 3 x 3 convolutions of stride 2, each followed
        by batch normalisation and ReLU.
    attention
        Called with a number of channels, returns a module from a map to a
        map of the same shape. The default starts as the identity, and so
        the network as one without attention; it needs widths that are
        multiples of eight.
    grid
        Rows and columns of the grid.

    Raises
    ------
    ValueError
        If fewer than two widths are given, or ``dim`` or ``grid`` is below
        one.

    References
    ----------
    Schroff, Kalenichenko and Philbin, "FaceNet: A Unified Embedding for
    Face Recognition and Clustering", CVPR 2015 (embeddings of length one).
    """

    def __init__(
        self,
        dim: int = 128,
        *,
        in_channels: int = 3,
        widths: Sequence[int] = (32, 64, 128),
        attention: Callable[[int], nn.Module] = SelfAttention2d,
        grid: int = 4,
    ) -> None:
        super().__init__()
        if len(widths) < 2:
            raise ValueError(
                f"widths must name at least two convolutions, got {widths}"
            )
        for name, number in {"dim": dim, "grid": grid}.items():
            if number < 1:
                raise ValueError(f"{name} must be at least 1, got {number}")
        layers: list[nn.Module] = []
        for index, width in enumerate(widths):
            layers += [
                nn.Conv2d(in_channels, width, 3, 2, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            if index:
                layers.append(attention(width))
            in_channels = width
        self.features = nn.Sequential(*layers)
        self.grid = grid
        self.embed = nn.Linear(in_channels * grid**2, dim)

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch dim"]:
        """Embed each face, of any size; the vectors have length one."""
        cells = F.adaptive_avg_pool2d(self.features(images), self.grid)
        return F.normalize(self.embed(cells.flatten(1)), dim=1)
