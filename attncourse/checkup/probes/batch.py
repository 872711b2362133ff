"""Does the result of a sample depend on the other samples?"""

from collections.abc import Iterator

import torch
from torch import nn

from attncourse.checkup.finding import Finding
from attncourse.checkup.subject import Subject, difference, like
from attncourse.checkup.trace import flat

NAME = "batch"


def probe(subject: Subject) -> Iterator[Finding]:
    """Change all samples but the last, then run the last alone."""
    subject = subject.exact
    axis = subject.batch_axis
    inputs = subject.inputs
    if subject.batch < 2:
        inputs = subject.with_batch(3)
    count = max(subject.batch, 3 if subject.batch < 2 else 0)
    last = count - 1
    changed, alone = dict(inputs), dict(inputs)
    for key, value in subject.inputs.items():
        where = subject.axis_of(key)
        if where is None:
            continue
        mine = inputs[key].narrow(where, last, 1)
        alone[key] = mine
        if value.is_floating_point():
            others = like(value, inputs[key].shape, seed=7)
            others = others.narrow(where, 0, last)
            changed[key] = torch.cat([others, mine], where)
    before = flat(subject.run(inputs))
    after = flat(subject.run(changed))
    yield from _shapes(subject, before, count)
    shared = [
        (one, two)
        for one, two in zip(before, after, strict=True)
        if one.ndim > axis and one.shape[axis] == count
    ]
    if not shared:
        return
    gap = max(
        difference(one.narrow(axis, last, 1), two.narrow(axis, last, 1))
        for one, two in shared
    )
    if gap > subject.tolerance and _nodes(subject):
        yield Finding(
            "note",
            NAME,
            f"rows of the input change the output of the last one by "
            f"{gap:.0%} of its size",
            "two axes leave open whether the rows are samples or the nodes "
            "of one graph",
            "nothing for nodes; for samples, keep them apart",
        )
        return
    if gap > subject.tolerance:
        yield Finding(
            "error",
            NAME,
            f"other samples in the batch change the output of the last one "
            f"by {gap:.0%} of its size",
            _reason(subject.module),
            "keep the batch an axis of its own: flatten(1) instead of "
            "view(-1, ...), batch_first=True, repeat_interleave where rows "
            "of one sample must stay together",
        )
        return
    yield Finding(
        "passed", NAME, f"other samples change the last one by {gap:.1g}"
    )
    if subject.base_trace.dropouts:
        return  # another batch gets other random numbers
    try:
        single = flat(subject.run(alone))
    except Exception:
        return  # the probe of sizes tells
    gap = max(
        difference(one.narrow(axis, last, 1), two)
        for one, two in zip(before, single, strict=True)
        if one.ndim > axis and one.shape[axis] == count
    )
    if gap > subject.tolerance:
        yield Finding(
            "error",
            NAME,
            f"the last sample alone gets an output that differs by {gap:.0%}",
            "the result depends on how many samples there are, or on where "
            "in the batch a sample stands (positions added along the wrong "
            "axis)",
            "take no mean, sum, softmax or position over the batch",
        )


def _shapes(
    subject: Subject, outputs: list[torch.Tensor], count: int
) -> Iterator[Finding]:
    axis = subject.batch_axis
    first = outputs[0] if outputs else None
    if first is None or first.ndim <= axis or first.shape[axis] == count:
        return
    if first.shape[axis] % count == 0 or count in first.shape:
        yield Finding(
            "warning",
            NAME,
            f"{count} samples come back as an output shaped "
            f"{tuple(first.shape)}",
            "the batch is not on the axis where it came in, so samples may "
            "have been cut up or put together",
            "keep the batch on its axis: flatten(1) or concatenate along "
            "dim=1",
        )


def _nodes(subject: Subject) -> bool:
    """Whether the first axis may hold the nodes of one graph."""
    first = subject.first
    return (
        first.ndim == 2
        and subject.kind is None
        and any(
            (
                isinstance(value, torch.Tensor)
                and value is not first
                and tuple(value.shape) in {(len(first), len(first)), (2,)}
            )
            or getattr(value, "dtype", None) == torch.long
            for value in subject.inputs.values()
        )
    ) or (
        first.ndim == 2
        and bool(subject.base_trace.normalisations)
        and subject.kind is None
    )


def _reason(module: nn.Module) -> str:
    for name, child in module.named_modules():
        if getattr(child, "batch_first", True) is False:
            return (
                f"{name or type(child).__name__} has batch_first=False and "
                f"takes the first axis for the tokens"
            )
    return "somewhere the batch is mixed with another axis"
