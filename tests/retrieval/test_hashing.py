import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from attncourse.bugs import retrieval as wrong
from attncourse.retrieval import (
    HyperplaneHashes,
    PStableHashes,
    candidate_probability,
)

MANY = 20_000  # draws: three standard deviations of a rate are 0.011


def at_angle(angle: float, turn: float = 0.0, dim: int = 2) -> Tensor:
    """Two unit vectors in the first plane, both turned."""
    pair = torch.zeros(2, dim)
    for row, position in zip(pair, (turn, turn + angle), strict=True):
        row[0], row[1] = math.cos(position), math.sin(position)
    return pair


def meeting_rate(codes: Tensor) -> float:
    """Share of the tables in which the first two vectors meet."""
    return (codes[0] == codes[1]).all(-1).float().mean().item()


def contract_collisions_depend_on_the_angle_alone(kind) -> None:
    hashes = kind(2, hashes=1, tables=MANY)
    for angle in (0.3, math.pi / 4, 2.0, 3.0):
        expected = hashes.collision(torch.tensor(angle)).item()
        for turn in (0.0, math.pi / 8, 1.0):
            rate = meeting_rate(hashes(at_angle(angle, turn)))
            assert abs(rate - expected) < 0.011


def contract_all_hashes_of_a_table_must_agree(kind) -> None:
    hashes = kind(5, hashes=3, tables=MANY)
    rate = meeting_rate(hashes(at_angle(1.0, dim=5)))
    assert abs(rate - (1 - 1 / math.pi) ** 3) < 0.011


CONTRACTS = [
    contract_collisions_depend_on_the_angle_alone,
    contract_all_hashes_of_a_table_must_agree,
]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_hyperplanes_keep_their_contract(contract) -> None:
    contract(HyperplaneHashes)


def test_directions_from_a_cube_are_rejected() -> None:
    with pytest.raises(AssertionError):
        contract_collisions_depend_on_the_angle_alone(
            wrong.DirectionsFromACube
        )
    cube = wrong.DirectionsFromACube(2, hashes=1, tables=MANY)
    rate = meeting_rate(cube(at_angle(math.pi / 4, math.pi / 8)))
    assert abs(rate - 0.7085) < 0.011


def test_summed_hashes_are_rejected() -> None:
    with pytest.raises(AssertionError):
        contract_all_hashes_of_a_table_must_agree(wrong.SummedHashes)


def near_and_far(count: int = 2000, dim: int = 32) -> tuple[Tensor, Tensor]:
    """A query repeated with a little noise, and unrelated unit vectors."""
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(dim, generator=generator)
    near = query + 0.2 * torch.randn(count, dim, generator=generator)
    far = torch.randn(count, dim, generator=generator)
    return tuple(
        torch.nn.functional.normalize(v, dim=1)
        for v in (torch.cat([query[None], near]), far)
    )


def contract_near_vectors_are_found_more_often(found) -> None:
    """``found`` tells which rows it takes to be like the first."""
    near, far = near_and_far()
    both = found(torch.cat([near, far]))
    rate_near = both[1 : len(near)].float().mean()
    rate_far = both[len(near) :].float().mean()
    assert rate_near > 2 * rate_far


@pytest.mark.parametrize(
    "hashes",
    [
        HyperplaneHashes(32, hashes=5, tables=3),
        PStableHashes(32, 1.0, hashes=5, tables=3),
        PStableHashes(32, 5.0, p=1, hashes=5, tables=3),
    ],
)
def test_near_vectors_meet_more_often(hashes) -> None:
    def found(vectors: Tensor) -> Tensor:
        codes = hashes(vectors)
        return (codes == codes[:1]).all(-1).any(-1)

    contract_near_vectors_are_found_more_often(found)


def test_similarity_to_a_grid_is_rejected() -> None:
    with pytest.raises(AssertionError):
        contract_near_vectors_are_found_more_often(wrong.similar_to_the_grid)


@pytest.mark.parametrize("distance", [0.3, 1.0, 4.0, 9.0])
def test_p_stable_collisions_follow_theory(distance: float) -> None:
    hashes = PStableHashes(5, 4.0, hashes=1, tables=MANY)
    start = torch.randn(5)
    pair = torch.stack([start, start + distance * torch.eye(5)[2]])
    expected = hashes.collision(torch.tensor(distance)).item()
    assert abs(meeting_rate(hashes(pair)) - expected) < 0.011


@pytest.mark.parametrize("distance", [0.3, 1.0, 4.0, 9.0])
def test_cauchy_collisions_follow_theory_for_the_sum_of_differences(
    distance: float,
) -> None:
    """Two steps along two axes: the Euclidean distance is another one."""
    hashes = PStableHashes(5, 4.0, p=1, hashes=1, tables=MANY)
    start = torch.randn(5)
    step = distance * torch.tensor([0.0, 0.25, 0.0, -0.75, 0.0])
    pair = torch.stack([start, start + step])
    expected = hashes.collision(torch.tensor(distance)).item()
    assert abs(meeting_rate(hashes(pair)) - expected) < 0.011
    assert_close(hashes.distance(pair[0], pair[1:]), torch.tensor([distance]))


