"""Wrong answers to the exercises of lesson 2, and what each is told."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse.exercises.topics.dot_product import in_blocks_solution


def whole(query: Tensor, key: Tensor, value: Tensor, size: int) -> Tensor:
    return (query @ key.mT / query.shape[-1] ** 0.5).softmax(-1) @ value


def fused(query: Tensor, key: Tensor, value: Tensor, size: int) -> Tensor:
    return F.scaled_dot_product_attention(query, key, value)


def unscaled(query: Tensor, key: Tensor, value: Tensor, size: int) -> Tensor:
    return in_blocks_solution(query * query.shape[-1] ** 0.5, key, value, size)


def averaged(query: Tensor, key: Tensor, value: Tensor, size: int) -> Tensor:
    blocks = zip(key.split(size), value.split(size), strict=True)
    parts = [whole(query, k, v, size) for k, v in blocks]
    return torch.stack(parts).mean(0)


def summed(*given: Tensor) -> Tensor:
    return averaged(*given) * 11


def overflows(query: Tensor, key: Tensor, value: Tensor, size: int) -> Tensor:
    total, mixed = 0, 0
    for keys, values in zip(key.split(size), value.split(size), strict=True):
        parts = (query @ keys.mT / query.shape[-1] ** 0.5).exp()
        total = total + parts.sum(-1, keepdim=True)
        mixed = mixed + parts @ values
    return mixed / total


def not_rescaled(
    query: Tensor, key: Tensor, value: Tensor, size: int
) -> Tensor:
    total, mixed = 0, 0
    for keys, values in zip(key.split(size), value.split(size), strict=True):
        scores = query @ keys.mT / query.shape[-1] ** 0.5
        parts = (scores - scores.amax(-1, keepdim=True)).exp()
        total = total + parts.sum(-1, keepdim=True)
        mixed = mixed + parts @ values
    return mixed / total


def attend(layer: nn.Module, tokens: Tensor, mask: Tensor | None) -> Tensor:
    return layer(tokens, tokens, tokens, key_padding_mask=mask)[0]


def real(tokens: Tensor, lengths: Tensor) -> Tensor:
    return torch.arange(tokens.shape[1]) < lengths[:, None]


def zeros_instead(layer: nn.Module, x: Tensor, lengths: Tensor) -> Tensor:
    return attend(layer, x * real(x, lengths)[..., None], None)


def both_returned(layer: nn.Module, x: Tensor, lengths: Tensor) -> tuple:
    return layer(x, x, x, key_padding_mask=~real(x, lengths))


WRONG = {
    "dot_product.wider_start": [
        ({"variance": 64, "divisor": 8}, "entries of variance 1"),
        ({"variance": 128, "divisor": 8}, "a variance of 4"),
        ({"variance": 256, "divisor": 16}, "both have the variance 4"),
        ({"variance": 16, "divisor": 4}, "64 of them are summed"),
        ({"variance": 32, "divisor": 32}, "32 is the standard deviation"),
        ({"variance": 7, "divisor": 7}, "The variance is not right"),
        ({"variance": 1024, "divisor": 8}, "the root of 64"),
        ({"variance": 1024, "divisor": 1024}, "take the root"),
        ({"variance": 1024, "divisor": 5}, "root of the variance"),
        ((1024, 32), "a dictionary"),
    ],
    "dot_product.in_blocks": [
        (whole, "all keys at once"),
        (fused, "calls torch's `scaled_dot_product_attention`"),
        (unscaled, "not divided by the root"),
        (averaged, "a softmax of its own"),
        (summed, "not divided at the end"),
        (overflows, "the exponential overflows"),
        (not_rescaled, "not that of attention"),
        (lambda q, k, v, size: q @ k[:2].mT, "not that of attention"),
    ],
    "dot_product.padding": [
        (lambda m, x, n: attend(m, x, real(x, n)), "still inverted"),
        (lambda m, x, n: attend(m, x, None), "not left out at all"),
        (lambda m, x, n: attend(m, x, ~real(x, n + 1)), "One token of"),
        (lambda m, x, n: attend(m, x, ~real(x, n - 1)), "last real token"),
        (zeros_instead, "Padding of zeros"),
        (both_returned, "a tuple of 2"),
        (lambda m, x, n: x, "not right"),
    ],
    "dot_product.cosine_factor": [
        (lambda dim: 1.0, "changes nothing"),
        (lambda dim: dim**-0.5, "even smaller"),
        (lambda dim: dim, "multiplies the variance by its square"),
        (lambda dim: 512**0.5, "it should be 1"),
        (lambda dim: "root", "should be a number"),
    ],
}
