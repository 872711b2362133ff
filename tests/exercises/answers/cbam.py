"""Wrong answers to the exercises of lesson 7, and what each hears."""

import torch
from torch import Tensor, nn

from attncourse.exercises.topics.cbam import (
    Gate,
    channel_gate_solution,
    order_solution,
)


def scores(descriptor: Tensor, w0: Tensor, w1: Tensor) -> Tensor:
    return (descriptor @ w0.T).relu() @ w1.T


def average_of(x: Tensor, valid: Tensor) -> Tensor:
    return (x * valid).sum((2, 3)) / valid.sum((2, 3))


def largest_of(x: Tensor, valid: Tensor) -> Tensor:
    return x.masked_fill(~valid, float("-inf")).amax((2, 3))


def all_positions(x: Tensor, valid: Tensor, *w: Tensor) -> Tensor:
    return channel_gate_solution(x, torch.ones_like(valid), *w)


def mean_of_all(x: Tensor, valid: Tensor, *w: Tensor) -> Tensor:
    total = scores(x.mean((2, 3)), *w) + scores(largest_of(x, valid), *w)
    return total.sigmoid()


def divided_by_all(x: Tensor, valid: Tensor, *w: Tensor) -> Tensor:
    average = (x * valid).mean((2, 3))
    return (scores(average, *w) + scores(largest_of(x, valid), *w)).sigmoid()


def set_to_zero(x: Tensor, valid: Tensor, *w: Tensor) -> Tensor:
    return all_positions(x * valid, valid, *w)


def zeros_win(x: Tensor, valid: Tensor, *w: Tensor) -> Tensor:
    largest = (x * valid).amax((2, 3))
    return (scores(average_of(x, valid), *w) + scores(largest, *w)).sigmoid()


def largest_of_all(x: Tensor, valid: Tensor, *w: Tensor) -> Tensor:
    largest = x.amax((2, 3))
    return (scores(average_of(x, valid), *w) + scores(largest, *w)).sigmoid()


def two_sigmoids(x: Tensor, valid: Tensor, *w: Tensor) -> Tensor:
    average = scores(average_of(x, valid), *w).sigmoid()
    return average + scores(largest_of(x, valid), *w).sigmoid()


def average_alone(x: Tensor, valid: Tensor, *w: Tensor) -> Tensor:
    return scores(average_of(x, valid), *w).sigmoid()


def average_twice(x: Tensor, valid: Tensor, *w: Tensor) -> Tensor:
    return (2 * scores(average_of(x, valid), *w)).sigmoid()


def summed_early(x: Tensor, valid: Tensor, *w: Tensor) -> Tensor:
    both = average_of(x, valid) + largest_of(x, valid)
    return scores(both, *w).sigmoid()


def as_scores(x: Tensor, valid: Tensor, *w: Tensor) -> Tensor:
    return channel_gate_solution(x, valid, *w).logit()


def kept_axes(x: Tensor, valid: Tensor, *w: Tensor) -> Tensor:
    return channel_gate_solution(x, valid, *w)[..., None, None]


def image_by_image(x: Tensor, valid: Tensor, *w: Tensor) -> Tensor:
    """Right, and written with a loop."""
    gates = []
    for image, inside in zip(x, valid[:, 0], strict=True):
        features = image[:, inside]
        both = scores(features.mean(1), *w) + scores(features.amax(1), *w)
        gates.append(both.sigmoid())
    return torch.stack(gates)


def as_printed(x: Tensor, channel: Gate, spatial: Gate) -> Tensor:
    return x * channel(x)[..., None, None] * spatial(x)


def positions_first(x: Tensor, channel: Gate, spatial: Gate) -> Tensor:
    x = x * spatial(x)
    return x * channel(x)[..., None, None]


def with_shortcut(x: Tensor, channel: Gate, spatial: Gate) -> Tensor:
    return x + order_solution(x, channel, spatial)


def lost_channels(x: Tensor, channel: Gate, spatial: Gate) -> Tensor:
    return x * spatial(x * channel(x)[..., None, None])


def in_place(x: Tensor, channel: Gate, spatial: Gate) -> Tensor:
    x *= channel(x)[..., None, None]
    return x * spatial(x)


