"""Wrong answers to the exercises of lesson 4, and what each is told."""

import torch
import torch.nn.functional as F
from torch import Tensor

from attncourse.exercises.topics.self_attention import (
    EQUIVARIANCE,
    codes_solution,
    offsets_solution,
    patches_solution,
)


def bare_reshape(images: Tensor, side: int) -> Tensor:
    return images.reshape(len(images), -1, images.shape[1] * side**2)


def by_columns(images: Tensor, side: int) -> Tensor:
    rows = images.shape[2] // side
    tokens = patches_solution(images, side).unflatten(1, (rows, -1))
    return tokens.transpose(1, 2).flatten(1, 2)


def channels_last(images: Tensor, side: int) -> Tensor:
    tokens = patches_solution(images, side)
    inside = tokens.unflatten(2, (-1, side, side))
    return inside.permute(0, 1, 3, 4, 2).flatten(2)


def transposed_inside(images: Tensor, side: int) -> Tensor:
    tokens = patches_solution(images, side)
    return tokens.unflatten(2, (-1, side, side)).mT.flatten(2)


def one_batch(images: Tensor, side: int) -> Tensor:
    return patches_solution(images, side).flatten(0, 1)


def by_unfold(images: Tensor, side: int) -> Tensor:
    return F.unfold(images, side, stride=side).mT


def negated(images: Tensor, side: int) -> Tensor:
    return -patches_solution(images, side)


def as_printed(rows: Tensor, columns: Tensor) -> Tensor:
    h, w = len(rows), len(columns)
    return torch.cat([rows.repeat(w, 1), columns.repeat(h, 1)], -1)


def both_interleaved(rows: Tensor, columns: Tensor) -> Tensor:
    h, w = len(rows), len(columns)
    stay = rows.repeat_interleave(w, 0), columns.repeat_interleave(h, 0)
    return torch.cat(stay, -1)


def columns_stay(rows: Tensor, columns: Tensor) -> Tensor:
    h, w = len(rows), len(columns)
    pair = rows.repeat(w, 1), columns.repeat_interleave(h, 0)
    return torch.cat(pair, -1)


def column_first(rows: Tensor, columns: Tensor) -> Tensor:
    return codes_solution(rows, columns).roll(rows.shape[1], 1)


def added(rows: Tensor, columns: Tensor) -> Tensor:
    return (rows[:, None] + columns).flatten(0, 1)


def halves_mixed(rows: Tensor, columns: Tensor) -> Tensor:
    return codes_solution(rows, columns).flip(1)


def key_minus_query(height: int, width: int) -> Tensor:
    return -offsets_solution(height, width)


def column_offset_first(height: int, width: int) -> Tensor:
    return offsets_solution(height, width).flip(2)


def distances(height: int, width: int) -> Tensor:
    return offsets_solution(height, width).abs()


def divided_by_height(height: int, width: int) -> Tensor:
    return offsets_solution(width, height)


def one_number(height: int, width: int) -> Tensor:
    position = torch.arange(height * width)
    return position[:, None] - position


def shifted(height: int, width: int) -> Tensor:
    return offsets_solution(height, width) + 1


def floats(height: int, width: int) -> Tensor:
    return offsets_solution(height, width).float()


def by_division(height: int, width: int) -> Tensor:
    position = torch.arange(height * width)
    column = position % width
    both = torch.stack([(position - column) / width, column], -1)
    return both[:, None] - both[None]


def short_integers(height: int, width: int) -> Tensor:
    return offsets_solution(height, width).to(torch.int32)


def of_a_grid(height: int, width: int) -> Tensor:
    both = torch.cartesian_prod(torch.arange(height), torch.arange(width))
    return both[:, None] - both[None]


