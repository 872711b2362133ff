"""Wrong answers to the exercises of lesson 2, and what each is told."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse.exercises.topics.dot_product import in_blocks_solution


def whole(query: Tensor, key: Tensor, value: Tensor, size: int) -> Tensor:
    return (query @ key.mT / query.shape[-1] ** 0.5).softmax(-1) @ value


def fused(query: Tensor, key: Tensor, value: Tensor, size: int) -> Tensor:
    return F.scaled_dot_product_attention(query, key, value)


def by_query(query: Tensor, key: Tensor, value: Tensor, size: int) -> Tensor:
    return torch.cat([whole(row[None], key, value, size) for row in query])


def query_blocks(
    query: Tensor, key: Tensor, value: Tensor, size: int
) -> Tensor:
    parts = [whole(rows, key, value, size) for rows in query.split(2)]
    return torch.cat(parts)


def large_blocks(
    query: Tensor, key: Tensor, value: Tensor, size: int
) -> Tensor:
    return in_blocks_solution(query, key, value, 26)


def in_two_passes(
    query: Tensor, key: Tensor, value: Tensor, size: int
) -> Tensor:
    query = query * query.shape[-1] ** -0.5
    scores = [query @ keys.mT for keys in key.split(size)]
    peak = torch.stack([block.amax(-1) for block in scores]).amax(0)[:, None]
    parts = [(block - peak).exp() for block in scores]
    total = sum(part.sum(-1, keepdim=True) for part in parts)
    pairs = zip(parts, value.split(size), strict=True)
    return sum(part @ values for part, values in pairs) / total


def by_logarithm(
    query: Tensor, key: Tensor, value: Tensor, size: int
) -> Tensor:
    """Right: each block has a softmax, mixed by the log of its sum."""
    query = query * query.shape[-1] ** -0.5
    mixed, total = torch.zeros(len(query), value.shape[1]), None
    for keys, values in zip(key.split(size), value.split(size), strict=True):
        scores = query @ keys.mT
        part, own = scores.softmax(-1) @ values, scores.logsumexp(-1)
        if total is None:
            mixed, total = part, own
            continue
        both = torch.logaddexp(total, own)
        mixed = mixed * (total - both).exp()[:, None]
        mixed, total = mixed + part * (own - both).exp()[:, None], both
    return mixed


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


def neighbours(height: int, width: int, radius: int) -> Tensor:
    alone = torch.eye(height * width).view(-1, 1, height, width)
    reached = F.max_pool2d(alone, 2 * radius + 1, stride=1, padding=radius)
    return reached.flatten(1) > 0


def pairs(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Rows and columns between any two positions, row by row."""
    position = torch.arange(height * width)
    rows, columns = position // width, position % width
    return (
        (rows[:, None] - rows).abs(),
        (columns[:, None] - columns).abs(),
    )


def inverted(height: int, width: int, radius: int) -> Tensor:
    rows, columns = pairs(height, width)
    return (rows > radius) | (columns > radius)


def without_itself(height: int, width: int, radius: int) -> Tensor:
    rows, columns = pairs(height, width)
    return ~inverted(height, width, radius) & (rows + columns > 0)


def either(height: int, width: int, radius: int) -> Tensor:
    rows, columns = pairs(height, width)
    return (rows <= radius) | (columns <= radius)


def diamond(height: int, width: int, radius: int) -> Tensor:
    rows, columns = pairs(height, width)
    return rows + columns <= radius


def disc(height: int, width: int, radius: int) -> Tensor:
    rows, columns = pairs(height, width)
    return rows**2 + columns**2 <= radius**2


def smaller(height: int, width: int, radius: int) -> Tensor:
    return ~inverted(height, width, radius - 1)


def flat(height: int, width: int, radius: int) -> Tensor:
    position = torch.arange(height * width)
    return (position[:, None] - position).abs() <= radius


def by_height(height: int, width: int, radius: int) -> Tensor:
    return ~inverted(width, height, radius)


def wrapped(height: int, width: int, radius: int) -> Tensor:
    rows, columns = pairs(height, width)
    across = torch.minimum(columns, width - columns)
    down = torch.minimum(rows, height - rows)
    return (down <= radius) & (across <= radius)


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
        (by_query, "all keys at once"),
        (query_blocks, "all keys at once"),
        (large_blocks, "reads 26 keys at a time where `size` is 9"),
        (in_two_passes, "scores of all blocks are kept"),
        (fused, "calls torch's `scaled_dot_product_attention`"),
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
        (
            lambda m, x, n: attend(m, x, (~real(x, n)).float()),
            "added to the scores",
        ),
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
    "dot_product.neighbours": [
        (inverted, "mask is inverted"),
        (without_itself, "to itself, too"),
        (either, "whole rows or columns"),
        (diamond, "corners of the square"),
        (disc, "corners of the square"),
        (smaller, "border is missing"),
        (flat, "numbers of the patches"),
        (by_height, "Height and width are swapped"),
        (wrapped, "It wraps"),
        (lambda h, w, r: neighbours(h, w, r).float(), "should be boolean"),
        (lambda h, w, r: neighbours(h, w, r).view(-1), "shape"),
        (lambda h, w, r: neighbours(h, w, r + 1), "in the middle"),
        (lambda h, w, r: neighbours(h, w, r).triu(), "in the middle"),
    ],
}

RIGHT = {"dot_product.in_blocks": [by_logarithm]}
REFERENCE = {"dot_product.neighbours": neighbours}
