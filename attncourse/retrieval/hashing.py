r"""Hashes that near vectors share more often than far ones.

One such hash says little. A table joins k of them by AND: two vectors meet
there if all k agree, which happens with probability :math:`p^k`. Several
tables are joined by OR: they are candidates for each other if they meet in
one of L tables, with probability :math:`1 - (1 - p^k)^L`.
"""

from math import pi, sqrt, tau

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn


class HyperplaneHashes(nn.Module):
    r"""On which side of a random plane through the origin a vector lies.

    .. math::

       h(x) = [\,a^\top x > 0\,], \quad a \sim \mathcal N(0, I), \qquad
       P[h(x) = h(y)] = 1 - \theta / \pi

    The normal vectors are Gaussian, since that is what makes all directions
    equally likely; numbers drawn evenly from a cube favour its corners.

    Parameters
    ----------
    dim
        Width of the vectors.
    hashes
        Hashes k that have to agree in a table.
    tables
        Number of tables L.
    seed
        Decides the planes.

    Raises
    ------
    ValueError
        If a number is below one.

    Notes
    -----
    Cost for one vector: dim x hashes x tables multiply-adds.

    References
    ----------
    Charikar, "Similarity Estimation Techniques from Rounding Algorithms",
    STOC 2002.
    """

    directions: Tensor

    def __init__(
        self, dim: int, *, hashes: int = 8, tables: int = 10, seed: int = 0
    ) -> None:
        super().__init__()
        _check_counts(dim=dim, hashes=hashes, tables=tables)
        generator = torch.Generator().manual_seed(seed)
        directions = torch.randn(tables, hashes, dim, generator=generator)
        self.register_buffer("directions", directions)

    def forward(
        self, vectors: Float[Tensor, "count dim"]
    ) -> Int64[Tensor, "count tables hashes"]:
        """Codes of the vectors, 0 or 1."""
        return (project(vectors, self.directions) > 0).long()

    def distance(
        self,
        query: Float[Tensor, " dim"],
        vectors: Float[Tensor, "count dim"],
    ) -> Float[Tensor, " count"]:
        """Angles in radians; exact where an arc cosine would round."""
        one, many = F.normalize(query, dim=0), F.normalize(vectors, dim=1)
        apart, together = (one - many).norm(dim=1), (one + many).norm(dim=1)
        return 2 * torch.atan2(apart, together)

    def collision(
        self, distance: Float[Tensor, "*any"]
    ) -> Float[Tensor, "*any"]:
        """Probability that one hash of two vectors at this angle agrees."""
        return 1 - distance / pi


class PStableHashes(nn.Module):
    r"""In which cell of a random, shifted ruler a vector falls.

    .. math::

       h(x) = \left\lfloor \frac{a^\top x + b}{w} \right\rfloor, \qquad
       b \sim \mathcal U(0, w)

    With :math:`p = 2` the ruler's direction a is normal and c the Euclidean
    distance :math:`\|x - y\|_2`; with :math:`p = 1` it is Cauchy and c the
    sum of absolute differences :math:`\|x - y\|_1`:

    .. math::

       P_2 = 1 - 2\Phi(-w/c) - \frac{2 c}{\sqrt{2\pi}\, w}
       \bigl(1 - e^{-w^2 / 2c^2}\bigr), \qquad
       P_1 = \frac{2}{\pi} \arctan \frac wc - \frac{c}{\pi w}
       \ln\bigl(1 + w^2 / c^2\bigr)

    These distributions are p-stable: :math:`a^\top (x - y)` is distributed
    as c times one entry of a.

    Parameters
    ----------
    dim
        Width of the vectors.
    width
        Length w of a cell, in the unit of the distances.
    p
        Of the distance, 1 or 2.
    hashes
        Hashes k that have to agree in a table.
    tables
        Number of tables L.
    seed
        Decides the rulers.

    Raises
    ------
    ValueError
        If a count is below one, ``width`` is not positive, or ``p`` is
        neither 1 nor 2.

    Notes
    -----
    Cost for one vector: dim x hashes x tables multiply-adds.

    References
    ----------
    Datar, Immorlica, Indyk and Mirrokni, "Locality-Sensitive Hashing Scheme
    Based on p-Stable Distributions", SoCG 2004.
    """

    directions: Tensor
    offsets: Tensor

    def __init__(
        self,
        dim: int,
        width: float,
        *,
        p: int = 2,
        hashes: int = 8,
        tables: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__()
        _check_counts(dim=dim, hashes=hashes, tables=tables)
        if width <= 0:
            raise ValueError(f"width must be positive, got {width}")
        if p not in (1, 2):
            raise ValueError(f"p must be 1 or 2, got {p}")
        generator = torch.Generator().manual_seed(seed)
        directions = torch.empty(tables, hashes, dim)
        if p == 1:
            directions.cauchy_(generator=generator)
        else:
            directions.normal_(generator=generator)
        self.register_buffer("directions", directions)
        offsets = width * torch.rand(tables, hashes, generator=generator)
        self.register_buffer("offsets", offsets)
        self.width = width
        self.p = p

    def forward(
        self, vectors: Float[Tensor, "count dim"]
    ) -> Int64[Tensor, "count tables hashes"]:
        """Codes of the vectors: the numbers of their cells."""
        along = project(vectors, self.directions) + self.offsets
        return (along / self.width).floor().long()

    def distance(
        self,
        query: Float[Tensor, " dim"],
        vectors: Float[Tensor, "count dim"],
    ) -> Float[Tensor, " count"]:
        """Distances, Euclidean or sums of absolute differences."""
        distances: Tensor = (vectors - query).norm(p=self.p, dim=1)
        return distances

    def collision(
        self, distance: Float[Tensor, "*any"]
    ) -> Float[Tensor, "*any"]:
        """Probability that one hash of two vectors so far apart agrees."""
        cells = self.width / distance
        if self.p == 1:
            share = 1 / cells
            cut = share * share.square().log1p() / 2
            cut = cut - torch.xlogy(share, share)
            return 2 / pi * (cells.atan() - cut)
        missed = 2 * torch.special.ndtr(-cells)
        cut = 1 - torch.exp(-cells.square() / 2)
        agreed: Tensor = 1 - missed - 2 * cut / (sqrt(tau) * cells)
        return agreed


def candidate_probability(
    collision: Float[Tensor, "*any"], *, hashes: int, tables: int
) -> Float[Tensor, "*any"]:
    r"""Probability that two vectors meet in at least one table.

    .. math:: 1 - (1 - p^k)^L

    Parameters
    ----------
    collision
        Probability p that one hash agrees.
    hashes, tables
        Hashes k joined by AND, tables L joined by OR.

    Raises
    ------
    ValueError
        If a count is below one.
    """
    _check_counts(hashes=hashes, tables=tables)
    return 1 - (1 - collision**hashes) ** tables


def project(
    vectors: Float[Tensor, "count dim"],
    directions: Float[Tensor, "tables hashes dim"],
) -> Float[Tensor, "count tables hashes"]:
    """Scalar products with all directions.

    Raises
    ------
    ValueError
        If the vectors have another width than the directions.
    """
    if vectors.ndim != 2 or vectors.shape[1] != directions.shape[2]:
        raise ValueError(
            f"vectors must have the shape (count, {directions.shape[2]}), "
            f"got {tuple(vectors.shape)}"
        )
    return torch.einsum(
        "nd,lkd->nlk", vectors.to(directions.dtype), directions
    )


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} must be at least 1, got {count}")
