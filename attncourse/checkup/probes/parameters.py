"""Has every layer units, and is every gate open?"""

from collections.abc import Iterator

from torch import nn

from attncourse.checkup.finding import Finding
from attncourse.checkup.subject import Subject, difference
from attncourse.checkup.trace import flat

NAME = "parameters"


def probe(subject: Subject) -> Iterator[Finding]:
    """Look for layers of no width, and for gates that start closed."""
    empty = [
        f"{name} {tuple(value.shape)}"
        for name, value in subject.module.named_parameters()
        if not nn.parameter.is_lazy(value) and not value.numel()
    ]
    if empty:
        yield Finding(
            "error",
            NAME,
            f"no unit is left in {', '.join(empty)}",
            "a width was divided by a reduction larger than itself "
            "(8 // 16 is 0); the layer passes nothing on",
            "use max(1, channels // reduction), or refuse such a reduction",
        )


def closed_gates(subject: Subject) -> Iterator[Finding]:
    """Say what the zero parameters hide at the start."""
    zeros = [
        name
        for name, value in subject.module.named_parameters()
        if value.numel() and not value.any() and not name.endswith("bias")
    ]
    if not zeros:
        return
    before = flat(subject.run())
    if before and difference(before[0], subject.first) < 1e-6:
        yield Finding(
            "note",
            NAME,
            f"the module starts as the identity: {', '.join(zeros)} is zero",
            "parameters behind a closed gate get no gradient in the first "
            "step, and from the second on they do",
            "nothing, if it is meant (the other probes opened the gate); "
            "mind that the optimiser has the gate among its parameters",
        )
