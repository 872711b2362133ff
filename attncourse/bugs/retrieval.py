"""Retrieval, written wrongly in six ways."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from attncourse.attention import Attended
from attncourse.models import GalleryAttention
from attncourse.retrieval import Descriptor, HyperplaneHashes
from attncourse.retrieval.hashing import project


class SummedHashes(HyperplaneHashes):
    """Wrong: the projections of a table are added up, not kept apart.

    The sum of projections is one projection on the sum of the directions.
    However many directions there are, a table tells two kinds of vectors
    apart and no more.
    """

    def forward(
        self, vectors: Float[Tensor, "count dim"]
    ) -> Int64[Tensor, "count tables 1"]:
        """One code for all hashes of a table."""
        along = project(vectors, self.directions).sum(2, keepdim=True)
        return (along > 0).long()


class DirectionsFromACube(HyperplaneHashes):
    """Wrong: the directions are drawn evenly from the cube [-1, 1]^d.

    There are more of them towards the corners, so the probability of a
    collision depends on where the two vectors lie, not on their angle
    alone.
    """

    def __init__(
        self, dim: int, *, hashes: int = 8, tables: int = 10, seed: int = 0
    ) -> None:
        super().__init__(dim, hashes=hashes, tables=tables)
        generator = torch.Generator().manual_seed(seed)
        shape = self.directions.shape
        self.directions = 2 * torch.rand(shape, generator=generator) - 1


def similar_to_the_grid(
    vectors: Float[Tensor, "count dim"],
    *,
    directions: int = 8,
    intervals: int = 10,
    tolerance: float = 0.02,
    seed: int = 0,
) -> Bool[Tensor, " count"]:
    """Wrong: a vector is called similar without a second one to compare.

    Summed projections are compared with the points that divide [-1, 1]
    into intervals. Who comes close to a point passes, whatever the query:
    near duplicates and unrelated vectors pass equally often. Values outside
    [-1, 1], which most vectors have, never do.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = directions, vectors.shape[1]
    random = 2 * torch.rand(shape, generator=generator) - 1
    along = vectors @ random.sum(0)
    grid = torch.linspace(-1, 1, intervals + 1)
    return ((along[:, None] - grid).abs() < tolerance).any(1)


class CausalGallery(GalleryAttention):
    """Wrong: a mask for sequences hides a part of the gallery.

    Query i sees the items up to i. A gallery is a set; what a query may
    see must not depend on where in it an image happens to stand.
    """

    def forward(
        self,
        queries: Float[Tensor, "queries dim"],
        items: Float[Tensor, "items dim"],
        mask: Bool[Tensor, "queries items"] | None = None,
    ) -> Float[Tensor, "queries dim"]:
        """Attend to the items before the number of the query."""
        return self.attend(queries, items).output

    def attend(
        self,
        queries: Float[Tensor, "queries dim"],
        items: Float[Tensor, "items dim"],
        mask: Bool[Tensor, "queries items"] | None = None,
    ) -> Attended:
        """The same with the weights."""
        pairs = torch.ones(len(queries), len(items), dtype=torch.bool)
        return super().attend(queries, items, pairs.tril())


class ShiftedGallery(GalleryAttention):
    """Wrong: the key of an item comes with the value of the next one.

    ``items[:-1]`` and ``items[1:]`` predict the next word of a sentence. In
    a gallery a query that finds an image receives its neighbour.
    """

    def forward(  # type: ignore[override]
        self,
        queries: Float[Tensor, "queries dim"],
        items: Float[Tensor, "items dim"],
    ) -> Tensor:
        """Attend to items one position off."""
        scale = queries.shape[1] ** 0.5
        scaled = scale * items[None]
        found = self.attention(
            scale * queries[None], scaled[:, :-1], scaled[:, 1:]
        )
        return self._add(scale * queries, found)


class SamplesAsScales(Descriptor):
    """Wrong: meant to join several maps of an image, it joins the images.

    A loop over what should be a list of maps runs over the batch of a
    single one, and the vectors are laid side by side on the last axis: one
    table for the whole batch, whatever its size.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pool the first axis one by one."""
        pooled = [self.pooling(each[None]).mT for each in x]
        return torch.cat(pooled, -1)  # (channels, batch)