def test_cauchy_theory_is_the_integral_of_its_derivation() -> None:
    hashes = PStableHashes(2, 4.0, p=1)
    for distance in (1.0, 4.0):
        gap = torch.linspace(0, 4, 200_001, dtype=torch.float64)
        density = 2 * distance / (math.pi * (distance**2 + gap**2))
        expected = torch.trapezoid(density * (1 - gap / 4), gap)
        found = hashes.collision(torch.tensor(distance).double())
        assert_close(found, expected)
    assert hashes.collision(torch.tensor(0.0)) == 1


def test_p_stable_theory_is_the_integral_of_its_derivation() -> None:
    """A gap of length t < w is bridged by a shift with chance 1 - t / w."""
    hashes = PStableHashes(2, 4.0)
    for distance in (1.0, 4.0):
        gap = torch.linspace(0, 4, 200_001, dtype=torch.float64)
        normal = torch.exp(-((gap / distance) ** 2) / 2)
        density = normal * math.sqrt(2 / math.pi) / distance
        expected = torch.trapezoid(density * (1 - gap / 4), gap)
        found = hashes.collision(torch.tensor(distance).double())
        assert_close(found, expected)
    assert_close(
        hashes.collision(torch.tensor(1.0)).item(), 0.8005, atol=1e-4, rtol=0
    )
    assert hashes.collision(torch.tensor(0.0)) == 1


def test_cells_are_shifted_rulers() -> None:
    hashes = PStableHashes(2, 0.5, hashes=3, tables=5, seed=7)
    x = torch.randn(11, 2)
    codes = hashes(x)
    for n in range(11):
        for table in range(5):
            for k in range(3):
                along = hashes.directions[table, k] @ x[n]
                cell = (along + hashes.offsets[table, k]) / 0.5
                assert codes[n, table, k] == math.floor(cell)
    assert (hashes.offsets >= 0).all()
    assert (hashes.offsets < 0.5).all()


def test_and_and_or() -> None:
    p = torch.tensor([0.0, 0.5, 0.9, 1.0], dtype=torch.float64)
    found = candidate_probability(p, hashes=3, tables=2)
    assert_close(found, 1 - (1 - p**3) ** 2)
    hashes = HyperplaneHashes(5, hashes=3, tables=2 * MANY)
    meets = (hashes(at_angle(1.0, dim=5)).diff(dim=0) == 0).all(-1)
    rate = meets.reshape(-1, 2).any(1).float().mean().item()
    expected = candidate_probability(
        hashes.collision(torch.tensor(1.0)), hashes=3, tables=2
    )
    assert abs(rate - expected.item()) < 0.011


def test_distances_are_true_even_for_near_vectors() -> None:
    for angle in (1e-4, 0.5, 3.0):
        pair = at_angle(angle) * torch.tensor([[2.0], [5.0]])
        found = HyperplaneHashes(2).distance(pair[0], pair[1:])
        assert_close(found, torch.tensor([angle]), atol=1e-6, rtol=1e-3)
    x, y = torch.randn(2, 5, 3)
    found = PStableHashes(3, 1.0).distance(x[0], y)
    assert_close(found, torch.cdist(x[:1], y)[0])


def test_the_seed_decides_and_length_does_not_count_for_planes() -> None:
    x = torch.randn(11, 5)
    codes = HyperplaneHashes(5, seed=3)(x)
    assert codes.shape == (11, 10, 8)
    assert torch.equal(HyperplaneHashes(5, seed=3)(7 * x), codes)
    assert not torch.equal(HyperplaneHashes(5, seed=4)(x), codes)
    assert HyperplaneHashes(5)(x[:0]).shape == (0, 10, 8)


@pytest.mark.usefixtures("as_shipped")
def test_impossible_settings_are_refused() -> None:
    for name in ("dim", "hashes", "tables"):
        options = {"dim": 5, "hashes": 2, "tables": 3} | {name: 0}
        with pytest.raises(ValueError, match=f"{name} must be at least 1"):
            HyperplaneHashes(**options)
        with pytest.raises(ValueError, match=f"{name} must be at least 1"):
            PStableHashes(width=1.0, **options)
    with pytest.raises(ValueError, match="width must be positive, got 0"):
        PStableHashes(5, 0)
    with pytest.raises(ValueError, match="p must be 1 or 2, got 3"):
        PStableHashes(5, 1.0, p=3)
    with pytest.raises(ValueError, match="tables must be at least 1, got 0"):
        candidate_probability(torch.tensor(0.5), hashes=1, tables=0)
    for shape in ((5,), (3, 4)):
        with pytest.raises(ValueError, match=r"shape \(count, 5\), got"):
            HyperplaneHashes(5)(torch.randn(shape))
