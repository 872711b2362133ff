"""Descriptors: a map becomes one vector of length one."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention.attended import Attended
from attncourse.attention.maps import check_map


class Descriptor(nn.Module):
    r"""Pool a map and bring the vector to length one.

    .. math:: d = \frac{\operatorname{pool}(x)}{\|\operatorname{pool}(x)\|}

    The scalar product of two descriptors is their cosine, and the squared
    distance is two minus twice that, so both sort a gallery alike. Without
    the division, bright or large objects would win.

    Parameters
    ----------
    pooling
        Module from (batch, channels, height, width) to (batch, channels)
        that takes ``return_weights``: :class:`SoftplusPooling2d`,
        :class:`~attncourse.attention.GeneralizedMeanPooling`, or any other
        pooling of the course.

    Notes
    -----
    Cost: that of the pooling.
    """

    def __init__(self, pooling: nn.Module) -> None:
        super().__init__()
        self.pooling = pooling

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        *,
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "batch channels"]
        | tuple[
            Float[Tensor, "batch channels"],
            Float[Tensor, "batch heads height width"],
        ]
    ):
        """Describe each map; the weights are those of the pooling."""
        if not return_weights:
            return F.normalize(self.pooling(x), dim=1)
        pooled, weights = self.pooling(x, return_weights=True)
        return F.normalize(pooled, dim=1), weights

    def attend(self, *inputs: Any, **options: Any) -> Attended:
        """The output and the weights."""
        return Attended(*self.forward(*inputs, return_weights=True, **options))


class SoftplusPooling2d(nn.Module):
    r"""Sum the directions of all places, each as much as it matters.

    .. math::

       w_i = \log\bigl(1 + e^{u^\top \operatorname{relu}(W x_i + b) + c}
       \bigr), \qquad v = \sum_i w_i \frac{x_i}{\|x_i\|}

    The weights are not negative and do not compete: an image may have many
    places that matter, or none. The score of a place sees its full
    vector, the sum its direction alone.

    Parameters
    ----------
    channels
        Channels C of the map.
    hidden_dim
        Width a of the hidden layer.

    Raises
    ------
    ValueError
        If a width is below one.

    Notes
    -----
    Cost for N places: N(Ca + a + C) multiply-adds; a(C + 2) + 1 weights.

    References
    ----------
    Noh, Araujo, Sim, Weyand and Han, "Large-Scale Image Retrieval with
    Attentive Deep Local Features", ICCV 2017.
    """

    def __init__(self, channels: int, hidden_dim: int = 512) -> None:
        super().__init__()
        widths = {"channels": channels, "hidden_dim": hidden_dim}
        for name, width in widths.items():
            if width < 1:
                raise ValueError(f"{name} must be at least 1, got {width}")
        self.hidden = nn.Conv2d(channels, hidden_dim, kernel_size=1)
        self.score = nn.Conv2d(hidden_dim, 1, kernel_size=1)

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        *,
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "batch channels"]
        | tuple[
            Float[Tensor, "batch channels"],
            Float[Tensor, "batch 1 height width"],
        ]
    ):
        """Pool; the weights are positive and sum to any number."""
        check_map(x, self.hidden.in_channels)
        weights = F.softplus(self.score(F.relu(self.hidden(x))))
        directions = F.normalize(x, dim=1)
        pooled = torch.einsum("bchw,bhw->bc", directions, weights.squeeze(1))
        return (pooled, weights) if return_weights else pooled

    def attend(self, *inputs: Any, **options: Any) -> Attended:
        """The output and the weights."""
        return Attended(*self.forward(*inputs, return_weights=True, **options))
