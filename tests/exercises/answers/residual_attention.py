"""Wrong answers to the exercises of lesson 9, and what each is told."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from attncourse.exercises.topics.residual_attention import (
    MASK,
    SLOPE,
    Network,
    contrast_solution,
)

Maps = list[Tensor]


def naive(masks: Tensor) -> Tensor:
    product = masks.prod(0)
    return product.max() / product.min()


def one_outside(masks: Tensor) -> Tensor:
    product = 1 + masks.prod(0)
    return product.max() / product.min()


def summed(masks: Tensor) -> Tensor:
    total = (1 + masks).sum(0)
    return total.max() / total.min()


def largest(masks: Tensor) -> Tensor:
    return (1 + masks).prod(0).max()


def difference(masks: Tensor) -> Tensor:
    product = (1 + masks).prod(0)
    return product.max() - product.min()


def layer_by_layer(masks: Tensor) -> Tensor:
    factors = 1 + masks
    return (factors.amax((1, 2)) / factors.amin((1, 2))).prod()


def inverted(masks: Tensor) -> Tensor:
    return 1 / contrast_solution(masks)


def over_the_mean(masks: Tensor) -> Tensor:
    product = (1 + masks).prod(0)
    return product.max() / product.mean()


def by_logarithms(masks: Tensor) -> float:
    logs = masks.log1p().sum(0)
    return float((logs.max() - logs.min()).exp())


def at_full_size(maps: Maps, **options: Any) -> Tensor:
    settings = {"mode": "bilinear", "align_corners": False} | options
    size = maps[0].shape[2:]
    return torch.stack(
        [F.interpolate(each, size=size, **settings) for each in maps]
    )


def mixed_by(
    views: Maps, scores: Maps, share: Callable[[Tensor], Tensor]
) -> Tensor:
    raw = at_full_size([each.unsqueeze(1) for each in scores])
    return (share(raw) * at_full_size(views)).sum(0)


def over_positions(views: Maps, scores: Maps) -> Tensor:
    def share(raw: Tensor) -> Tensor:
        return raw.flatten(3).softmax(-1).view_as(raw)

    return mixed_by(views, scores, share)


def over_batch(views: Maps, scores: Maps) -> Tensor:
    return mixed_by(views, scores, lambda raw: raw.softmax(1))


def sigmoids(views: Maps, scores: Maps) -> Tensor:
    return mixed_by(views, scores, torch.sigmoid)


def raw_scores(views: Maps, scores: Maps) -> Tensor:
    return mixed_by(views, scores, lambda raw: raw)


def mean_after(views: Maps, scores: Maps) -> Tensor:
    return mixed_by(views, scores, lambda raw: raw.softmax(0) / len(raw))


def unweighted(views: Maps, scores: Maps) -> Tensor:
    return at_full_size(views).mean(0)


def mixed_pinned(views: Maps, scores: Maps) -> Tensor:
    raw = at_full_size([s.unsqueeze(1) for s in scores], align_corners=True)
    maps = at_full_size(views, align_corners=True)
    return (raw.softmax(0) * maps).sum(0)


def mixed_blocks(views: Maps, scores: Maps) -> Tensor:
    plain = {"mode": "nearest", "align_corners": None}
    raw = at_full_size([s.unsqueeze(1) for s in scores], **plain)
    return (raw.softmax(0) * at_full_size(views, **plain)).sum(0)


def supervised(views: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
    mixed = (scores.softmax(0).unsqueeze(-1) * views).sum(0)
    losses = [F.cross_entropy(view, labels) for view in views]
    return F.cross_entropy(mixed, labels) + sum(losses)


def mixture_alone(views: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
    mixed = (scores.softmax(0).unsqueeze(-1) * views).sum(0)
    return F.cross_entropy(mixed, labels)


def averaged(views: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
    losses = [F.cross_entropy(view, labels) for view in views]
    return mixture_alone(views, scores, labels) + sum(losses) / len(views)


def over_images(views: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
    return supervised(views, scores.softmax(1).log(), labels)


def plain_mean(views: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
    return supervised(views, torch.zeros_like(scores), labels)


def mixed_losses(views: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
    losses = torch.stack(
        [F.cross_entropy(view, labels, reduction="none") for view in views]
    )
    mixture = (scores.softmax(0) * losses).sum(0).mean()
    return mixture + losses.mean(1).sum()


def detached(views: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
    return supervised(views, scores.detach(), labels)


def summed_over_batch(views: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
    return len(labels) * supervised(views, scores, labels)


def half_of(x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    return F.adaptive_avg_pool2d(x, ((height + 1) // 2, (width + 1) // 2))


def as_printed(x: Tensor, network: Network) -> Tensor:
    return F.interpolate(
        network(half_of(x)),
        scale_factor=2,
        mode="bilinear",
        align_corners=False,
    )


def cropped_late(x: Tensor, network: Network) -> Tensor:
    return as_printed(x, network)[..., : x.shape[2], : x.shape[3]]


def corners(x: Tensor, network: Network) -> Tensor:
    return F.interpolate(
        network(half_of(x)),
        size=x.shape[2:],
        mode="bilinear",
        align_corners=True,
    )


def blocks(x: Tensor, network: Network) -> Tensor:
    return F.interpolate(network(half_of(x)), size=x.shape[2:])


def late(x: Tensor, network: Network) -> Tensor:
    large = F.interpolate(
        half_of(x), size=x.shape[2:], mode="bilinear", align_corners=False
    )
    return network(large)


def full_size(x: Tensor, network: Network) -> Tensor:
    return network(x)


REFERENCE = {"residual_attention.supervised": supervised}

RIGHT = {
    "residual_attention.contrast": [by_logarithms],
    "residual_attention.below_one": [0.947, 0.95],
}

WRONG = {
    "residual_attention.contrast": [
        (naive, "the naive form"),
        (one_outside, "belongs to each layer"),
        (summed, "these are sums"),
        (largest, "the largest factor"),
        (difference, "the difference"),
        (layer_by_layer, "go through all layers"),
        (inverted, "over the most amplified"),
        (over_the_mean, "the mean position"),
    ],
    "residual_attention.below_one": [
        (1 + MASK, "holds the mask fixed"),
        (1 + MASK + 4 * SLOPE, "The sign of the last term"),
        (1 + MASK - SLOPE, "The inner derivative is missing"),
        (MASK - 4 * SLOPE, "That is the naive layer"),
        (MASK, "That is the mask"),
        (-4 * SLOPE, "what the mask adds"),
        (1 - 4 * SLOPE, "The mask itself is missing"),
        (2, "it is 1 \\+ M"),
    ],
    "residual_attention.mixed": [
        (over_positions, "over the positions of each scale"),
        (over_batch, "the images compete"),
        (sigmoids, "These are sigmoids"),
        (raw_scores, "as they are"),
        (mean_after, "have divided already"),
        (unweighted, "the scores are not used"),
        (mixed_pinned, "align_corners=True"),
        (mixed_blocks, "come back as blocks"),
    ],
    "residual_attention.supervised": [
        (mixture_alone, "here it counts once"),
        (averaged, "these are averaged"),
        (over_images, "the mixture should be that view"),
        (plain_mean, "the mixture should be that view"),
        (mixed_losses, "mix logits"),
        (detached, "does not move"),
        (summed_over_batch, "are the same logits"),
    ],
    "residual_attention.brought_back": [
        (as_printed, "one too many for odd sides"),
        (cropped_late, "all positions are shifted"),
        (corners, "align_corners=True"),
        (blocks, "come back as blocks"),
        (late, "blurred map at full cost"),
        (full_size, "sees the map at full size"),
    ],
}
