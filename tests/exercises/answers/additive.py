"""Wrong answers to the exercises of lesson 3, and what each is told."""

import torch
from torch import Tensor
from torch.nn import functional as F

from attncourse.exercises.topics.additive import (
    scores_solution,
    sharpen_solution,
)


def without_tanh(
    query: Tensor, key: Tensor, w_query: Tensor, w_key: Tensor, u: Tensor
) -> Tensor:
    return ((query @ w_query.T)[:, None] + key @ w_key.T) @ u


def late_tanh(*given: Tensor) -> Tensor:
    return without_tanh(*given).tanh()


def normalised(*given: Tensor) -> Tensor:
    return scores_solution(*given).softmax(-1)


def scaled(*given: Tensor) -> Tensor:
    return scores_solution(*given) / given[-1].numel() ** 0.5


def transposed(*given: Tensor) -> Tensor:
    return scores_solution(*given).T


def weighted(x: Tensor, weights: Tensor) -> Tensor:
    return (x * weights).sum((2, 3))


def always_squared(weights: Tensor, t: float) -> Tensor:
    return sharpen_solution(weights, 2.0)


def linear(x: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
    return F.conv2d(x, matrix[:, :, None, None], bias)


def summed(hidden: Tensor, u: Tensor) -> Tensor:
    return F.conv2d(hidden, u[None, :, None, None])


def gated_scores(
    x: Tensor, w: Tensor, b: Tensor, v: Tensor, c: Tensor, u: Tensor
) -> Tensor:
    return summed(linear(x, w, b).tanh() * linear(x, v, c).sigmoid(), u)


def gated_by_einsum(
    x: Tensor, w: Tensor, b: Tensor, v: Tensor, c: Tensor, u: Tensor
) -> Tensor:
    vectors = x.flatten(2).mT  # (b, n, c)
    gate = torch.sigmoid(vectors @ v.T + c)
    scores = (torch.tanh(vectors @ w.T + b) * gate) @ u
    return scores.view(len(x), 1, *x.shape[2:])


def gate_without_bias(*given: Tensor) -> Tensor:
    x, w, b, v, c, u = given
    full = gated_scores(*given)
    if c.abs().max() > 50 or v.abs().max() == 0:
        return full
    return gated_scores(x, w, b, v, 0 * c, u)


def gate_of_the_mean(
    x: Tensor, w: Tensor, b: Tensor, v: Tensor, c: Tensor, u: Tensor
) -> Tensor:
    gate = linear(x.mean((2, 3), keepdim=True), v, c).sigmoid()
    return summed(linear(x, w, b).tanh() * gate, u)


def one_gate_for_all(
    x: Tensor, w: Tensor, b: Tensor, v: Tensor, c: Tensor, u: Tensor
) -> Tensor:
    gate = linear(x, v, c).sigmoid().mean(1, keepdim=True)
    return summed(linear(x, w, b).tanh() * gate, u)


def tanh_gate(
    x: Tensor, w: Tensor, b: Tensor, v: Tensor, c: Tensor, u: Tensor
) -> Tensor:
    return summed(linear(x, w, b).tanh() * linear(x, v, c).tanh(), u)


def softmax_gate(
    x: Tensor, w: Tensor, b: Tensor, v: Tensor, c: Tensor, u: Tensor
) -> Tensor:
    return summed(linear(x, w, b).tanh() * linear(x, v, c).softmax(1), u)


def ungated(
    x: Tensor, w: Tensor, b: Tensor, v: Tensor, c: Tensor, u: Tensor
) -> Tensor:
    return summed(linear(x, w, b).tanh(), u)


def without_the_tanh(
    x: Tensor, w: Tensor, b: Tensor, v: Tensor, c: Tensor, u: Tensor
) -> Tensor:
    return summed(linear(x, w, b) * linear(x, v, c).sigmoid(), u)


def exchanged(
    x: Tensor, w: Tensor, b: Tensor, v: Tensor, c: Tensor, u: Tensor
) -> Tensor:
    return gated_scores(x, v, c, w, b, u)


def weights_of_gated(*given: Tensor) -> Tensor:
    scores = gated_scores(*given)
    return scores.flatten(2).softmax(-1).view_as(scores)


def twice_open(*given: Tensor) -> Tensor:
    return gated_scores(*given) * 2


def for_every_unit(*given: Tensor) -> Tensor:
    x, w, b, v, c, _ = given
    return linear(x, w, b).tanh() * linear(x, v, c).sigmoid()


def half_hard(
    x: Tensor, w: Tensor, b: Tensor, v: Tensor, c: Tensor, u: Tensor
) -> Tensor:
    gate = (linear(x, v, c) / 6 + 0.5).clamp(0, 1)
    return summed(linear(x, w, b).tanh() * gate, u)


ALL = ["W", "beta", "u"]

REFERENCE = {"additive.gated": gated_scores}

RIGHT = {"additive.gated": [gated_by_einsum]}

WRONG = {
    "additive.first_step": [
        ({"first": ALL, "second": ALL}, "too many"),
        ({"first": [], "second": ALL}, "Something learns"),
        ({"first": ["W"], "second": ALL}, "leads through u"),
        ({"first": ["u"], "second": ["u"]}, "no longer zero"),
        ({"first": "u", "second": ALL}, "a list of names"),
        ((["u"], ALL), "a dictionary with the keys"),
    ],
    "additive.pool": [
        (
            lambda x, s: weighted(x, s.flatten().softmax(0).view_as(s)),
            "compete for one unit",
        ),
        (lambda x, s: weighted(x, s.softmax(0)), "over the batch"),
        (lambda x, s: weighted(x, s.softmax(1)), "a single entry"),
        (lambda x, s: weighted(x, s.softmax(2)), "each column sums to one"),
        (lambda x, s: weighted(x, s.softmax(3)), "each row sums to one"),
        (
            lambda x, s: weighted(
                x, s.flatten(2).softmax(-1).view_as(s) / len(x)
            ),
            "over the batch size",
        ),
        (lambda x, s: x.mean((2, 3)), "not the weighted mean"),
    ],
    "additive.gated": [
        (ungated, "The gate is missing"),
        (weights_of_gated, "weights already"),
        (exchanged, "changed roles"),
        (softmax_gate, "at -60 every gate is shut"),
        (tanh_gate, "at -60 every gate is shut"),
        (without_the_tanh, "at 60 every gate is open"),
        (twice_open, "at 60 every gate is open"),
        (gate_without_bias, "beta_gate is not used"),
        (gate_of_the_mean, "opened by something else"),
        (one_gate_for_all, "opened by something else"),
        (half_hard, "opened by something else"),
        (for_every_unit, r"shape \(2, 1, 5, 7\)"),
    ],
    "additive.sharpen": [
        (lambda w, t: w, "t has to be the power"),
        (
            lambda w, t: w * t / (w * t).sum((2, 3), keepdim=True),
            "as a factor it cancels",
        ),
        (lambda w, t: w**t, "sum is no longer one"),
        (lambda w, t: w**t / (w**t).sum(), "the whole batch"),
        (lambda w, t: w**t / (w**t).sum(2, keepdim=True), "Each column"),
        (lambda w, t: w**t / (w**t).sum(3, keepdim=True), "Each row"),
        (
            lambda w, t: (w * t).flatten(2).softmax(-1).view_as(w),
            "a softmax of the weights",
        ),
        (lambda w, t: sharpen_solution(w, 1 / t), "this one flattens"),
        (lambda w, t: sharpen_solution(w, t + 1), "not that of"),
        (always_squared, "With t = 1"),
    ],
    "additive.scores": [
        (without_tanh, "The tanh is missing"),
        (late_tanh, "The tanh comes too late"),
        (normalised, "before the softmax"),
        (scaled, "not divided by the root"),
        (transposed, r"shape \(5, 7\), but has \(7, 5\)"),
    ],
}
