r"""Non-local block: a residual step towards what resembles each position.

.. math::

   y_i = x_i + \operatorname{BN}\Bigl(W_z \sum_j a_{ij}\, g(x_j)\Bigr), \qquad
   a_{ij} = \operatorname{softmax}_j
   \frac{\theta(x_i)^\top \phi(x_j)}{\sqrt{d}}
   \quad\text{or}\quad \frac{\theta(x_i)^\top \phi(x_j)}{N}
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention.attended import Attended
from attncourse.attention.dot_product import (
    attention_weights,
    scaled_dot_product_attention,
)
from attncourse.attention.maps import check_map, reduced


class NonLocal2d(nn.Module):
    r"""Add to every position a mixture of all positions, weighted by likeness.

    .. math:: a_{ij} = \operatorname{softmax}_j
              \frac{\theta(x_i)^\top \phi(x_j)}{\sqrt{d}}, \qquad
              y_i = x_i + \operatorname{BN}\Bigl(W_z \sum_j a_{ij}\,
              g(x_j)\Bigr)

    :math:`\theta, \phi, g` (query, key, value) are 1x1 convolutions to
    d = C / reduction channels, :math:`W_z` leads back to C. The scale of
    the batch normalisation starts at zero, so the block starts as the
    identity and can be put into a trained network.

    The formula in the paper has no :math:`\sqrt d`; the authors' code has
    it, and so has this block. timm divides by the root of C instead.

    Parameters
    ----------
    channels
        Channels C of the map.
    reduction
        The block works in C / reduction channels; must divide C.
    pool
        Take the maximum of key and value over squares of this side first.
        2 leaves a quarter of the pairs. A square that the border cuts
        counts as it is.
    softmax
        Without it the weights are the dot products over their number N:
        they may be negative and need not sum to one. Then no N x N weights
        are needed at all: key and value are multiplied first.
    device, dtype
        Of the parameters, as in ``torch.nn``.

    Raises
    ------
    ValueError
        If ``reduction`` does not divide ``channels`` or ``pool`` is below
        one.

    Notes
    -----
    Cost for N positions: :math:`4NCd + 2N^2d` multiply-adds, the pairs over
    ``pool`` squared; without softmax :math:`4NCd + 2Nd^2`. About
    :math:`4Cd` weights.

    References
    ----------
    Wang, Girshick, Gupta and He, "Non-local Neural Networks", CVPR 2018.

    Examples
    --------
    >>> output, weights = NonLocal2d(32).attend(torch.randn(2, 32, 7, 7))
    >>> output.shape, weights.shape
    (torch.Size([2, 32, 7, 7]), torch.Size([2, 1, 49, 49]))
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 2,
        *,
        pool: int = 1,
        softmax: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        width = reduced(channels, reduction)
        if pool < 1:
            raise ValueError(f"pool must be at least 1, got {pool}")
        self.pool = pool
        self.softmax = softmax
        self.project = nn.Conv2d(channels, 3 * width, kernel_size=1, **made)
        self.output = nn.Conv2d(width, channels, kernel_size=1, **made)
        self.norm = nn.BatchNorm2d(channels, **made)
        nn.init.zeros_(self.norm.weight)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Mix the positions and add the result to the map."""
        query, key, value = self._tokens(x)
        if self.softmax:
            mixed = scaled_dot_product_attention(query, key, value)
        else:  # (q k^T) v = q (k^T v)
            mixed = query @ (key.mT / key.shape[2] @ value)
        return self._add(x, mixed)

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the weights, (batch, 1, queries, keys).

        Queries are the positions and keys the pooled positions, each
        numbered row by row.
        """
        query, key, value = self._tokens(x)
        if self.softmax:
            weights = attention_weights(query, key)
        else:
            weights = query @ key.mT / key.shape[2]
        mixed = weights.to(value.dtype) @ value
        return Attended(self._add(x, mixed), weights)

    def _tokens(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> list[Float[Tensor, "batch 1 positions dim"]]:
        """Query, key and value."""
        check_map(x, self.project.in_channels)
        query, key, value = self.project(x).chunk(3, dim=1)
        if self.pool > 1:
            key = F.max_pool2d(key, self.pool, ceil_mode=True)
            value = F.max_pool2d(value, self.pool, ceil_mode=True)
        return [m.flatten(2).mT.unsqueeze(1) for m in (query, key, value)]

    def _add(
        self,
        x: Float[Tensor, "batch channels height width"],
        tokens: Float[Tensor, "batch 1 positions dim"],
    ) -> Float[Tensor, "batch channels height width"]:
        mixed = tokens.squeeze(1).mT.unflatten(2, x.shape[2:])
        return x + self.norm(self.output(mixed))
