r"""How well a map predicts where people look.

A map is scored against the positions that were looked at (`fixations`, counts)
or against their density (`fixation_density`). The definitions are those of
Bylinskii, Judd, Oliva, Torralba and Durand, "What do different evaluation
metrics tell us about saliency models?", TPAMI 2019; where this code departs
from the usual one, the docstring says so.
"""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

Map = Float[Tensor, "batch 1 height width"]
Counts = Shaped[Tensor, "batch 1 height width"]
Score = Float[Tensor, " batch"]


def fixation_density(
    fixations: Counts, sigma: float
) -> Float[Tensor, "batch 1 height width"]:
    """Blur fixations into a density that sums to one.

    Parameters
    ----------
    fixations
        How often each pixel was looked at.
    sigma
        Standard deviation of the Gaussian in pixels; one degree of visual
        angle is the usual choice. Mirrored at the border, so that no mass
        is lost there.

    Raises
    ------
    ValueError
        If ``sigma`` is not positive, a count is negative or a scene has no
        fixation.
    """
    from skimage.filters import gaussian

    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    counts = _counts(fixations)
    blurred = gaussian(
        counts[:, 0].cpu().numpy(), sigma, mode="reflect", channel_axis=0
    )
    density = torch.from_numpy(blurred).to(counts)[:, None]
    return density / density.sum((2, 3), keepdim=True)


def auc_judd(saliency: Map, fixations: Counts) -> Score:
    """Area under the ROC curve: fixated pixels against all the others.

    The probability that a fixated pixel has a higher value than one that
    was not fixated; ties count one half, so that a flat map scores exactly
    one half. Only the order of the values matters. The area is the exact
    one; the usual code joins a subset of the thresholds by straight lines
    and breaks ties by random noise.

    Raises
    ------
    ValueError
        If the shapes differ, a value is not finite, or a scene has no
        fixated pixel or none but fixated ones.
    """
    fixated = _counts(fixations) > 0
    if fixated.flatten(1).all(1).any():
        raise ValueError("fixations must leave some pixel of each scene free")
    return _auc(_map(saliency, fixations), fixated, ~fixated)


def shuffled_auc(saliency: Map, fixations: Counts) -> Score:
    """Area under the ROC curve: own fixations against those of the others.

    The negatives are the fixations of all other scenes of the batch,
    instead of all pixels. What is looked at in every scene, the centre
    above all, stands on both sides and earns nothing. The usual code draws
    a random subset of the others; this takes them all.

    Raises
    ------
    ValueError
        If the shapes differ, a value is not finite, a scene has no
        fixation or there is only one scene.

    References
    ----------
    Tatler, Baddeley and Gilchrist, "Visual correlates of fixation selection:
    effects of scale and time", Vision Research 2005; Zhang, Tong, Marks,
    Shan and Cottrell, "SUN: A Bayesian framework for
    saliency using natural statistics", Journal of Vision 2008.
    """
    counts = _counts(fixations)
    if counts.shape[0] < 2:
        raise ValueError("fixations must be of at least 2 scenes, got 1")
    others = counts.sum(0, keepdim=True) - counts
    return _auc(_map(saliency, fixations), counts, others)


def nss(saliency: Map, fixations: Counts) -> Score:
    """Normalised scanpath saliency: mean z-score of the fixated pixels.

    The map is shifted and scaled to mean 0 and standard deviation 1 over
    its pixels. 0 is chance, and what a flat map scores.

    Raises
    ------
    ValueError
        If the shapes differ, a value is not finite or a scene has no
        fixation.

    References
    ----------
    Peters, Iyer, Itti and Koch, "Components of bottom-up gaze allocation in
    natural images", Vision Research 2005.
    """
    counts = _counts(fixations)
    scores = _standardised(_map(saliency, fixations))
    return (scores * counts).sum((1, 2, 3)) / counts.sum((1, 2, 3))


