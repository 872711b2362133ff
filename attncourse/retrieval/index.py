"""An index: hash to a few candidates, then compare those exactly."""

from collections import defaultdict
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor


@runtime_checkable
class Hashes(Protocol):
    """What an index needs; both hashes of the course have it."""

    def __call__(
        self, vectors: Float[Tensor, "count dim"]
    ) -> Int64[Tensor, "count tables hashes"]:
        """Codes of the vectors in each table."""

    def distance(
        self,
        query: Float[Tensor, " dim"],
        vectors: Float[Tensor, "count dim"],
    ) -> Float[Tensor, " count"]:
        """True distances, which the codes stand for."""


class Neighbours(NamedTuple):
    """What :meth:`HashIndex.search` found.

    Attributes
    ----------
    indices
        Rows of the stored vectors, the nearest first; -1 where a query had
        too few candidates.
    distances
        True distances, infinite where there is no index.
    candidates
        How many vectors each query was compared with.
    """

    indices: Int64[Tensor, "queries count"]
    distances: Float[Tensor, "queries count"]
    candidates: Int64[Tensor, " queries"]


class HashIndex:
    """Stored vectors, found again by their hashes.

    A vector is a candidate for a query if all its hashes agree in one table
    at least. Candidates are sorted by their true distance: what is returned
    is never in the wrong order, but a near vector may be missing.

    Parameters
    ----------
    hashes
        :class:`HyperplaneHashes` for angles, :class:`PStableHashes` for
        distances.
    vectors
        What to search in.

    Raises
    ------
    ValueError
        If the vectors have another width than the hashes.

    Notes
    -----
    Cost of a search: the hashes of the query and one distance for each
    candidate, instead of one for each stored vector.

    References
    ----------
    Indyk and Motwani, "Approximate Nearest Neighbors: Towards Removing the
    Curse of Dimensionality", STOC 1998.
    """

    def __init__(
        self, hashes: Hashes, vectors: Float[Tensor, "count dim"]
    ) -> None:
        self.hashes = hashes
        self.vectors = vectors
        codes = hashes(vectors)
        self._tables = [_buckets(table) for table in codes.unbind(1)]

    def candidates(
        self, queries: Float[Tensor, "queries dim"]
    ) -> list[Int64[Tensor, " found"]]:
        """Rows that share a bucket with each query, in ascending order."""
        found: list[set[int]] = [set() for _ in queries]
        tables = self.hashes(queries).unbind(1)
        for buckets, codes in zip(self._tables, tables, strict=True):
            for rows, code in zip(found, codes.tolist(), strict=True):
                rows.update(buckets.get(tuple(code), ()))
        device = self.vectors.device
        return [
            torch.tensor(sorted(rows), dtype=torch.int64, device=device)
            for rows in found
        ]

    def search(
        self, queries: Float[Tensor, "queries dim"], count: int
    ) -> Neighbours:
        """Find the nearest candidates of each query.

        A query that is itself among the stored vectors finds itself first.

        Raises
        ------
        ValueError
            If ``count`` is below one.
        """
        if count < 1:
            raise ValueError(f"count must be at least 1, got {count}")
        candidates = self.candidates(queries)
        shape = len(queries), count
        indices = torch.full(shape, -1, device=self.vectors.device)
        distances = self.vectors.new_full(shape, torch.inf)
        for query, rows, near, far in zip(
            queries, candidates, indices, distances, strict=True
        ):
            exact = self.hashes.distance(query, self.vectors[rows])
            order = exact.argsort(stable=True)[:count]
            near[: len(order)] = rows[order]
            far[: len(order)] = exact[order]
        compared = [len(rows) for rows in candidates]
        return Neighbours(indices, distances, indices.new_tensor(compared))


def _buckets(
    codes: Int64[Tensor, "count hashes"],
) -> dict[tuple[int, ...], list[int]]:
    """Rows of the vectors by their code in one table."""
    buckets: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for row, code in enumerate(codes.tolist()):
        buckets[tuple(code)].append(row)
    return dict(buckets)
