"""What happens if the places are given in another order?"""

from collections.abc import Iterator

import torch
from torch import Tensor

from attncourse.checkup.finding import Finding
from attncourse.checkup.subject import (
    Inputs,
    Subject,
    difference,
    flat,
    is_float,
)

NAME = "order"


def probe(subject: Subject) -> Iterator[Finding]:
    """Permute the places, and look at how heads were cut."""
    subject = subject.exact
    first = subject.first
    pixels = first.ndim == 4 and subject.batch_axis == 0
    if subject.channels_last or (not pixels and first.ndim != 3):
        return
    count = first[0, 0].numel() if pixels else first.shape[_tokens(subject)]
    if count < 3:
        return
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(count, generator=generator).to(first.device)
    before = flat(subject.run())[0]
    after = flat(subject.run(_permuted(subject, subject.inputs, order)))[0]
    moved = _moved(subject, before, order)
    what = "pixels" if pixels else "tokens"
    same = difference(before, after)
    along = difference(moved, after) if moved is not None else torch.inf
    if same <= subject.tolerance:
        text = f"invariant: shuffled {what} change the output by {same:.1g}"
        yield Finding("passed", NAME, text)
    elif along <= subject.tolerance:
        text = f"equivariant: shuffled {what} shuffle the output alike"
        yield Finding("passed", NAME, text)
    else:
        yield from _heads(subject, order)
        yield Finding(
            "note",
            NAME,
            f"shuffled {what} change the output by {min(same, along):.0%}",
            f"the result depends on where a {what[:-1]} stands: by "
            "positions, convolutions or a causal mask, or by a wrong view",
            "nothing, if position is meant to count",
        )


def _tokens(subject: Subject) -> int:
    return 1 - subject.batch_axis


def _permuted(subject: Subject, inputs: Inputs, order: Tensor) -> Inputs:
    """All inputs of the first one's size with their places permuted."""
    return {
        key: _moved(subject, value, order)
        if is_float(value)
        and value.ndim == subject.first.ndim
        and value.shape[1:-1] == subject.first.shape[1:-1]
        else value
        for key, value in inputs.items()
    }


def _moved(subject: Subject, value: Tensor, order: Tensor) -> Tensor | None:
    """Permute pixels of a map, or tokens; None if they do not fit."""
    if value.ndim != subject.first.ndim:
        return None
    if value.ndim == 4:
        if value[0, 0].numel() != len(order):
            return None
        return value.flatten(2)[..., order].view_as(value)
    axis = _tokens(subject)
    if value.shape[axis] != len(order):
        return None
    return value.index_select(axis, order)


def _heads(subject: Subject, order: Tensor) -> Iterator[Finding]:
    """A change of one token must reach the scores of every head."""
    first = subject.first
    if first.ndim != 3:
        return
    tokens, last = _tokens(subject), first.shape[_tokens(subject)] - 1
    changed = {
        key: value.index_copy(
            tokens,
            torch.tensor([last], device=value.device),
            value.narrow(tokens, last, 1) + 1,
        )
        if is_float(value) and value.shape == first.shape
        else value
        for key, value in subject.inputs.items()
    }
    now = subject.base_trace.normalisations
    then = subject.traced(changed).normalisations
    for one, two in zip(now, then, strict=False):
        shape = one.scores.shape
        if one.product is None or shape[-2:] != (last + 1, last + 1):
            continue
        heads = one.scores[..., 0, 0].numel() // subject.batch
        gap = one.scores.nan_to_num() - two.scores.nan_to_num()
        moved = gap.abs().amax((-1, -2)) > 1e-9
        reached = moved.reshape(subject.batch, -1).sum(1)
        if heads > 1 and ((reached > 0) & (reached < heads)).all():
            yield Finding(
                "error",
                NAME,
                f"a change of one token reaches the scores of "
                f"{int(reached[0])} of {heads} heads",
                "the heads are cut from the token axis: each holds a run of "
                "neighbouring tokens instead of a part of every token",
                "view(batch, tokens, heads, head_dim).transpose(1, 2)",
            )