def correlation(saliency: Map, density: Map) -> Score:
    """Pearson's correlation of a map with the density of fixations (CC).

    Between -1 and 1; a flat map scores 0.

    Raises
    ------
    ValueError
        If the shapes differ or a value is not finite.
    """
    ours = _standardised(_map(saliency, density))
    return (ours * _standardised(_map(density, saliency))).mean((1, 2, 3))


def similarity(saliency: Map, density: Map) -> Score:
    """Mass that two maps share once each sums to one (SIM).

    Between 0 and 1, the sum over the pixels of the smaller value.

    Raises
    ------
    ValueError
        If the shapes differ, a value is negative or not finite, or a map
        has no mass.
    """
    ours, theirs = _shares(saliency, density)
    return torch.minimum(ours, theirs).sum((1, 2, 3))


def kl_divergence(saliency: Map, density: Map) -> Score:
    r"""Kullback-Leibler divergence of the density from a map, in nats.

    .. math::

       D = \sum_p q_p \log \frac{q_p}{s_p}

    with the density :math:`q` and the map :math:`s`, each summing to one.
    0 is best. A map that is zero where people looked scores infinity; the
    usual code adds a small number and prints a finite score that depends on
    it.

    Raises
    ------
    ValueError
        If the shapes differ, a value is negative or not finite, or a map
        has no mass.
    """
    ours, theirs = _shares(saliency, density)
    surprise = torch.special.xlogy(theirs, theirs / ours)
    return torch.where(theirs > 0, surprise, 0).sum((1, 2, 3))


def _auc(scores: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    areas = []
    for values, gains, losses in zip(
        scores.flatten(1),
        positive.flatten(1).to(scores),
        negative.flatten(1).to(scores),
        strict=True,
    ):
        levels, rank = values.unique(return_inverse=True)
        gained = gains.new_zeros(levels.numel()).index_add(0, rank, gains)
        lost = losses.new_zeros(levels.numel()).index_add(0, rank, losses)
        below = lost.cumsum(0) - lost / 2
        areas.append((gained * below).sum() / (gains.sum() * losses.sum()))
    return torch.stack(areas)


def _standardised(values: Tensor) -> Tensor:
    centred = values - values.mean((1, 2, 3), keepdim=True)
    spread = centred.square().mean((1, 2, 3), keepdim=True).sqrt()
    flat = spread <= 1e-9 * values.abs().amax((1, 2, 3), keepdim=True)
    return torch.where(flat, 0, centred / spread.where(~flat, 1))


def _shares(saliency: Tensor, density: Tensor) -> tuple[Tensor, Tensor]:
    shares = []
    for name, values, other in (
        ("saliency", saliency, density),
        ("density", density, saliency),
    ):
        values = _map(values, other)
        if (values < 0).any():
            raise ValueError(
                f"{name} must not be negative, got {values.min():.3g}"
            )
        total = values.sum((1, 2, 3), keepdim=True)
        if (total == 0).any():
            raise ValueError(f"{name} must have some mass in every map")
        shares.append(values / total)
    return shares[0], shares[1]


def _map(values: Tensor, other: Tensor) -> Tensor:
    if values.shape != other.shape or values.ndim != 4 or values.shape[1] != 1:
        raise ValueError(
            "a map and what it is scored against must both be (batch, 1, "
            f"height, width), got {tuple(values.shape)} and "
            f"{tuple(other.shape)}"
        )
    if not torch.isfinite(values).all():
        raise ValueError("a map must be finite, got inf or nan")
    return values.double()


def _counts(fixations: Tensor) -> Tensor:
    if fixations.ndim != 4 or fixations.shape[1] != 1:
        raise ValueError(
            "fixations must be (batch, 1, height, width), got "
            f"{tuple(fixations.shape)}"
        )
    counts = fixations.double()
    if (counts < 0).any():
        raise ValueError(
            f"fixations must not be negative, got {counts.min():g}"
        )
    empty = (counts.sum((1, 2, 3)) == 0).nonzero().flatten()
    if len(empty):
        raise ValueError(
            f"fixations must hold at least one in each scene, got none in "
            f"scene {empty[0]}"
        )
    return counts
