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
    "bias": "different",
    "rotary": "different",
    "carried": "the same, moved along",
    "pooled": "exactly the same",
}
OPTIONS = ("exactly the same", "the same, moved along", "different")
REASONS = {
    "bias": "For bias: the numbers in the table belong to the positions, and "
    "the tokens move under them, so each pair gets another number.",
    "rotary": "For rotary: a token is turned by the position where it lands, "
    "so its offsets to the others change.",
    "carried": "For carried: with its code added, a token is a vector like "
    "any other, and plain attention is equivariant.",
    "pooled": "For pooled: the outputs have only moved, and a mean does not "
    "see the order.",
}


@exercise(
    "self_attention.shuffle",
    kind="predict",
    solution=EQUIVARIANCE,
    praise="What stays behind at the positions notices a shuffle; what "
    "travels with the tokens does not.",
    hints=(
        "For each case ask what moves with a token and what stays at its "
        "position.",
        "A bias is looked up by two positions, a turn by one. Neither asks "
        "which token stands there.",
        "A code that is added before the shuffle is a part of the token. What "
        "does plain attention do with shuffled tokens?",
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
    praise="Row by row: the row code stays for w positions while the column "
    "code runs through.",
    hints=(
        "Take h = 2 and w = 3 and write down row and column of the six "
        "positions, row by row.",
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
            "This is still the code as printed: position 1 gets the code of "
            "row 1, although it stands in row 0."
        )
    wide_rows = rows.repeat_interleave(5, 0)
    wide_columns = columns.repeat_interleave(3, 0)
    if close(yours, torch.cat([wide_rows, wide_columns], -1)):
        raise Mistake(
            "The rows are right, but now the columns stay as well: position 1 "
            "should have the code of column 1."
        )
    if close(yours, torch.cat([rows.repeat(5, 1), wide_columns], -1)):
        raise Mistake(
            "This numbers the positions column by column; the tokens of a map "
            "come row by row."
        )
    if close(yours, target.roll(4, 1)):
        raise Mistake(
            "The positions are right, but the first half should be the code "
            "of the row and the second that of the column."
        )
    expect_close(
        yours,
        target,
        "The shape is right, but the positions 0 to 4 should carry row 0 and "
        "the columns 0 to 4.",
        picture=True,
    )


def offsets_solution(height: int, width: int) -> Tensor:
    """Row and column offset of each pair: (positions, positions, 2)."""
    position = torch.arange(height * width)
    both = torch.stack([position // width, position % width], -1)
    return both[:, None] - both[None]


@exercise(
    "self_attention.offsets",
    kind="write",
    solution=offsets_solution,
    praise="Two numbers for each pair of positions, and all that a relative "
    "bias may depend on.",
    hints=(
        "Position i, counted row by row, stands in row i // width and column "
        "i % width.",
        "Stack rows and columns to (positions, 2). Then subtract with one new "
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
    position = torch.arange(n)
    swapped = torch.stack([position // height, position % height], -1)
    if close(yours, swapped[:, None] - swapped[None]):
        raise Mistake(
            "A row holds `width` positions: the row is i // width and the "
            "column is i % width."
        )
    expect_close(
        yours,
        target,
        "The shape is right, but the offsets are not those of positions "
        "counted row by row.",
    )
    if yours.is_floating_point():
        raise Mistake(
            "The values are right, but they are floats, which cannot index a "
            "table: keep integers with `//` and `torch.arange`."
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


@exercise(
    "self_attention.rotary",
    kind="write",
    answer="function",
    hand_in=True,
    praise="Lengths stay, turns add up, and a product of two turned tokens "
    "sees the difference of their positions.",
    hints=(
        "One angle for each token and pair: (n, 1) positions times (d / 2) "
        "frequencies.",
        "`tokens[:, 0::2]` and `tokens[:, 1::2]` are the first and second "
        "entries of all pairs.",
        "Put the new first and second entries back in turn: `torch.stack` "
        "on a new last axis, then `flatten(1)`.",
    ),
)
def rotary(answer: Any) -> None:
    """Judge `answer(tokens, positions)` by what a turn must do."""
    tokens, positions = torch.randn(5, 6), torch.randn(5) * 3
    still = torch.zeros(5)
    yours = expect_tensor(answer(tokens, positions), "The result", (5, 6))
    if close(yours, tokens):
        raise Mistake("Nothing has turned: positions are not used.")
    expect_close(
        expect_tensor(answer(tokens, still), "The result", (5, 6)),
        tokens,
        "At position 0 the angle is 0 and a token should stay as it is.",
    )
    if not close(yours.norm(dim=1), tokens.norm(dim=1)):
        raise Mistake(
            "A turn keeps the length of a token; yours changes it. Check "
            "sine, cosine and the one minus sign."
        )
    pairs, before = yours.view(5, 3, 2), tokens.view(5, 3, 2)
    if not close(pairs.norm(dim=2), before.norm(dim=2)):
        raise Mistake(
            "Entries 2m and 2m + 1 should form a pair; you pair others, such "
            "as m and m + d/2, or put them back in another order."
        )
    _expect_angles(answer)
    again = answer(answer(tokens, positions), -positions)
    expect_close(
        expect_tensor(again, "The result", (5, 6)),
        tokens,
        "Turned by positions and then by -positions, the tokens should be "
        "back; yours are not.",
    )


def _expect_angles(answer: Any) -> None:
    """Read the angle of each pair off the first unit vector of it."""
    dim = 2 * int(torch.randint(3, 6, ()))
    firsts = torch.eye(dim)[0::2]
    turned = expect_tensor(
        answer(firsts, torch.ones(dim // 2)), "The result", (dim // 2, dim)
    )
    pairs = turned.view(dim // 2, dim // 2, 2).diagonal().T
    angles = torch.atan2(pairs[:, 1], pairs[:, 0])
    steps = -angles.abs().log10() * dim / 8  # 0, 1, 2, ... for the right ones
    count = torch.arange(dim // 2)
    if (angles < 0).all() and close(steps, count):
        raise Mistake(
            "The angles are right, but you turn the other way: a' is "
            "a cos - b sin."
        )
    if close(steps, count / 2):
        raise Mistake(
            "The exponent is -2m/d, with m the number of the pair; yours "
            "falls half as fast."
        )
    if not close(steps, count) or (angles < 0).any():
        raise Mistake(
            "At position 1 pair m should turn by 10000^(-2m/d); with "
            f"d = {dim} yours turn by "
            f"{', '.join(f'{angle:.4f}' for angle in angles)}."
        )
