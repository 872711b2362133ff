"""Has every displacement a number of its own?

A table of relative positions has a row for each displacement of a window of
h x w: (2h - 1)(2w - 1) of them, and all occur in the window. A row that is
never read shows that two displacements share another one.
"""

from collections.abc import Iterator
from itertools import product
from math import prod

from torch import Tensor

from attncourse.checkup.finding import Finding
from attncourse.checkup.subject import Subject, loss_of

NAME = "offsets"


def probe(subject: Subject) -> Iterator[Finding]:
    """Count the rows of a table of displacements that get a gradient."""
    subject = subject.exact
    windows = {
        event.scores.shape[-1]
        for event in subject.base_trace.normalisations
        if event.scores.ndim > 1
        and event.scores.shape[-1] == event.scores.shape[-2]
    }
    tables = {
        name: value
        for name, value in subject.module.named_parameters()
        if value.requires_grad and value.numel() and 1 <= value.ndim <= 2
    }
    for name, table in tables.items():
        for count in windows:
            sides = _sides(count, len(table))
            if sides is not None:
                yield from _judge(subject, name, table, sides)
                return


def _sides(count: int, rows: int) -> tuple[int, ...] | None:
    """Sides of a window of so many positions and displacements."""
    factors = [n for n in range(1, count + 1) if count % n == 0]
    for sides in product(factors, factors, factors):
        if prod(sides) == count and prod(2 * s - 1 for s in sides) == rows:
            used = tuple(s for s in sides if s > 1)
            if len(used) > 1:
                return used
    return None


def _judge(
    subject: Subject, name: str, table: Tensor, sides: tuple[int, ...]
) -> Iterator[Finding]:
    subject.module.zero_grad(set_to_none=True)
    loss = loss_of(subject.run(grad=True))
    if not loss.requires_grad:
        return
    loss.backward()
    if table.grad is None:
        return
    rows = table.grad.reshape(len(table), -1).abs().amax(1)
    read = int((rows > 0).sum())
    if not read:
        return
    window = " x ".join(map(str, sides))
    if read == len(table):
        yield Finding(
            "passed",
            NAME,
            f"all {read} displacements of a window of {window} have a row "
            f"of {name}",
        )
        return
    yield Finding(
        "error",
        NAME,
        f"{read} rows of {name} serve the {len(table)} displacements of a "
        f"window of {window}; {len(table) - read} are never read",
        "the multipliers of the index are too small, or taken from another "
        "axis, so that different displacements fall on one row",
        "multiply the rows by 2 * width - 1, frames by (2 * height - 1) * "
        "(2 * width - 1)",
    )
