import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.testing import assert_close

from attncourse.metrics import (
    auc_judd,
    correlation,
    fixation_density,
    kl_divergence,
    nss,
    shuffled_auc,
    similarity,
)

HEIGHT, WIDTH = 11, 13
AGAINST_FIXATIONS = [auc_judd, shuffled_auc, nss]
AGAINST_DENSITY = [correlation, kl_divergence, similarity]


def drawn(seed: int, batch: int = 5) -> tuple[Tensor, Tensor]:
    """Maps with ties, and counts of fixations."""
    rng = torch.Generator().manual_seed(seed)
    maps = torch.randint(0, 7, (batch, 1, HEIGHT, WIDTH), generator=rng)
    counts = torch.randint(0, 23, maps.shape, generator=rng) - 19
    return maps.double() + 1, counts.clamp_min(0)


@pytest.mark.parametrize("seed", range(5))
def test_auc_judd_is_sklearns(seed: int) -> None:
    maps, counts = drawn(seed)
    expected = [
        roc_auc_score((there > 0).flatten(), here.flatten())
        for here, there in zip(maps, counts, strict=True)
    ]
    assert_close(auc_judd(maps, counts), torch.tensor(expected).double())


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_auc_is_sklearns_on_all_pairs(seed: int) -> None:
    maps, counts = drawn(seed)
    flat = counts.flatten(1).numpy()
    expected = []
    for i, values in enumerate(maps.flatten(1).numpy()):
        others = np.delete(flat, i, 0).sum(0)
        scores = np.concatenate(
            [values.repeat(flat[i]), values.repeat(others)]
        )
        truth = np.repeat([1, 0], [flat[i].sum(), others.sum()])
        expected.append(roc_auc_score(truth, scores))
    assert_close(shuffled_auc(maps, counts), torch.tensor(expected).double())


@pytest.mark.parametrize("seed", range(5))
def test_nss_and_correlation_are_numpys(seed: int) -> None:
    maps, counts = drawn(seed)
    density = fixation_density(counts, 1.3)
    for i, values in enumerate(maps.numpy().reshape(5, -1)):
        looks = counts[i].numpy().ravel()
        z = (values - values.mean()) / values.std()
        assert nss(maps, counts)[i] == pytest.approx(
            np.average(z, weights=looks)
        )
        r = np.corrcoef(values, density[i].numpy().ravel())[0, 1]
        assert correlation(maps, density)[i] == pytest.approx(r)


@pytest.mark.parametrize("seed", range(3))
def test_divergence_and_similarity_by_the_loop(seed: int) -> None:
    maps, counts = drawn(seed)
    density = fixation_density(counts, 0.4)
    density[:, :, 3] = 0  # where nobody looks, nothing is lost
    for i in range(len(maps)):
        p = (maps[i] / maps[i].sum()).flatten().tolist()
        q = (density[i] / density[i].sum()).flatten().tolist()
        pairs = list(zip(p, q, strict=True))
        divergence = sum(b * math.log(b / a) for a, b in pairs if b)
        shared = sum(map(min, pairs))
        assert kl_divergence(maps, density)[i] == pytest.approx(divergence)
        assert similarity(maps, density)[i] == pytest.approx(shared)


def test_the_density_itself_is_perfect() -> None:
    _, counts = drawn(3)
    density = fixation_density(counts, 1.0)
    ones = torch.ones(5).double()
    assert_close(correlation(density, density), ones)
    assert_close(similarity(density, density), ones)
    assert_close(kl_divergence(density, density), 0 * ones)


def test_a_flat_map_scores_chance() -> None:
    _, counts = drawn(4)
    flat = torch.full(counts.shape, 0.3)
    assert_close(auc_judd(flat, counts), torch.full((5,), 0.5).double())
    assert_close(shuffled_auc(flat, counts), torch.full((5,), 0.5).double())
    assert_close(nss(flat, counts), torch.zeros(5).double())
    density = fixation_density(counts, 1.0)
    assert_close(correlation(flat, density), torch.zeros(5).double())


def test_only_the_areas_ignore_a_monotone_change() -> None:
    maps, counts = drawn(5)
    bent = maps**3
    for area in (auc_judd, shuffled_auc):
        assert_close(area(bent, counts), area(maps, counts))
    assert not torch.allclose(nss(bent, counts), nss(maps, counts))


@pytest.mark.parametrize("score", AGAINST_FIXATIONS + AGAINST_DENSITY)
def test_the_scale_of_a_map_does_not_count(score: Callable) -> None:
    maps, counts = drawn(6)
    truth = counts
    if score in AGAINST_DENSITY:
        truth = fixation_density(counts, 1.0)
    assert_close(score(29 * maps, truth), score(maps, truth))


def test_what_everybody_looks_at_earns_nothing_when_shuffled() -> None:
    """Two scenes, looked at in the same places."""
    maps, counts = drawn(7, batch=1)
    twice = shuffled_auc(maps.repeat(2, 1, 1, 1), counts.repeat(2, 1, 1, 1))
    assert_close(twice, torch.full((2,), 0.5).double())


def test_zero_where_people_looked_is_infinitely_wrong() -> None:
    maps, counts = drawn(8)
    density = fixation_density(counts, 1.0)
    maps[:, :, 0, 0] = 0
    assert torch.isinf(kl_divergence(maps, density)).all()


def test_a_density_keeps_all_mass_and_every_place() -> None:
    counts = torch.zeros(2, 1, HEIGHT, WIDTH, dtype=torch.int64)
    counts[0, 0, 0, 0] = 3
    counts[1, 0, 5, 7] = 1
    density = fixation_density(counts, 1.5)
    assert_close(density.sum((1, 2, 3)), torch.ones(2).double())
    assert density.flatten(1).argmax(1).tolist() == [0, 5 * WIDTH + 7]


def test_half_precision_is_scored_as_float64_is() -> None:
    maps, counts = drawn(9)
    half = maps.half()
    assert_close(nss(half, counts), nss(half.double(), counts))


@pytest.mark.usefixtures("as_shipped")
@pytest.mark.parametrize("score", AGAINST_FIXATIONS)
def test_fixations_that_cannot_be_scored(score: Callable) -> None:
    maps, counts = drawn(1)
    with pytest.raises(ValueError, match=r"got \(5, 1, 11, 12\) and"):
        score(maps[..., :-1], counts)
    with pytest.raises(ValueError, match="a map must be finite"):
        score(maps / 0, counts)
    empty = counts.clone()
    empty[3] = 0
    with pytest.raises(ValueError, match="got none in scene 3"):
        score(maps, empty)
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        score(maps, counts - 1)
    with pytest.raises(ValueError, match=r"fixations must be \(batch, 1"):
        score(maps, counts[:, 0])


@pytest.mark.usefixtures("as_shipped")
def test_densities_that_cannot_be_scored() -> None:
    maps, counts = drawn(1)
    density = fixation_density(counts, 1.0)
    with pytest.raises(ValueError, match="saliency must not be negative"):
        similarity(maps - 2, density)
    with pytest.raises(ValueError, match="density must have some mass"):
        kl_divergence(maps, 0 * density)
    with pytest.raises(ValueError, match="sigma must be positive, got 0"):
        fixation_density(counts, 0)


@pytest.mark.usefixtures("as_shipped")
def test_too_few_scenes_or_free_pixels() -> None:
    maps, counts = drawn(1)
    with pytest.raises(ValueError, match="at least 2 scenes, got 1"):
        shuffled_auc(maps[:1], counts[:1])
    with pytest.raises(ValueError, match="leave some pixel"):
        auc_judd(maps, counts + 1)
