"""Descriptors: a map becomes one vector of length one."""

from typing import Any

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import Attended
from attncourse.attention.additive import weighted_sum
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
        with ``attend``: :class:`SoftplusPooling2d`,
        :class:`~attncourse.attention.GeneralizedMeanPooling`, or any other
        pooling of the course.

    Notes
    -----
    Cost: that of the pooling.
    """

    def __init__(self, pooling: nn.Module) -> None:
        super().__init__()
        self.pooling: Any = pooling  # has `attend`

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Describe each map."""
        return F.normalize(self.pooling(x), dim=1)

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the weights of the pooling."""
        pooled, weights = self.pooling.attend(x)
        return Attended(F.normalize(pooled, dim=1), weights)


class SoftplusPooling2d(nn.Module):
    r"""Sum the directions of all positions, each as much as it matters.

    .. math::

       w_i = \log\bigl(1 + e^{u^\top \operatorname{relu}(W x_i + b) + c}
       \bigr), \qquad v = \sum_i w_i \frac{x_i}{\|x_i\|}

    The weights are not negative and do not compete: an image may have many
    positions that matter, or none. The score of a position sees its full
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
    Cost for N positions: N(Ca + a + C) multiply-adds; a(C + 2) + 1 weights.

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
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Pool the map."""
        return self.attend(x).output

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the weights, (batch, 1, height, width).

        They are positive and sum to any number.
        """
        check_map(x, self.hidden.in_channels)
        weights = F.softplus(self.score(F.relu(self.hidden(x))))
        return Attended(weighted_sum(F.normalize(x, dim=1), weights), weights)
