"""Wrong answers to the exercises of lesson 13, and what each is told."""

import torch
from torch import Tensor

from attncourse.exercises.topics.saliency import (
    divergence_solution,
    nss_solution,
)


def standardised(saliency: Tensor) -> Tensor:
    return (saliency - saliency.mean()) / saliency.std(correction=0)


def sample_deviation(saliency: Tensor, fixations: Tensor) -> Tensor:
    z = (saliency - saliency.mean()) / saliency.std()
    return (z * fixations).sum() / fixations.sum()


def not_scaled(saliency: Tensor, fixations: Tensor) -> Tensor:
    centred = saliency - saliency.mean()
    return (centred * fixations).sum() / fixations.sum()


def not_shifted(saliency: Tensor, fixations: Tensor) -> Tensor:
    scaled = saliency / saliency.std(correction=0)
    return (scaled * fixations).sum() / fixations.sum()


def over_pixels(saliency: Tensor, fixations: Tensor) -> Tensor:
    return (standardised(saliency) * fixations).mean()


def once_each(saliency: Tensor, fixations: Tensor) -> Tensor:
    return standardised(saliency)[fixations > 0].mean()


def of_the_fixated(saliency: Tensor, fixations: Tensor) -> Tensor:
    seen = saliency[fixations > 0]
    z = (saliency - seen.mean()) / seen.std(correction=0)
    return (z * fixations).sum() / fixations.sum()


def doubled(saliency: Tensor, fixations: Tensor) -> Tensor:
    return 2 * nss_solution(saliency, fixations)


def a_map(saliency: Tensor, fixations: Tensor) -> Tensor:
    return standardised(saliency)


def raw(saliency: Tensor, density: Tensor) -> Tensor:
    return (density * (density / saliency).log()).sum()


def swapped(saliency: Tensor, density: Tensor) -> Tensor:
    return divergence_solution(density, saliency)


def untouched(saliency: Tensor, density: Tensor) -> Tensor:
    return raw(density, saliency)


def turned(saliency: Tensor, density: Tensor) -> Tensor:
    return -divergence_solution(saliency, density)


def averaged(saliency: Tensor, density: Tensor) -> Tensor:
    return divergence_solution(saliency, density) / saliency.numel()


def in_bits(saliency: Tensor, density: Tensor) -> Tensor:
    return divergence_solution(saliency, density) / torch.tensor(2.0).log()


WRONG = {
    "saliency.nss": [
        (sample_deviation, "correction=0"),
        (not_scaled, "shifted but not scaled"),
        (not_shifted, "scaled but not shifted"),
        (over_pixels, "divide by the number of looks"),
        (once_each, "must count five times"),
        (of_the_fixated, "over the whole map"),
        (doubled, "is right"),
        (a_map, r"shape \(\), but has \(11, 13\)"),
    ],
    "saliency.invariance": [
        ("none", "uses the order"),
        ("nss", "averages z-scores"),
        ("kl", "shares of the mass"),
        ("all", "sizes of the values"),
        ("sim", "should be one of"),
    ],
    "saliency.divergence": [
        (raw, "Nothing is normalised"),
        (swapped, "The two are swapped"),
        (untouched, "Both faults"),
        (turned, "The sign is turned"),
        (averaged, "became a mean"),
        (in_bits, "in bits"),
    ],
    "saliency.sigma": [
        (0.4, "too narrow"),
        (16.0, "too wide"),
        (-1.0, "between 0 and 64"),
        ("3", "should be a number"),
    ],
}
