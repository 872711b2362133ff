"""The same numbers faster: layouts, blocks and reductions that torch likes.

Nothing here is part of a mechanism. Each function computes what one line of
its docstring says, in the way that torch 2.13 to 2.15 does it best.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

QUERIES_PER_BLOCK = 32


def fused_attention(
    query: Float[Tensor, "*batch queries dim"],
    key: Float[Tensor, "*batch keys dim"],
    value: Float[Tensor, "*batch keys value_dim"],
    mask: Bool[Tensor, "..."] | None,
    score_bias: Float[Tensor, "..."] | None,
    scale: float,
) -> Float[Tensor, "*batch queries value_dim"]:
    """``softmax(scale q k^T + score_bias) v``, without storing the weights.

    With unequal widths, a last axis that is not contiguous, a rank other
    than 3 and 4, or a mask of rank 3 for queries of rank 4, torch falls back
    to a kernel that stores all weights, and does not say so. Zeros added to
    the width change no score and no value.
    """
    value_dim = value.shape[-1]
    width = max(query.shape[-1], value_dim)
    shape = (*query.shape[:-1], value_dim)
    pairs = (*query.shape[:-1], key.shape[-2])
    empty = None
    if score_bias is not None:
        if mask is not None:
            empty = ~mask.any(-1, keepdim=True)
            score_bias = score_bias.masked_fill(~(mask | empty), -torch.inf)
        mask = score_bias.to(query.dtype)
    if mask is not None and len(pairs) not in (3, 4):
        mask = mask.expand(pairs).reshape(-1, *pairs[-2:])
    elif mask is not None and mask.ndim == 3 and len(pairs) == 4:
        mask = mask.unsqueeze(0)
    output = F.scaled_dot_product_attention(
        _fit(query, width),
        _fit(key, width),
        _fit(value, width),
        attn_mask=mask,
        scale=scale,
    )
    output = output[..., :value_dim].reshape(shape)
    return output if empty is None else output.masked_fill(empty, 0)


def _fit(
    tokens: Float[Tensor, "*batch tokens dim"], width: int
) -> Float[Tensor, "..."]:
    """Pad to the width, make the last axis contiguous and the rank 3 or 4."""
    if tokens.shape[-1] < width:
        tokens = F.pad(tokens, (0, width - tokens.shape[-1]))
    elif tokens.stride(-1) != 1:
        tokens = tokens.contiguous()
    if tokens.ndim in (3, 4):
        return tokens
    return tokens.reshape(-1, *tokens.shape[-2:])


def additive_scores(
    query: Float[Tensor, "batch queries hidden"],
    key: Float[Tensor, "batch keys hidden"],
    direction: Float[Tensor, "1 hidden"],
) -> Float[Tensor, "batch queries keys"]:
    """``u^T tanh(q_i + k_j)`` for all pairs, u the direction.

    Queries are scored in blocks, so that the (queries, keys, hidden) tensor
    never exists as a whole. A compiler fuses all of it into one loop.
    """
    if torch.compiler.is_compiling():
        pairs = torch.tanh(query.unsqueeze(2) + key.unsqueeze(1))
        return (pairs * direction.squeeze(0)).sum(-1)
    blocks = [
        F.linear(torch.tanh(block.unsqueeze(2) + key.unsqueeze(1)), direction)
        for block in query.split(QUERIES_PER_BLOCK, dim=1)
    ]
    return torch.cat(blocks, dim=1).squeeze(-1)


def mixture(
    weights: Sequence[Float[Tensor, "..."]],
    maps: Sequence[Float[Tensor, "batch channels height width"]],
) -> Float[Tensor, "batch channels height width"]:
    """``sum_m weights[m] * maps[m]``, without stacking the maps."""
    output = weights[0].to(maps[0].dtype) * maps[0]
    for share, one in zip(weights[1:], maps[1:], strict=True):
        output = torch.addcmul(output, share.to(one.dtype), one)
    return output


def largest_over_positions(
    x: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "batch channels"]:
    """``x.amax((2, 3))``; of values that tie, one gets the gradient."""
    if _goes_backward(x):
        return F.adaptive_max_pool2d(x, 1).flatten(1)
    return x.amax((2, 3))


def largest_over_channels(
    x: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "batch 1 height width"]:
    """``x.amax(1, keepdim=True)``; of ties, one gets the gradient."""
    if _goes_backward(x):
        return x.max(1, keepdim=True).values
    return x.amax(1, keepdim=True)


def _goes_backward(x: Tensor) -> bool:
    """Of torch's maxima, ``amax`` has the fast forward, slow backward.

    It shares the gradient among ties, the others give it to one position. A
    compiler makes its own kernel of ``amax``; a trace must not depend on
    whether gradients are on.
    """
    tracing = torch.jit.is_tracing()  # type: ignore[attr-defined]
    eager = not (torch.compiler.is_compiling() or tracing)
    return eager and torch.is_grad_enabled() and x.requires_grad
