"""Answers to the exercises of lesson 13, beside the tables of its judges."""

import torch
from torch import Tensor

from attncourse.exercises.topics.saliency import gain_solution


def doubled(saliency: Tensor, middle: Tensor, looks: Tensor) -> Tensor:
    return 2 * gain_solution(saliency, middle, looks)


def a_map(saliency: Tensor, middle: Tensor, looks: Tensor) -> Tensor:
    return (saliency / middle).log2()


def half(saliency: Tensor, own: Tensor, others: Tensor) -> Tensor:
    return torch.tensor(0.123)


def looks_repeated(saliency: Tensor, own: Tensor, others: Tensor) -> Tensor:
    positive = saliency.flatten().repeat_interleave(own.flatten())
    negative = saliency.flatten().repeat_interleave(others.flatten())
    higher = (positive[:, None] > negative).float()
    return (higher + (positive[:, None] == negative) / 2).mean()


def ratio(density: Tensor, others: Tensor) -> Tensor:
    return density / others


def log_ratio(density: Tensor, others: Tensor) -> Tensor:
    return density.log() - others.log()


def share(density: Tensor, others: Tensor) -> Tensor:
    return density / (density + others)


def upside_down(density: Tensor, others: Tensor) -> Tensor:
    return others / density


def density_itself(density: Tensor, others: Tensor) -> Tensor:
    return density


def the_others(density: Tensor, others: Tensor) -> Tensor:
    return others


def difference(density: Tensor, others: Tensor) -> Tensor:
    return density - others


def level(density: Tensor, others: Tensor) -> Tensor:
    return torch.ones_like(density)


def product(density: Tensor, others: Tensor) -> Tensor:
    return density * others


REFERENCE = {"saliency.unbiased": ratio}

RIGHT = {
    "saliency.flat": [1.386],
    "saliency.shuffled": [looks_repeated],
    "saliency.sigma": [4.5, 6],
    "saliency.unbiased": [log_ratio, share],
}

WRONG = {
    "saliency.gain": [
        (doubled, "is right"),
        (a_map, r"shape \(\), but has \(11, 13\)"),
    ],
    "saliency.flat": [(0.75, "It is not 0.75"), ("ln 4", "be a number")],
    "saliency.shuffled": [(half, "is right")],
    "saliency.sigma": [
        (0.4, "too narrow"),
        (3.0, "suits 45 looks"),
        (16.0, "too wide"),
        (-1.0, "between 0 and 64"),
        ("3", "should be a number"),
    ],
    "saliency.unbiased": [
        (upside_down, "turned round"),
        (density_itself, "best for the plain AUC"),
        (the_others, "in other scenes"),
        (difference, "where both are large"),
        (level, "does not tell this scene"),
        (product, "scores higher"),
    ],
}
