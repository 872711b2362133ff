"""Wrong answers to the exercises of lesson 7, and what each is told."""

import torch
from torch import Tensor
from torch.nn import functional as F

from attncourse.exercises.topics.cbam import (
    Gate,
    channel_gate_solution,
    order_solution,
    spatial_gate_solution,
)


def scores(descriptor: Tensor, w0: Tensor, w1: Tensor) -> Tensor:
    return (descriptor @ w0.T).relu() @ w1.T


def two_sigmoids(x: Tensor, w0: Tensor, w1: Tensor) -> Tensor:
    average = scores(x.mean((2, 3)), w0, w1).sigmoid()
    return average + scores(x.amax((2, 3)), w0, w1).sigmoid()


def average_alone(x: Tensor, w0: Tensor, w1: Tensor) -> Tensor:
    return scores(x.mean((2, 3)), w0, w1).sigmoid()


def average_twice(x: Tensor, w0: Tensor, w1: Tensor) -> Tensor:
    return (2 * scores(x.mean((2, 3)), w0, w1)).sigmoid()


def summed_early(x: Tensor, w0: Tensor, w1: Tensor) -> Tensor:
    return scores(x.mean((2, 3)) + x.amax((2, 3)), w0, w1).sigmoid()


def as_scores(x: Tensor, w0: Tensor, w1: Tensor) -> Tensor:
    average = scores(x.mean((2, 3)), w0, w1)
    return average + scores(x.amax((2, 3)), w0, w1)


def kept_axes(x: Tensor, w0: Tensor, w1: Tensor) -> Tensor:
    return channel_gate_solution(x, w0, w1)[..., None, None]


def descriptors(x: Tensor) -> list[Tensor]:
    return [x.mean(1, keepdim=True), x.amax(1, keepdim=True)]


def largest_first(x: Tensor, kernel: Tensor) -> Tensor:
    joined = torch.cat(descriptors(x)[::-1], dim=1)
    return F.conv2d(joined, kernel, padding=3).sigmoid()


def no_padding(x: Tensor, kernel: Tensor) -> Tensor:
    return F.conv2d(torch.cat(descriptors(x), dim=1), kernel).sigmoid()


def over_places(x: Tensor, kernel: Tensor) -> Tensor:
    pooled = torch.stack([x.mean((1, 2, 3)), x.amax((1, 2, 3))], dim=1)
    spread = pooled[..., None, None].expand(-1, -1, *x.shape[2:])
    return F.conv2d(spread, kernel, padding=3).sigmoid()


def competing(x: Tensor, kernel: Tensor) -> Tensor:
    gates = spatial_gate_solution(x, kernel).logit()
    return gates.flatten(2).softmax(-1).view_as(gates)


def summed_channels(x: Tensor, kernel: Tensor) -> Tensor:
    joined = [x.sum(1, keepdim=True), x.amax(1, keepdim=True)]
    return F.conv2d(torch.cat(joined, dim=1), kernel, padding=3).sigmoid()


def as_printed(x: Tensor, channel: Gate, spatial: Gate) -> Tensor:
    return x * channel(x)[..., None, None] * spatial(x)


def places_first(x: Tensor, channel: Gate, spatial: Gate) -> Tensor:
    x = x * spatial(x)
    return x * channel(x)[..., None, None]


def with_shortcut(x: Tensor, channel: Gate, spatial: Gate) -> Tensor:
    return x + order_solution(x, channel, spatial)


def lost_channels(x: Tensor, channel: Gate, spatial: Gate) -> Tensor:
    return x * spatial(x * channel(x)[..., None, None])


def in_place(x: Tensor, channel: Gate, spatial: Gate) -> Tensor:
    x *= channel(x)[..., None, None]
    return x * spatial(x)


WRONG = {
    "cbam.channel_gate": [
        (two_sigmoids, "The sum comes after the sigmoid"),
        (average_alone, "Only the average is used"),
        (average_twice, "counted twice"),
        (summed_early, "added before the ReLU"),
        (as_scores, "These are the scores"),
        (kept_axes, r"shape \(3, 8\), but has \(3, 8, 1, 1\)"),
    ],
    "cbam.spatial_gate": [
        (largest_first, "The maximum stands first"),
        (no_padding, r"shape \(3, 1, 11, 8\), but has \(3, 1, 5, 2\)"),
        (over_places, "pooled over the places"),
        (competing, "The places compete"),
        (summed_channels, "the sum over the channels"),
    ],
    "cbam.constant": [
        (0.6, "added to that of the average"),
        (1.2, "cannot be larger than one"),
        (0.36, "multiplies two gates"),
        (0.5, "do not cancel"),
        (0.9, "turn it back into a gate"),
    ],
    "cbam.order": [
        (as_printed, "Both gates still look at the input"),
        (places_first, "gates the places first"),
        (with_shortcut, "the input is added"),
        (lost_channels, "has been lost on the way"),
        (in_place, "changes its input in place"),
    ],
}