def one_layer(
    convolution: nn.Conv2d,
    norm: nn.BatchNorm2d,
    gate: Tensor,
    *,
    scale_bias: bool = True,
    shift: bool = True,
    eps: bool = True,
    root: bool = True,
    padding: int | None = None,
) -> nn.Conv2d:
    variance = norm.running_var + (norm.eps if eps else 0)
    factor = gate * norm.weight / (variance.sqrt() if root else variance)
    bias = norm.bias if shift else torch.zeros_like(norm.bias)
    bias = gate * bias if scale_bias else bias
    layer = nn.Conv2d(
        convolution.in_channels,
        convolution.out_channels,
        convolution.kernel_size,
        convolution.stride,
        convolution.padding if padding is None else padding,
    )
    with torch.no_grad():
        layer.weight.copy_(convolution.weight * factor[:, None, None, None])
        layer.bias.copy_(bias - norm.running_mean * factor)
    return layer


def take_out(c: nn.Conv2d, norm: nn.BatchNorm2d, gate: Tensor) -> nn.Conv2d:
    return one_layer(c, norm, gate)


def no_gate(c: nn.Conv2d, norm: nn.BatchNorm2d, gate: Tensor) -> nn.Conv2d:
    return one_layer(c, norm, torch.ones_like(gate))


def bias_as_it_was(
    c: nn.Conv2d, norm: nn.BatchNorm2d, gate: Tensor
) -> nn.Conv2d:
    return one_layer(c, norm, gate, scale_bias=False)


def no_shift(c: nn.Conv2d, norm: nn.BatchNorm2d, gate: Tensor) -> nn.Conv2d:
    return one_layer(c, norm, gate, shift=False)


def no_eps(c: nn.Conv2d, norm: nn.BatchNorm2d, gate: Tensor) -> nn.Conv2d:
    return one_layer(c, norm, gate, eps=False)


def no_root(c: nn.Conv2d, norm: nn.BatchNorm2d, gate: Tensor) -> nn.Conv2d:
    return one_layer(c, norm, gate, root=False)


def no_padding(c: nn.Conv2d, norm: nn.BatchNorm2d, gate: Tensor) -> nn.Conv2d:
    return one_layer(c, norm, gate, padding=0)


def no_bias(c: nn.Conv2d, norm: nn.BatchNorm2d, gate: Tensor) -> nn.Conv2d:
    layer = one_layer(c, norm, gate)
    layer.bias = None
    return layer


def on_the_spot(c: nn.Conv2d, norm: nn.BatchNorm2d, gate: Tensor) -> nn.Conv2d:
    layer = one_layer(c, norm, gate)
    with torch.no_grad():
        c.weight.copy_(layer.weight)
    return layer


def as_a_sequence(
    c: nn.Conv2d, norm: nn.BatchNorm2d, gate: Tensor
) -> nn.Module:
    return nn.Sequential(c, norm)


REFERENCE = {"cbam.take_out": take_out}

RIGHT = {"cbam.channel_gate": [image_by_image]}

WRONG = {
    "cbam.channel_gate": [
        (all_positions, "The padding still counts"),
        (mean_of_all, "the mean still counts the padding"),
        (divided_by_all, "divide by the number of valid ones"),
        (set_to_zero, "to zero is not enough"),
        (zeros_win, "zeros in the padding win"),
        (largest_of_all, "the maximum still sees the padding"),
        (two_sigmoids, "The sum comes after the sigmoid"),
        (average_alone, "Only the average is used"),
        (average_twice, "counted twice"),
        (summed_early, "added before the ReLU"),
        (as_scores, "These are the scores"),
        (kept_axes, r"shape \(3, 8\), but has \(3, 8, 1, 1\)"),
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
        (positions_first, "gates the positions first"),
        (with_shortcut, "the input is added"),
        (lost_channels, "has been lost on the way"),
        (in_place, "changes its input in place"),
    ],
    "cbam.take_out": [
        (no_gate, "the gate is missing"),
        (bias_as_it_was, "not the bias of the normalisation"),
        (no_shift, "The bias of the normalisation is missing"),
        (no_eps, "adds its `eps`"),
        (no_root, "not by the variance"),
        (no_bias, "with a bias"),
        (on_the_spot, "changes the layers"),
        (as_a_sequence, "with a bias"),
        (no_padding, r"shape \(2, 6, 5, 4\), but has \(2, 6, 4, 3\)"),
    ],
}
