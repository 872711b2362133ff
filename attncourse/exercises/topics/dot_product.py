"""Exercises of lesson 2, the scaled dot product."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attncourse.exercises.exercise import Mistake, exercise
from attncourse.exercises.probes import (
    close,
    expect_close,
    expect_number,
    expect_tensor,
    refuse,
)
from attncourse.exercises.sizes import watch_sizes


@exercise(
    "dot_product.wider_start",
    kind="predict",
    solution={"variance": 1024, "divisor": 32},
    praise="Each of the 64 products has the variance 16; the root of their "
    "sum is 32, not the root of 64.",
    hints=(
        "In the derivation of the variance, which factors were set to 1?",
        "The mean of a squared entry of the query is 4, and the same holds "
        "for the key.",
        "Divide by the root of the variance.",
    ),
)
def wider_start(answer: Any) -> None:
    """Judge a dictionary with variance and divisor."""
    if not isinstance(answer, dict) or set(answer) != {"variance", "divisor"}:
        raise Mistake(
            "Hand in a dictionary with the keys 'variance' and 'divisor'."
        )
    variance = expect_number(answer["variance"], "'variance'")
    known = {
        64: "64 is the variance for entries of variance 1; here they have "
        "standard deviation 2.",
        128: "A standard deviation of 2 is a variance of 4, for the query "
        "and for the key.",
        256: "Query and key both have the variance 4, so a product has 16.",
        16: "16 is the variance of one product; 64 of them are summed.",
        32: "32 is the standard deviation; the variance is its square.",
    }
    if variance in known:
        raise Mistake(known[int(variance)])
    if abs(variance - 1024) > 0.5:
        raise Mistake(
            "The variance is not right: multiply the variances of the two "
            "factors, then sum over the 64 products."
        )
    divisor = expect_number(answer["divisor"], "'divisor'")
    if divisor == 1024:
        raise Mistake(
            "Dividing by a number divides the variance by its square: take "
            "the root."
        )
    if divisor == 8:
        raise Mistake(
            "8, the root of 64, is right for entries of variance 1 only."
        )
    if abs(divisor - 32) > 0.01:
        raise Mistake("The divisor should be the root of the variance.")


def in_blocks_solution(
    query: Tensor, key: Tensor, value: Tensor, size: int
) -> Tensor:
    """Attention that reads `size` keys at a time: (queries, dim)."""
    query = query * query.shape[-1] ** -0.5
    largest = torch.full((len(query), 1), -torch.inf)
    total = torch.zeros(len(query), 1)
    mixed = torch.zeros(len(query), value.shape[-1])
    for keys, values in zip(key.split(size), value.split(size), strict=True):
        scores = query @ keys.mT  # (queries, size)
        now = torch.maximum(largest, scores.amax(-1, keepdim=True))
        shrink = (largest - now).exp()
        parts = (scores - now).exp()
        total = total * shrink + parts.sum(-1, keepdim=True)
        mixed = mixed * shrink + parts @ values
        largest = now
    return mixed / total


def _unscaled(query: Tensor, key: Tensor, value: Tensor, size: int) -> Tensor:
    return (query @ key.mT).softmax(-1) @ value


def _averaged(query: Tensor, key: Tensor, value: Tensor, size: int) -> Tensor:
    blocks = zip(key.split(size), value.split(size), strict=True)
    parts = [in_blocks_solution(query, k, v, size) for k, v in blocks]
    return torch.stack(parts).mean(0)


def _summed(query: Tensor, key: Tensor, value: Tensor, size: int) -> Tensor:
    blocks = len(key.split(size))
    return _averaged(query, key, value, size) * blocks


def _last_dropped(
    query: Tensor, key: Tensor, value: Tensor, size: int
) -> Tensor:
    whole = len(key) // size * size
    return in_blocks_solution(query, key[:whole], value[:whole], size)


def _rescaled_in_part(
    query: Tensor, key: Tensor, value: Tensor, size: int, *, total: bool
) -> Tensor:
    """Rescale the total or the weighted sum, and not the other one."""
    scores = query @ key.mT * query.shape[-1] ** -0.5
    blocks = scores.split(size, dim=-1)
    peaks = torch.stack([block.amax(-1) for block in blocks], -1)
    running = peaks.cummax(-1).values
    each = running.repeat_interleave(
        torch.tensor([block.shape[-1] for block in blocks]), -1
    )
    kept = (scores - each).exp()
    right = (scores - running[:, -1:]).exp()
    below, above = (right, kept) if total else (kept, right)
    return above @ value / below.sum(-1, keepdim=True)


def _total_kept(
    query: Tensor, key: Tensor, value: Tensor, size: int
) -> Tensor:
    return _rescaled_in_part(query, key, value, size, total=False)


def _sum_kept(query: Tensor, key: Tensor, value: Tensor, size: int) -> Tensor:
    return _rescaled_in_part(query, key, value, size, total=True)


IN_BLOCKS_WRONG = (
    (
        _unscaled,
        "The scores are not divided by the root of the dimension.",
    ),
    (
        _averaged,
        "Each block has a softmax of its own; a block with higher scores "
        "must count for more.",
    ),
    (_summed, "The sum over the blocks is not divided at the end."),
    (
        _last_dropped,
        "The last block is missing: it is shorter where `size` does not "
        "divide the number of keys.",
    ),
    (
        _total_kept,
        "The weighted sum is rescaled when the largest score changes, the "
        "sum of exponentials is not.",
    ),
    (
        _sum_kept,
        "The sum of exponentials is rescaled when the largest score changes, "
        "the weighted sum is not.",
    ),
)


@exercise(
    "dot_product.in_blocks",
    kind="write",
    solution=in_blocks_solution,
    praise="Largest score, sum of exponentials, weighted sum: three running "
    "values a query are the core of every fused kernel.",
    hints=(
        "The weighted sum and the sum of the exponentials can both be summed "
        "block by block. Divide at the end.",
        "An exponential overflows. Subtract the largest score seen so far; "
        "when a block has a larger one, multiply everything summed so far by "
        "the exponential of old minus new.",
        "Start with minus infinity as the largest score and both sums at 0. "
        "Then the factor is 0 in the first block, and no special case is "
        "needed.",
    ),
    forbidden=(F.scaled_dot_product_attention,),
    wrong=IN_BLOCKS_WRONG,
)
def in_blocks(answer: Any) -> None:
    """Judge `answer(query, key, value, size)`."""
    queries, keys, size = 4, 53, 9
    query, key = torch.randn(queries, 3), torch.randn(keys, 3)
    value = torch.randn(keys, 2)
    with watch_sizes(query, key) as seen:
        found = answer(query, key, value, size)
    yours = expect_tensor(found, "The output", (queries, 2))
    refuse(yours, IN_BLOCKS_WRONG, query, key, value, size)
    target = F.scaled_dot_product_attention(query, key, value)
    expect_close(yours, target, "The output is not that of attention.")
    if seen.longest >= keys:
        raise Mistake(
            "The output is right, but it computes the scores of a query with "
            "all keys at once; read the keys block by block."
        )
    if seen.longest > size:
        raise Mistake(
            f"The output is right, but it reads {seen.longest} keys at a "
            f"time where `size` is {size}."
        )
    if seen.held >= queries * keys:
        raise Mistake(
            "The output is right, but the scores of all blocks are kept; "
            "forget those of a block before the next."
        )
    large = answer(1000 * query, key, value, size)
    if not isinstance(large, Tensor) or not large.isfinite().all():
        raise Mistake(
            "With large scores the exponential overflows; subtract the "
            "largest score seen so far."
        )
    exact = F.scaled_dot_product_attention(1000 * query, key, value)
    expect_close(
        large,
        exact,
        "With large scores it differs: what was summed before a new largest "
        "score must be rescaled.",
    )


def padding_solution(
    layer: nn.MultiheadAttention, tokens: Tensor, lengths: Tensor
) -> Tensor:
    """Output of a layer that leaves out the padding: (b, n, d)."""
    is_real = torch.arange(tokens.shape[1]) < lengths[:, None]
    output: Tensor = layer(tokens, tokens, tokens, key_padding_mask=~is_real)[
        0
    ]
    return output


@exercise(
    "dot_product.padding",
    kind="find",
    solution=padding_solution,
    praise="True means left out in this mask of torch; a test that changes "
    "the padding tells.",
    hints=(
        "What may the output of the real tokens depend on?",
        "Put other numbers into the padding, and compare.",
        "Read in torch's documentation what True means in `key_padding_mask`.",
    ),
)
def padding(answer: Any) -> None:
    """Judge `answer(layer, tokens, lengths)`."""
    layer = nn.MultiheadAttention(6, 2, batch_first=True).eval()
    tokens, lengths = torch.randn(3, 7, 6), torch.tensor([2, 6, 4])
    yours = expect_tensor(
        answer(layer, tokens, lengths), "The output", (3, 7, 6)
    )
    real = torch.arange(7) < lengths[:, None]

    def masked(mask: Tensor | None) -> Tensor:
        output: Tensor = layer(tokens, tokens, tokens, key_padding_mask=mask)[
            0
        ]
        return output[real]

    found = yours[real]
    if close(found, masked(real)):
        raise Mistake(
            "The mask is still inverted: True means left out, so the real "
            "tokens attend to the padding only."
        )
    if close(found, masked(None)):
        raise Mistake("The padding is not left out at all.")
    for as_numbers in (real.float(), (~real).float()):
        if close(found, masked(as_numbers)):
            raise Mistake(
                "A mask of floating-point numbers is added to the scores: 0 "
                "and 1 leave nothing out, keep it boolean."
            )
    beyond = torch.arange(7) > lengths[:, None]
    if close(found, masked(beyond)):
        raise Mistake("One token of the padding is still attended.")
    early = torch.arange(7) >= (lengths - 1)[:, None]
    if close(found, masked(early)):
        raise Mistake("The last real token is left out too.")
    empty = tokens * real[..., None]
    zeroed = layer(empty, empty, empty)[0][real]
    if close(found, zeroed):
        raise Mistake(
            "Padding of zeros still has keys, those of the bias, and still "
            "gets weight."
        )
    expect_close(
        found, masked(~real), "The output of the real tokens is not right."
    )


def cosine_factor_solution(dim: int) -> float:
    """Return the factor that brings cosines back to variance 1."""
    return float(dim**0.5)


@exercise(
    "dot_product.cosine_factor",
    kind="change",
    solution=cosine_factor_solution,
    praise="Cosines need the opposite factor: multiply by the root of the "
    "dimension where the dot product is divided by it.",
    hints=(
        "A normal vector has a length near the root of its dimension. What is "
        "left of the variance when both lengths are divided out?",
        "It is the opposite problem, and it needs the opposite factor.",
        "The variance of the cosines is one over the dimension. A factor "
        "multiplies a variance by its square.",
    ),
)
def cosine_factor(answer: Any) -> None:
    """Judge `answer(dim)`."""
    for dim in (int(torch.randint(5, 50, ())), 512):
        factor = expect_number(answer(dim), f"The factor for {dim} dimensions")
        ratio = factor**2 / dim
        if abs(ratio - 1) < 0.02:
            continue
        if factor == 1:
            raise Mistake("That changes nothing.")
        if abs(factor - dim**-0.5) < 1e-6:
            raise Mistake(
                "That is the scale of the dot product; it makes cosines even "
                "smaller."
            )
        if abs(factor - dim) < 1e-6:
            raise Mistake(
                "A factor multiplies the variance by its square: this one "
                f"gives the variance {dim}, not 1."
            )
        raise Mistake(
            f"For {dim} dimensions the cosines times {factor:.3g} have the "
            f"variance {ratio:.3g}; it should be 1."
        )


FIRST_ROW = {  # what the first of 2 x 6 patches sees with radius 1
    (2, 3, 4, 5, 8, 9, 10, 11): "The mask is inverted: True means that a "
    "patch may be attended.",
    (1, 6, 7): "A patch may attend to itself, too.",
    (0, 1, 6): "The corners of the square belong to it: each of the two "
    "distances may be as large as the radius.",
    tuple(range(12)): "It allows whole rows or columns: both distances have "
    "to be small.",
    (0,): "The border is missing: at most `radius` includes `radius`.",
    (0, 1): "It compares the numbers of the patches; a patch one row below "
    "has a number larger by the width.",
    (0, 1, 2, 3): "Height and width are swapped: a row holds `width` patches.",
    (0, 1, 5, 6, 7, 11): "It wraps: the left border is no neighbour of the "
    "right one.",
}


@exercise(
    "dot_product.neighbours",
    kind="write",
    answer="function",
    hand_in=True,
    praise="A mask saves no arithmetic by itself: the scores that it leaves "
    "out are still computed.",
    hints=(
        "Which row and which column has the patch with the number i?",
        "Compare all rows with all rows by broadcasting, `[:, None]` against "
        "`[None]`, and all columns likewise.",
    ),
)
def neighbours(answer: Any) -> None:
    """Judge `answer(height, width, radius)`."""
    small = expect_tensor(answer(2, 6, 1), "The mask", (12, 12))
    if small.dtype != torch.bool:
        raise Mistake(f"The mask should be boolean, but is {small.dtype}.")
    said = FIRST_ROW.get(tuple(small[0].nonzero()[:, 0].tolist()))
    if said:
        raise Mistake(said)
    for height, width, radius in ((5, 8, 2), (9, 4, 1), (3, 3, 0)):
        count, reach = height * width, 2 * radius + 1
        shape = (count, count)
        yours = expect_tensor(answer(height, width, radius), "The mask", shape)
        image = yours.view(count, height, width)
        inner = slice(radius, height - radius), slice(radius, width - radius)
        seen = yours.sum(1).view(height, width)[inner]
        if not torch.equal(yours, yours.mT) or not (seen == reach**2).all():
            raise Mistake(
                f"With radius {radius} a patch in the middle should attend "
                f"to {reach} x {reach} patches, and be attended by these."
            )
        boxes = image.any(1)[:, None] & image.any(2)[:, :, None]
        if not torch.equal(boxes, image) or not yours.diag().all():
            raise Mistake("The patches that one may attend form no rectangle.")
