"""Spatial transformer: predict a transformation, then sample along it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention.attended import Attended
from attncourse.attention.maps import check_map
from attncourse.attention.sampling import (
    affine_sample,
    cell_centres,
    compose,
    reading_map,
)


@dataclass(frozen=True)
class Transform:
    """A family of affine maps; zeros stand for the identity.

    ``count`` numbers make a matrix (batch, 2, 3), given the aspect ratio
    height / width of the map: in normalised coordinates a rotation of a map
    that is not square is no plain rotation matrix.
    """

    count: int
    matrix: Callable[[Tensor, float], Tensor]


def _matrix(rows: list[list[Tensor]]) -> Float[Tensor, "batch 2 3"]:
    return torch.stack([torch.stack(row, -1) for row in rows], 1)


def _affine(p: Tensor, _: float) -> Float[Tensor, "batch 2 3"]:
    identity = torch.eye(2, 3, device=p.device, dtype=p.dtype)
    return identity + p.unflatten(1, (2, 3))


def _similarity(p: Tensor, aspect: float) -> Float[Tensor, "batch 2 3"]:
    log_zoom, angle, x, y = p.unbind(1)
    zoom = log_zoom.exp()
    sine, cosine = zoom * angle.sin(), zoom * angle.cos()
    return _matrix([[cosine, -aspect * sine, x], [sine / aspect, cosine, y]])


def _translation(p: Tensor, aspect: float) -> Float[Tensor, "batch 2 3"]:
    return _similarity(torch.cat([torch.zeros_like(p), p], 1), aspect)


def _scaling(p: Tensor, aspect: float) -> Float[Tensor, "batch 2 3"]:
    return _similarity(torch.cat([p, *[torch.zeros_like(p)] * 3], 1), aspect)


def _rotation(p: Tensor, aspect: float) -> Float[Tensor, "batch 2 3"]:
    zero = torch.zeros_like(p)
    return _similarity(torch.cat([zero, p, zero, zero], 1), aspect)


affine = Transform(6, _affine)
similarity = Transform(4, _similarity)
translation = Transform(2, _translation)
scaling = Transform(1, _scaling)
rotation = Transform(1, _rotation)


class SpatialTransformer(nn.Module):
    r"""Look at a map through a transformation that is predicted from it.

    .. math:: \theta = f_{loc}(U), \qquad
              V_c(p) = \sum_{n,m} U_c(n, m)\, k(x_p - m)\, k(y_p - n),
              \qquad (x_p, y_p)^\top = \theta\,(p, 1)^\top

    with the hat function :math:`k(t) = \max(0, 1 - |t|)`. The prediction
    starts at zero, hence at the identity.

    With several steps the localisation network looks again at what it has
    made of the map. The matrices are composed and the original map is
    sampled once more, so that nothing is lost at the border in between.

    Parameters
    ----------
    channels
        Channels of the map.
    transform
        ``affine`` (six numbers), or a restricted family: ``similarity``
        (zoom, angle, shift), ``translation``, ``scaling``, ``rotation``.
    steps
        How often the transformation is refined, with one network.
    size
        Height and width of the output; those of the input by default.
    localization
        Network from the map to (batch, transform.count);
        :class:`Localization` by default.

    Raises
    ------
    ValueError
        If ``channels`` or ``steps`` is below one.

    Notes
    -----
    Cost: the localisation network for each step, and four multiply-adds for
    each value of the output.

    References
    ----------
    Jaderberg et al., "Spatial Transformer Networks", NIPS 2015; Lin and
    Lucey, "Inverse Compositional Spatial Transformer Networks", CVPR 2017
    (several steps).

    Examples
    --------
    >>> output, weights = SpatialTransformer(3).attend(
    ...     torch.rand(2, 3, 32, 32)
    ... )
    >>> output.shape, weights.shape
    (torch.Size([2, 3, 32, 32]), torch.Size([2, 1, 32, 32]))
    """

    def __init__(
        self,
        channels: int,
        transform: Transform = affine,
        *,
        steps: int = 1,
        size: tuple[int, int] | None = None,
        localization: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if min(channels, steps) < 1:
            raise ValueError(
                f"channels and steps must be at least 1, got {channels} and "
                f"{steps}"
            )
        self.transform = transform
        self.steps = steps
        self.size = size
        self.localization = (
            Localization(channels, transform.count)
            if localization is None
            else localization
        )

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels rows columns"]:
        """Transform the map."""
        return affine_sample(x, self.theta(x), self._size(x))

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with weights (batch, 1, height, width).

        They tell how much each pixel of ``x`` counts in the output, and sum
        to one, less what was read outside the map.
        """
        theta, size = self.theta(x), self._size(x)
        weights = reading_map(theta, size, (x.shape[2], x.shape[3]))
        return Attended(affine_sample(x, theta, size), weights)

    def _size(self, x: Tensor) -> tuple[int, int]:
        return self.size or (x.shape[2], x.shape[3])

    def theta(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch 2 3"]:
        """Predict the matrix from output to input coordinates."""
        check_map(x)
        height, width = x.shape[2:]
        theta = self.transform.matrix(self.localization(x), height / width)
        for _ in range(self.steps - 1):
            seen = affine_sample(x, theta, (height, width))
            numbers = self.localization(seen)
            theta = compose(
                theta, self.transform.matrix(numbers, height / width)
            )
        return theta


class Localization(nn.Module):
    r"""Predict a few numbers from where things are on a map of any size.

    Two convolutions make heat maps. Each is turned into the position
    :math:`\sum_p \operatorname{softmax}(h)_p\,(x_p, y_p)` where it is high
    (a soft arg-max); these positions and the mean features go through a hidden
    layer with tanh. With ReLU there the whole layer can die, and the
    transformation freezes. The last layer starts at zero.

    Parameters
    ----------
    channels
        Channels of the map.
    count
        Numbers to predict.
    heat_maps, hidden_dim
        Widths of the layers.
    """

    def __init__(
        self,
        channels: int,
        count: int,
        *,
        heat_maps: int = 8,
        hidden_dim: int = 32,
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, 16, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
        )
        self.heat = nn.Conv2d(16, heat_maps, 1)
        self.hidden = nn.Linear(16 + 2 * heat_maps, hidden_dim)
        self.numbers = nn.Linear(hidden_dim, count)
        nn.init.zeros_(self.numbers.weight)
        nn.init.zeros_(self.numbers.bias)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch count"]:
        """Numbers that describe the transformation; zeros at the start."""
        features = self.features(x)
        heat = self.heat(features).flatten(2).softmax(-1)
        rows, columns = features.shape[2:]
        y, x_ = torch.meshgrid(
            cell_centres(rows, heat),
            cell_centres(columns, heat),
            indexing="ij",
        )
        positions = torch.stack([x_, y], -1).flatten(0, 1)
        found = (heat @ positions).flatten(1)  # (batch, 2 heat_maps)
        summary = torch.cat([features.mean((2, 3)), found], 1)
        return self.numbers(torch.tanh(self.hidden(summary)))
