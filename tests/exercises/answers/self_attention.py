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
    place = torch.arange(height * width)
    return place[:, None] - place


def shifted(height: int, width: int) -> Tensor:
    return offsets_solution(height, width) + 1


WRONG = {
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
        (EQUIVARIANCE | {"attention": "different"}, "goes where its token"),
        (EQUIVARIANCE | {"mean": "different"}, "does not see places"),
        (
            EQUIVARIANCE | {"positions": "exactly the same"},
            "stay with the places",
        ),
        (
            EQUIVARIANCE | {"convolution": "the same, moved along"},
            "other neighbours",
        ),
        (EQUIVARIANCE | {"mean": "equal"}, "should be one of"),
        ({"attention": "different"}, "dictionary that has the keys"),
    ],
    "self_attention.codes": [
        (as_printed, "still the code as printed"),
        (both_interleaved, "now the columns stay as well"),
        (columns_stay, "column by column"),
        (column_first, "first half should be the code of the row"),
        (added, r"shape \(15, 8\), but has \(15, 4\)"),
        (halves_mixed, "place 0 to 4 should carry row 0"),
    ],
    "self_attention.offsets": [
        (key_minus_query, "sign is turned round"),
        (column_offset_first, "the row offset comes first"),
        (distances, "Without the sign"),
        (divided_by_height, "A row holds `width` places"),
        (one_number, "should have the shape"),
        (shifted, "not those of places counted"),
    ],
    "self_attention.budget": [
        (8, "just above"),
        (7, "more than the projections"),
        (16, "the smallest is asked for"),
        (9, "does not divide"),
        ("14", "should be a number"),
    ],
}