def angles_of(tokens: Tensor, positions: Tensor, step: float = 2) -> Tensor:
    dim = tokens.shape[1]
    exponents = -step * torch.arange(dim // 2) / dim
    return positions[:, None] * 10_000**exponents


def turn(tokens: Tensor, positions: Tensor) -> Tensor:
    return turned_by(tokens, angles_of(tokens, positions))


def turned_by(tokens: Tensor, angles: Tensor) -> Tensor:
    a, b = tokens[:, 0::2], tokens[:, 1::2]
    sine, cosine = angles.sin(), angles.cos()
    return torch.stack([a * cosine - b * sine, a * sine + b * cosine], 2).view(
        tokens.shape
    )


def turn_as_complex(tokens: Tensor, positions: Tensor) -> Tensor:
    angles = angles_of(tokens, positions)
    numbers = torch.view_as_complex(tokens.unflatten(1, (-1, 2)).contiguous())
    turned = numbers * torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(turned).flatten(1)


def other_way(tokens: Tensor, positions: Tensor) -> Tensor:
    return turn(tokens, -positions)


def by_halves(tokens: Tensor, positions: Tensor) -> Tensor:
    angles = angles_of(tokens, positions)
    a, b = tokens.chunk(2, 1)
    sine, cosine = angles.sin(), angles.cos()
    return torch.cat([a * cosine - b * sine, a * sine + b * cosine], 1)


def joined_in_halves(tokens: Tensor, positions: Tensor) -> Tensor:
    turned = turn(tokens, positions)
    return torch.cat([turned[:, 0::2], turned[:, 1::2]], 1)


def slow_angles(tokens: Tensor, positions: Tensor) -> Tensor:
    return turned_by(tokens, angles_of(tokens, positions, step=1))


def one_frequency(tokens: Tensor, positions: Tensor) -> Tensor:
    return turned_by(tokens, angles_of(tokens, positions, step=0))


def both_plus(tokens: Tensor, positions: Tensor) -> Tensor:
    angles = angles_of(tokens, positions)
    a, b = tokens[:, 0::2], tokens[:, 1::2]
    sine, cosine = angles.sin(), angles.cos()
    return torch.stack([a * cosine + b * sine, a * sine + b * cosine], 2).view(
        tokens.shape
    )


def code_added(tokens: Tensor, positions: Tensor) -> Tensor:
    angles = angles_of(tokens, positions)
    return tokens + torch.stack([angles.sin(), angles.cos()], 2).flatten(1)


def counted(tokens: Tensor, positions: Tensor) -> Tensor:
    return turn(tokens, torch.arange(len(tokens)).float())


def rounded(tokens: Tensor, positions: Tensor) -> Tensor:
    return turn(tokens, positions.abs())


REFERENCE = {"self_attention.rotary": turn}

RIGHT = {
    "self_attention.rotary": [turn_as_complex],
    "self_attention.offsets": [short_integers, of_a_grid],
}

WRONG = {
    "self_attention.rotary": [
        (lambda tokens, positions: tokens, "Nothing has turned"),
        (code_added, "At position 0 the angle is 0"),
        (counted, "At position 0 the angle is 0"),
        (both_plus, "keeps the length"),
        (by_halves, "should form a pair"),
        (joined_in_halves, "At position 0 the angle is 0"),
        (other_way, "turn the other way"),
        (slow_angles, "falls half as fast"),
        (one_frequency, "should turn by"),
        (rounded, "should be back"),
    ],
    "self_attention.patches": [
        (bare_reshape, "A bare reshape cuts the memory"),
        (by_columns, "column by column"),
        (channels_last, "channels should come first"),
        (transposed_inside, "each is transposed"),
        (one_batch, r"shape \(2, 15, 12\), but has \(30, 12\)"),
        (by_unfold, "`unfold`, which does the task"),
        (negated, "not the upper left square"),
    ],
    "self_attention.shuffle": [
        (EQUIVARIANCE | {"bias": "the same, moved along"}, "belong to the"),
        (EQUIVARIANCE | {"rotary": "exactly the same"}, "where it lands"),
        (EQUIVARIANCE | {"carried": "different"}, "attention is equivariant"),
        (EQUIVARIANCE | {"pooled": "different"}, "does not see the order"),
        (EQUIVARIANCE | {"pooled": "equal"}, "should be one of"),
        ({"bias": "different"}, "dictionary that has the keys"),
    ],
    "self_attention.codes": [
        (as_printed, "still the code as printed"),
        (both_interleaved, "now the columns stay as well"),
        (columns_stay, "column by column"),
        (column_first, "first half should be the code of the row"),
        (added, r"shape \(15, 8\), but has \(15, 4\)"),
        (halves_mixed, "positions 0 to 4 should carry row 0"),
    ],
    "self_attention.offsets": [
        (key_minus_query, "sign is turned round"),
        (column_offset_first, "the row offset comes first"),
        (distances, "Without the sign"),
        (divided_by_height, "A row holds `width` positions"),
        (one_number, "should have the shape"),
        (shifted, "not those of positions counted"),
        (floats, "cannot index a table"),
        (by_division, "cannot index a table"),
    ],
    "self_attention.budget": [
        (8, "just above"),
        (7, "more than the projections"),
        (16, "the smallest is asked for"),
        (9, "does not divide"),
        ("14", "should be a number"),
    ],
}
