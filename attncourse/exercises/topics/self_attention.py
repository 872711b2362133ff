"""Exercises of lesson 4, self-attention and position."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from attncourse.exercises.exercise import Mistake, exercise
from attncourse.exercises.probes import (
    close,
    expect_choice,
    expect_close,
    expect_number,
    expect_tensor,
)


def patches_solution(images: Tensor, side: int) -> Tensor:
    """Cut (b, c, h, w) into tokens (b, patches, c * side * side)."""
    rows = images.unflatten(2, (-1, side))  # (b, c, rows, side, w)
    cells = rows.unflatten(4, (-1, side))  # (b, c, rows, side, columns, side)
    tokens: Tensor = cells.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
    return tokens


@exercise(
    "self_attention.patches",
    kind="write",
    solution=patches_solution,
    praise="Each token holds one square of the image, and the squares come "
    "row by row.",
    hints=(
        "A reshape alone keeps the order of the numbers in memory. In memory "
        "a row of the image runs through several patches.",
        "Split the height into (rows, side) and the width into (columns, "
        "side) with `unflatten`: six axes.",
        "Bring the axes into the order (batch, rows, columns, channels, "
        "side, side) with `permute`, then flatten twice.",
    ),
    forbidden=(F.unfold, torch.Tensor.unfold),
)
def patches(answer: Any) -> None:
    """Judge `answer(images, side)`."""
    images, side = torch.randn(2, 3, 6, 10), 2
    yours = expect_tensor(answer(images, side), "The result", (2, 15, 12))
    target = patches_solution(images, side)
    if close(yours, images.reshape(2, 15, 12)):
        raise Mistake(
            "A bare reshape cuts the memory, not the image: each of these "
            "tokens is a stretch of one channel. Split both sides and move "
            "the axes."
        )
    down = target.unflatten(1, (3, 5)).transpose(1, 2).flatten(1, 2)
    if close(yours, down):
        raise Mistake(
            "The patches come column by column; token 1 should be the right "
            "neighbour of token 0."
        )
    inside = target.unflatten(2, (3, 2, 2))
    if close(yours, inside.permute(0, 1, 3, 4, 2).flatten(2)):
        raise Mistake(
            "The patches are right, but inside a token the channels should "
            "come first: (channels, side, side)."
        )
    if close(yours, inside.transpose(3, 4).flatten(2)):
        raise Mistake(
            "The patches are right, but each is transposed: rows and columns "
            "inside a token have changed places."
        )
    expect_close(
        yours,
        target,
        "The shape is right, but token 0 is not the upper left square of "
        "the image, channel by channel.",
    )


EQUIVARIANCE = {
    "attention": "the same, moved along",
    "mean": "exactly the same",
    "positions": "different",
    "convolution": "different",
}
OPTIONS = ("exactly the same", "the same, moved along", "different")
REASONS = {
    "attention": "For attention: each output asks all tokens, in whatever "
    "order, so it keeps its value and goes where its token goes.",
    "mean": "For mean: the outputs have only changed places, and a mean "
    "does not see places.",
    "positions": "For positions: the codes stay with the places while the "
    "patches move, so the sums are new tokens.",
    "convolution": "For convolution: a 3 x 3 convolution mixes neighbours, "
    "and after the shuffle each place has other neighbours.",
}


@exercise(
    "self_attention.shuffle",
    kind="predict",
    solution=EQUIVARIANCE,
    praise="Only what depends on neighbours or codes can see that the image "
    "was shuffled.",
    hints=(
        "Write out one output of attention. Where does the order of the "
        "tokens enter it?",
        "A position code belongs to the place, not to the patch. A 3 x 3 "
        "convolution looks at places, too.",
    ),
)
def shuffle(answer: Any) -> None:
    """Judge a dictionary with one of `OPTIONS` for each of four cases."""
    if not isinstance(answer, dict) or set(answer) != set(EQUIVARIANCE):
        asked = ", ".join(repr(name) for name in EQUIVARIANCE)
        raise Mistake(f"Answer with a dictionary that has the keys {asked}.")
    for name, right in EQUIVARIANCE.items():
        given = expect_choice(
            answer[name], f"The answer for {name!r}", OPTIONS
        )
        if given != right:
            raise Mistake(REASONS[name])


def codes_solution(rows: Tensor, columns: Tensor) -> Tensor:
    """Join codes (h, d) of rows and (w, d) of columns: (h * w, 2 d)."""
    h, w = len(rows), len(columns)
    return torch.cat([rows.repeat_interleave(w, 0), columns.repeat(h, 1)], -1)


@exercise(
    "self_attention.codes",
    kind="find",
    solution=codes_solution,
    praise="Row by row: the row code stays for w places while the column "
    "code runs through.",
    hints=(
        "Take h = 2 and w = 3 and write down row and column of the six "
        "places, row by row.",
        "`repeat` gives 0 1 0 1 0 1; `repeat_interleave` gives 0 0 0 1 1 1. "
        "Which of the two do the rows need?",
    ),
)
def codes(answer: Any) -> None:
    """Judge `answer(rows, columns)`."""
    rows, columns = torch.randn(3, 4), torch.randn(5, 4)
    yours = expect_tensor(answer(rows, columns), "The codes", (15, 8))
    target = codes_solution(rows, columns)
    if close(yours, torch.cat([rows.repeat(5, 1), columns.repeat(3, 1)], -1)):
        raise Mistake(
            "This is still the code as printed: place 1 gets the code of "
            "row 1, although it stands in row 0."
        )
    wide_rows = rows.repeat_interleave(5, 0)
    wide_columns = columns.repeat_interleave(3, 0)
    if close(yours, torch.cat([wide_rows, wide_columns], -1)):
        raise Mistake(
            "The rows are right, but now the columns stay as well: place 1 "
            "should have the code of column 1."
        )
    if close(yours, torch.cat([rows.repeat(5, 1), wide_columns], -1)):
        raise Mistake(
            "This numbers the places column by column; the tokens of a map "
            "come row by row."
        )
    if close(yours, target.roll(4, 1)):
        raise Mistake(
            "The places are right, but the first half should be the code of "
            "the row and the second that of the column."
        )
    expect_close(
        yours,
        target,
        "The shape is right, but place 0 to 4 should carry row 0 and the "
        "columns 0 to 4.",
        picture=True,
    )


def offsets_solution(height: int, width: int) -> Tensor:
    """Row and column offset of each pair: (places, places, 2)."""
    place = torch.arange(height * width)
    both = torch.stack([place // width, place % width], -1)
    return both[:, None] - both[None]


@exercise(
    "self_attention.offsets",
    kind="write",
    solution=offsets_solution,
    praise="Two numbers for each pair of places, and all that a relative "
    "position may depend on.",
    hints=(
        "Place i, counted row by row, stands in row i // width and column "
        "i % width.",
        "Stack rows and columns to (places, 2). Then subtract with one new "
        "axis on each side.",
    ),
)
def offsets(answer: Any) -> None:
    """Judge `answer(height, width)`."""
    height = int(torch.randint(2, 5, ()))
    width = height + int(torch.randint(1, 4, ()))
    n = height * width
    yours = expect_tensor(answer(height, width), "The result", (n, n, 2))
    target = offsets_solution(height, width)
    if close(yours, -target):
        raise Mistake(
            "The sign is turned round: entry [i, j] should be query i minus "
            "key j."
        )
    if close(yours, target.flip(2)):
        raise Mistake(
            "Row and column have changed places: the row offset comes first."
        )
    if close(yours, target.abs()):
        raise Mistake(
            "Without the sign, above and below are the same; leave the "
            "absolute value out."
        )
    place = torch.arange(n)
    swapped = torch.stack([place // height, place % height], -1)
    if close(yours, swapped[:, None] - swapped[None]):
        raise Mistake(
            "A row holds `width` places: the row is i // width and the "
            "column is i % width."
        )
    expect_close(
        yours,
        target,
        "The shape is right, but the offsets are not those of places counted "
        "row by row.",
    )


PIXELS, DIM = 224, 384


@exercise(
    "self_attention.budget",
    kind="predict",
    solution=14,
    praise="Sixteen rows of sixteen patches: 256 tokens, and the pairs cost "
    "a third of the projections.",
    hints=(
        "Write the condition with n: 2 n^2 d < 4 n d^2. What is left of it?",
        "n must stay below 2 d = 768. How many patches make 224 / p in a "
        "square?",
    ),
)
def budget(answer: Any) -> None:
    """Judge the side of a patch in pixels."""
    side = expect_number(answer, "The side of a patch")
    if side <= 0 or PIXELS % side:
        raise Mistake(
            f"A patch of {side:g} pixels does not divide 224 pixels evenly."
        )
    count = int(PIXELS // side) ** 2
    if count >= 2 * DIM and count < 2 * DIM * 1.1:
        raise Mistake(
            f"Close, but 224 / {side:g} squared is {count}, just above "
            "2 d = 768."
        )
    if count >= 2 * DIM:
        raise Mistake(
            f"That makes {count} patches, and the pairs cost more than the "
            "projections as soon as n exceeds 2 d = 768."
        )
    if side > 14:
        raise Mistake(
            f"{count} patches are cheap enough, but a smaller patch fits as "
            "well; the smallest is asked for."
        )
