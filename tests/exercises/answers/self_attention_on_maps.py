"""Wrong answers to the exercises of lesson 8, and what each is told."""

from copy import deepcopy

import torch
from torch import Tensor

from attncourse.attention import SelfAttention2d
from attncourse.exercises.topics.self_attention_on_maps import (
    FIRST_STEP,
    MIB,
    fold_solution,
    gather_solution,
)


def spelled_out(
    x: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    gamma: Tensor,
    *,
    axis: int = -1,
    transpose: bool = True,
    softmax: bool = True,
    scale: float = 1.0,
) -> Tensor:
    scores = query.flatten(2).mT @ key.flatten(2) * scale
    weights = scores.softmax(axis) if softmax else scores
    side = weights.mT if transpose else weights
    return x + gamma * (value.flatten(2) @ side).view_as(x)


def over_queries(*given: Tensor) -> Tensor:
    return spelled_out(*given, axis=-2)


def not_transposed(*given: Tensor) -> Tensor:
    return spelled_out(*given, transpose=False)


def without_softmax(*given: Tensor) -> Tensor:
    return spelled_out(*given, softmax=False)


def scaled(*given: Tensor) -> Tensor:
    return spelled_out(*given, scale=given[1].shape[1] ** -0.5)


def no_shortcut(x: Tensor, *given: Tensor) -> Tensor:
    return gather_solution(x, *given) - x


def no_gamma(x: Tensor, *given: Tensor) -> Tensor:
    return x + (gather_solution(x, *given) - x) / given[-1]


def gamma_on_the_map(x: Tensor, *given: Tensor) -> Tensor:
    return given[-1] * x + (gather_solution(x, *given) - x) / given[-1]


def as_tokens(x: Tensor, *given: Tensor) -> Tensor:
    return gather_solution(x, *given).flatten(2)


def twice(x: Tensor, *given: Tensor) -> Tensor:
    return gather_solution(gather_solution(x, *given), *given)


def gated(x: Tensor, gathered: Tensor, gamma: Tensor) -> Tensor:
    return gamma * (x + gathered)


def faded(x: Tensor, gathered: Tensor, gamma: Tensor) -> Tensor:
    return (1 - gamma) * x + gamma * gathered


def exchanged(x: Tensor, gathered: Tensor, gamma: Tensor) -> Tensor:
    return gamma * x + gathered


def ungated(x: Tensor, gathered: Tensor, gamma: Tensor) -> Tensor:
    return x + gathered


def without_x(x: Tensor, gathered: Tensor, gamma: Tensor) -> Tensor:
    return gamma * gathered


def only_opened(layer: SelfAttention2d) -> SelfAttention2d:
    opened = deepcopy(layer)
    opened.gamma.data.fill_(1)
    return opened


def weight_alone(layer: SelfAttention2d) -> SelfAttention2d:
    folded = only_opened(layer)
    folded.project.weight.data[-16:] *= layer.gamma
    return folded


def everything(layer: SelfAttention2d) -> SelfAttention2d:
    folded = only_opened(layer)
    folded.project.weight.data *= layer.gamma
    folded.project.bias.data *= layer.gamma
    return folded


def in_place(layer: SelfAttention2d) -> SelfAttention2d:
    layer.project.weight.data[-16:] *= layer.gamma
    layer.project.bias.data[-16:] *= layer.gamma
    layer.gamma.data.fill_(1)
    return layer


def gamma_left(layer: SelfAttention2d) -> SelfAttention2d:
    folded = fold_solution(layer)
    folded.gamma.data.copy_(layer.gamma)
    return folded


def negative(layer: SelfAttention2d) -> SelfAttention2d:
    folded = fold_solution(layer)
    folded.project.bias.data[-16:] *= -1
    return folded


def a_number(layer: SelfAttention2d) -> Tensor:
    return torch.tensor(1.0)


WRONG = {
    "self_attention_on_maps.gather": [
        (over_queries, "softmax runs over the queries"),
        (not_transposed, "not transposed"),
        (without_softmax, "The softmax is missing"),
        (scaled, "divided by the root of the width"),
        (no_shortcut, "The map itself is missing"),
        (no_gamma, "Gamma is not used"),
        (gamma_on_the_map, "not on the map"),
        (as_tokens, "should have the shape"),
        (twice, "not those of the equation"),
    ],
    "self_attention_on_maps.first_step": [
        (FIRST_STEP | {"gamma": 2}, "Gamma learns at once"),
        (FIRST_STEP | {"value": 1}, "carries the factor gamma"),
        (FIRST_STEP | {"query": 1, "key": 1}, "act through the weights"),
        (FIRST_STEP | {"key": 3}, "enter the scores alike"),
        (FIRST_STEP | {"query": 3, "key": 3}, "One step is enough"),
        (FIRST_STEP | {"key": "second"}, "should be a number"),
        ({"gamma": 1}, "dictionary that has the keys"),
    ],
    "self_attention_on_maps.shortcut": [
        (gated, "still the code as printed"),
        (faded, "fades the map out"),
        (exchanged, "on the wrong term"),
        (ungated, "does not start as the identity"),
        (without_x, "a straight line between"),
    ],
    "self_attention_on_maps.memory": [
        (MIB / 4, "counts numbers"),
        (112**4 * 4 / 1e6, "MB of a million bytes"),
        (MIB / 1024, "These are GiB"),
        (112**4 * 4, "These are bytes"),
        (112**2 * 4 / 2**20, "one number for each place"),
        (MIB * 8, "eight bits"),
        (112**3 * 4 / 2**20, "as many keys"),
        (1000, "is another number"),
    ],
    "self_attention_on_maps.fold": [
        (only_opened, "its old value is lost"),
        (weight_alone, "The bias of the value"),
        (everything, "Query and key were multiplied"),
        (in_place, "work on a copy"),
        (gamma_left, "gamma should be 1"),
        (negative, "that of the layer before"),
        (a_number, "a layer of the same kind"),
    ],
}
