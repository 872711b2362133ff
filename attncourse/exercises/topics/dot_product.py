"""Exercises of lesson 2, the scaled dot product."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from attncourse.exercises.exercise import Mistake, exercise
from attncourse.exercises.probes import (
    close,
    expect_close,
    expect_number,
    expect_tensor,
)


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
    """Attention that reads `size` keys at a time: (queries, width)."""
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


class _Widest(TorchFunctionMode):
    """Notices the largest tensor with a given number of rows."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows, self.numbers = rows, 0

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple = (),
        kwargs: dict | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and self.rows in result.shape:
            self.numbers = max(self.numbers, result.numel())
        return result


@exercise(
    "dot_product.in_blocks",
    kind="write",
    solution=in_blocks_solution,
    praise="Largest score, sum of exponentials, weighted sum: three running "
    "numbers a query are the core of every fused kernel.",
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
)
def in_blocks(answer: Any) -> None:
    """Judge `answer(query, key, value, size)`."""
    query, key, value = torch.randn(7, 3), torch.randn(53, 3), torch.randn(53)
    value = value[:, None].repeat(1, 2) * torch.tensor([1.0, 2.0])
    with _Widest(7) as seen:
        found = answer(query, key, value, 5)
    yours = expect_tensor(found, "The output", (7, 2))
    target = F.scaled_dot_product_attention(query, key, value)
    unscaled = (query @ key.mT).softmax(-1) @ value
    if close(yours, unscaled):
        raise Mistake("The scores are not divided by the root of the width.")
    blocks = zip(key.split(5), value.split(5), strict=True)
    parts = [F.scaled_dot_product_attention(query, k, v) for k, v in blocks]
    if close(yours, torch.stack(parts).mean(0)):
        raise Mistake(
            "Each block has a softmax of its own; a block with higher scores "
            "must count for more."
        )
    if close(yours, torch.stack(parts).sum(0)):
        raise Mistake("The sum over the blocks is not divided at the end.")
    expect_close(yours, target, "The output is not that of attention.")
    if seen.numbers >= 7 * 53:
        raise Mistake(
            "The numbers are right, but it holds the scores of all keys at "
            "once; read them block by block."
        )
    large = answer(1000 * query, key, value, 5)
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
    "width where the dot product is divided by it.",
    hints=(
        "A normal vector has a length near the root of its width. What is "
        "left of the variance when both lengths are divided out?",
        "It is the opposite trouble, and it needs the opposite factor.",
        "The variance of the cosines is one over the width. A factor "
        "multiplies a variance by its square.",
    ),
)
def cosine_factor(answer: Any) -> None:
    """Judge `answer(dim)`."""
    for dim in (int(torch.randint(5, 50, ())), 512):
        factor = expect_number(answer(dim), f"The factor for {dim} numbers")
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
            f"For {dim} numbers the cosines times {factor:.3g} have the "
            f"variance {ratio:.3g}; it should be 1."
        )
