import pytest
import torch
import torch.nn.functional as F
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torch.testing import assert_close

from attncourse.retrieval import HashIndex, HyperplaneHashes, PStableHashes


def clustered(count: int, dim: int = 17) -> tuple[Tensor, Tensor]:
    """Unit vectors around 29 centres, and a query near each centre."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(29, dim, generator=generator)
    which = torch.arange(count) % 29
    noise = torch.randn(count, dim, generator=generator)
    queries = centres + 0.1 * torch.randn(29, dim, generator=generator)
    stored = centres[which] + 0.4 * noise
    return F.normalize(stored, dim=1), F.normalize(queries, dim=1)


@pytest.mark.parametrize(
    ("hashes", "metric"),
    [
        (HyperplaneHashes(17, hashes=1, tables=23), "cosine"),
        (PStableHashes(17, 9.0, hashes=1, tables=23), "euclidean"),
    ],
)
def test_with_enough_tables_it_finds_what_brute_force_finds(
    hashes, metric: str
) -> None:
    stored, queries = clustered(211)
    exact = NearestNeighbors(metric=metric, algorithm="brute").fit(stored)
    expected, rows = exact.kneighbors(queries, n_neighbors=7)
    found = HashIndex(hashes, stored).search(queries, 7)
    assert torch.equal(found.indices, torch.from_numpy(rows))
    expected = torch.from_numpy(expected).to(found.distances.dtype)
    distances = found.distances
    if metric == "cosine":
        distances = 1 - distances.cos()
    assert_close(distances, expected, atol=1e-6, rtol=1e-5)


def test_candidates_are_those_that_share_a_bucket() -> None:
    stored, queries = clustered(211)
    hashes = HyperplaneHashes(17, hashes=5, tables=3)
    found = HashIndex(hashes, stored).candidates(queries)
    left, right = hashes(queries), hashes(stored)
    for query, rows in enumerate(found):
        expected = [
            row
            for row in range(211)
            if any(
                torch.equal(left[query, table], right[row, table])
                for table in range(3)
            )
        ]
        assert rows.tolist() == expected


def test_more_hashes_cost_recall_and_more_tables_bring_it_back() -> None:
    stored, queries = clustered(997)
    nearest = (queries @ stored.T).argmax(1)
    recall, share = {}, {}
    for hashes, tables in ((4, 1), (16, 1), (16, 31)):
        index = HashIndex(
            HyperplaneHashes(17, hashes=hashes, tables=tables), stored
        )
        found = index.search(queries, 1)
        right = found.indices[:, 0] == nearest
        recall[hashes, tables] = right.float().mean().item()
        share[hashes, tables] = found.candidates.float().mean() / 997
    assert recall[4, 1] > recall[16, 1] + 0.3
    assert recall[16, 31] > recall[16, 1] + 0.5
    assert share[16, 31] < share[4, 1] / 2


def test_results_are_in_order_and_missing_ones_are_marked() -> None:
    stored, queries = clustered(211)
    index = HashIndex(HyperplaneHashes(17, hashes=9, tables=2), stored)
    found = index.search(queries, 13)
    assert found.indices.shape == found.distances.shape == (29, 13)
    missing = found.indices == -1
    assert missing.any()
    assert torch.equal(missing, found.distances.isinf())
    assert torch.equal((~missing).sum(1), found.candidates.clamp(max=13))
    assert (found.distances.diff(dim=1).nan_to_num() >= 0).all()


def test_a_stored_query_finds_itself_first() -> None:
    stored, _ = clustered(211)
    found = HashIndex(HyperplaneHashes(17), stored).search(stored[5:8], 2)
    assert found.indices[:, 0].tolist() == [5, 6, 7]
    assert (found.distances[:, 0] == 0).all()


def test_no_queries_and_nothing_stored() -> None:
    stored, queries = clustered(211)
    hashes = HyperplaneHashes(17)
    assert HashIndex(hashes, stored).search(queries[:0], 3).indices.shape == (
        0,
        3,
    )
    found = HashIndex(hashes, stored[:0]).search(queries, 3)
    assert (found.indices == -1).all()
    assert (found.candidates == 0).all()


def test_nothing_to_find_is_refused() -> None:
    stored, queries = clustered(211)
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        HashIndex(HyperplaneHashes(17), stored).search(queries, 0)
