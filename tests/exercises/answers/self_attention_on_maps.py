"""Wrong answers to the exercises of lesson 8, and what each is told."""

from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor

from attncourse.attention import SelfAttention2d
from attncourse.exercises.topics.self_attention_on_maps import (
    MIB,
    OTHER_END,
    fold_solution,
    gather_solution,
    to_map_solution,
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


def roles_changed(
    x: Tensor, query: Tensor, key: Tensor, *rest: Tensor
) -> Tensor:
    return gather_solution(x, key, query, *rest)


def by_torch(
    x: Tensor, query: Tensor, key: Tensor, value: Tensor, gamma: Tensor
) -> Tensor:
    tokens = (part.flatten(2).mT for part in (query, key, value))
    gathered = F.scaled_dot_product_attention(*tokens, scale=1.0)
    return x + gamma * gathered.mT.reshape(x.shape)


def as_printed(tokens: Tensor, height: int, width: int) -> Tensor:
    batch, _, channels = tokens.shape
    return tokens.reshape(batch, channels, height, width)


def width_first(tokens: Tensor, height: int, width: int) -> Tensor:
    return to_map_solution(tokens, width, height)


def down_the_columns(tokens: Tensor, height: int, width: int) -> Tensor:
    return to_map_solution(tokens, width, height).mT


def mirrored(tokens: Tensor, height: int, width: int) -> Tensor:
    return to_map_solution(tokens, height, width).flip(3)


def channels_turned(tokens: Tensor, height: int, width: int) -> Tensor:
    return to_map_solution(tokens, height, width).flip(1)


def rolled(tokens: Tensor, height: int, width: int) -> Tensor:
    return to_map_solution(tokens, height, width).roll(1, 3)


def permuted(tokens: Tensor, height: int, width: int) -> Tensor:
    batch, _, channels = tokens.shape
    grid = tokens.reshape(batch, height, width, channels)
    return grid.permute(0, 3, 1, 2)


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


def without_the_sign(layer: SelfAttention2d) -> SelfAttention2d:
    folded = deepcopy(layer)
    folded.gamma.data.abs_()
    return fold_solution(folded)


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


def from_the_mean(weights: Tensor) -> Tensor:
    return (weights - weights.mean(1, keepdim=True)).abs()


def query_dependence(weights: Tensor) -> Tensor:
    return from_the_mean(weights).sum(-1).mean(-1) / 2


def from_equal_weights(weights: Tensor) -> Tensor:
    return (weights - 1 / weights.shape[-1]).abs().sum(-1).mean(-1) / 2


def of_the_batch(weights: Tensor) -> Tensor:
    mean = weights.mean((0, 1), keepdim=True)
    return (weights - mean).abs().sum(-1).mean(-1) / 2


def largest(weights: Tensor) -> Tensor:
    return from_the_mean(weights).amax(-1).mean(-1)


def euclidean(weights: Tensor) -> Tensor:
    return (from_the_mean(weights) ** 2).sum(-1).mean(-1)


REFERENCE = {"self_attention_on_maps.query_dependence": query_dependence}

RIGHT = {
    "self_attention_on_maps.gather": [by_torch],
    "self_attention_on_maps.to_map": [permuted],
    "self_attention_on_maps.memory": [1200, 1200.5],
}

WRONG = {
    "self_attention_on_maps.gather": [
        (over_queries, "softmax runs over the queries"),
        (not_transposed, "not transposed"),
        (without_softmax, "The softmax is missing"),
        (scaled, "divided by the root of the width"),
        (no_shortcut, "The map itself is missing"),
        (no_gamma, "Gamma is not used"),
        (gamma_on_the_map, "not on the map"),
        (roles_changed, "have changed roles"),
        (as_tokens, "should have the shape"),
        (twice, "not those of the equation"),
    ],
    "self_attention_on_maps.other_end": [
        (OTHER_END | {"gamma": 1}, "every value is zero"),
        (OTHER_END | {"value": 2}, "which is one here"),
        (OTHER_END | {"query": 1, "key": 1}, "choose among the values"),
        (OTHER_END | {"key": 3}, "enter the scores alike"),
        (OTHER_END | {"query": 3, "key": 3}, "One step is enough"),
        (OTHER_END | {"key": "second"}, "should be a number"),
        ({"gamma": 1}, "dictionary that has the keys"),
    ],
    "self_attention_on_maps.to_map": [
        (as_printed, "still the code as printed"),
        (width_first, "height comes before width"),
        (down_the_columns, "numbered row by row"),
        (mirrored, "is mirrored"),
        (channels_turned, "changed their order"),
        (rolled, "should hold token"),
    ],
    "self_attention_on_maps.memory": [
        (MIB / 4, "the queries are not"),
        (MIB * 4, "leaves a quarter"),
        (MIB * 2, "two bytes"),
        (MIB / 2, "counts numbers"),
        (MIB / 16, "one image"),
        (MIB / 1024, "These are GiB"),
        (MIB * 2**20, "These are bytes"),
        (MIB * 2**20 / 1e6, "MB of a million bytes"),
        (MIB * 8, "eight bits"),
        (1000, "is another number"),
    ],
    "self_attention_on_maps.fold": [
        (only_opened, "its old value is lost"),
        (weight_alone, "The bias of the value"),
        (everything, "Query and key were multiplied"),
        (in_place, "work on a copy"),
        (gamma_left, "gamma should be 1"),
        (negative, "that of the layer before"),
        (without_the_sign, "The sign of gamma is lost"),
        (a_number, "a layer of the same kind"),
    ],
    "self_attention_on_maps.query_dependence": [
        (lambda w: 2 * query_dependence(w), "twice the share"),
        (lambda w: w.shape[1] * query_dependence(w), "average them"),
        (lambda w: w, "should have the shape"),
        (from_equal_weights, "rows are all equal"),
        (of_the_batch, "rows are all equal"),
        (largest, "half of each row"),
        (euclidean, "half of each row"),
    ],
}
