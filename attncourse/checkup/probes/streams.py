"""Are two inputs of one kind treated alike?

A module that passes two inputs through the same weights and returns both
has no first and no second: exchanging the inputs must exchange the outputs.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from attncourse.checkup.finding import Finding
from attncourse.checkup.subject import Subject, difference, is_float
from attncourse.checkup.trace import flat

NAME = "streams"


def probe(subject: Subject) -> Iterator[Finding]:
    """Exchange two inputs of one shape."""
    subject = subject.exact
    floats = [k for k, value in subject.inputs.items() if is_float(value)]
    if len(floats) != 2 or subject.base_trace.dropouts:
        return
    one, two = floats
    left, right = subject.inputs[one], subject.inputs[two]
    outputs = flat(subject.run())[:2]
    if left.shape != right.shape or any(
        output.shape != left.shape for output in outputs
    ):
        return
    if len(outputs) < 2 or torch.equal(left, right):
        return
    if _reached(subject, 0) != _reached(subject, 1):
        return  # each has weights of its own
    swapped = flat(subject.run({**subject.inputs, one: right, two: left}))
    gap = max(
        difference(swapped[1], outputs[0]), difference(swapped[0], outputs[1])
    )
    if gap <= subject.tolerance:
        yield Finding(
            "passed", NAME, "exchanged inputs give exchanged outputs"
        )
        return
    yield Finding(
        "error",
        NAME,
        f"inputs {one} and {two} go through the same weights, and yet "
        f"exchanging them does not exchange the outputs: {gap:.2g} of their "
        "size is left",
        "one is read after it was updated, so that it matters which input "
        "comes first",
        "compute both from the inputs of the step, and assign both then",
    )


def _reached(subject: Subject, number: int) -> set[str]:
    """The parameters that one output depends on."""
    named = {
        name: value
        for name, value in subject.module.named_parameters()
        if value.requires_grad
    }
    output: Tensor = flat(subject.run(grad=True))[number]
    if not named or not output.requires_grad:
        return set()
    slopes = torch.autograd.grad(
        output.square().sum(), list(named.values()), allow_unused=True
    )
    return {
        name
        for name, slope in zip(named, slopes, strict=True)
        if slope is not None and bool(slope.abs().max() > 1e-12)
    }
