"""Over which axes are the weights normalised, and are these summed?"""

from collections.abc import Iterator

import torch

from attncourse.checkup.finding import Finding, Grade
from attncourse.checkup.subject import Subject
from attncourse.checkup.trace import (
    Normalisation,
    Use,
    axes_that_sum_to_one,
    is_one,
)

NAME = "normalisation"
Position = tuple[str, ...]  # what each axis of the scores grows with


def probe(subject: Subject) -> Iterator[Finding]:
    """Judge every softmax by its axis and by the sum that follows it."""
    exact = subject.exact
    events = exact.base_trace.normalisations
    positions = axis_names(exact)
    for number, (event, names) in enumerate(
        zip(events, positions, strict=True), start=1
    ):
        which = (
            f"softmax {number} of {len(events)}"
            if len(events) > 1
            else ("the softmax")
        )
        found = list(_judge(which, event, names))
        yield from found or [_right(which, event, names)]
    if not events:
        yield from _without_softmax(exact)


def axis_names(subject: Subject) -> list[Position]:
    """What each axis of each softmax depends on, found by varying it."""
    events = subject.base_trace.normalisations
    names: list[list[str]] = [[""] * e.scores.ndim for e in events]
    for what, other in subject.varied_traces.items():
        if len(other.normalisations) != len(events):
            continue
        for position, now, then in zip(
            names, events, other.normalisations, strict=True
        ):
            if then.scores.ndim != now.scores.ndim:
                continue
            for axis, size in enumerate(now.scores.shape):
                if then.scores.shape[axis] != size:
                    position[axis] += f" x {what}" if position[axis] else what
    return [tuple(position) for position in names]


def _judge(
    which: str, event: Normalisation, names: Position
) -> Iterator[Finding]:
    shape = tuple(event.scores.shape)
    axes = ", ".join(map(str, event.dims))
    over = " and ".join(names[d] for d in event.dims if names[d])
    here = f"{which} runs over axis {axes}"
    here += f" ({over})" if over else ""
    here += f" of scores shaped {shape}"
    size = 1
    for dim in event.dims:
        size *= shape[dim]
    if size == 1:
        fixed = not over
        yield _finding(
            "error" if fixed else "note",
            f"{here}, which has length one: every weight is 1",
            "a softmax of one number is 1 whatever the number is, so the "
            "scores have no effect and get no gradient",
            "take the softmax over the axis of the positions or keys"
            if fixed
            else "nothing, if one key was meant",
        )
        return
    if "batch" in over:
        yield _finding(
            "error",
            f"{here}: samples of a batch share one softmax",
            "the weight of a sample depends on who else is in the batch",
            "take the softmax over the keys or positions of each sample",
        )
        return
    if event.repeated:
        yield _finding(
            "warning",
            f"{here}, of weights that a softmax has made already",
            "weights lie between 0 and 1, so the second softmax makes them "
            "nearly equal",
            "take one softmax, of the scores",
        )
    for use in [] if _in_parts(event) else event.uses:
        yield from _judge_use(here, event, use)
    if not event.uses and _one_side_of_a_map(event, names):
        yield _finding(
            "error",
            f"{here}: each column or row has a softmax of its own",
            "positions in different columns or rows cannot compete",
            "flatten the positions and take the softmax over all of them",
        )


def _judge_use(here: str, event: Normalisation, use: Use) -> Iterator[Finding]:
    total = use.total.double()
    low, high = float(total.min()), float(total.max())
    if is_one(use.total):
        return
    spread = (
        f"{low:.3g}"
        if high - low < 1e-3 * abs(high)
        else (f"{low:.3g} to {high:.3g}")
    )
    here = f"{here}, and the values are multiplied with {spread} in total"
    if is_one(use.total * use.averaged_over) and use.averaged_over > 1:
        yield _finding(
            "error",
            f"{here}: a mean over {use.averaged_over} positions follows",
            "the weights sum to one already; the mean divides by the number "
            "of positions once more",
            "sum instead of taking the mean",
        )
    elif use.across is not None and is_one(use.across):
        yield _finding(
            "error",
            f"{here}: they sum to one along the other axis",
            "the softmax runs over the queries, or the weights are "
            "transposed before they meet the values; the output is no "
            "average of the values",
            "take the softmax over the axis of the keys, and sum over it",
        )
    elif high - low < 1e-6 * abs(high) and axes_that_sum_to_one(event.weights):
        yield _finding(
            "error",
            f"{here} instead of 1",
            "the sum runs over more axes than the softmax, or over others "
            "(one spatial axis, or branches and channels mixed up)",
            "take the softmax over exactly the axes that are summed: "
            "flatten(2) before softmax(-1) for a map",
        )
    elif high <= 1 + 1e-6 and not use.whole:
        yield _finding(
            "warning",
            f"{here}: some weight is lost",
            "weights were changed after the softmax (a mask, a slice, a "
            "gate), so they are no shares",
            "mask the scores with -inf before the softmax",
        )
    else:
        yield _finding(
            "error",
            f"{here} instead of 1",
            "the sum runs over another axis than the softmax, so the output "
            "is no average of the values",
            "take the softmax over exactly the axes that are summed",
        )


def _in_parts(event: Normalisation) -> bool:
    """Whether the weights were cut up, and the parts make up the whole."""
    totals = [use.total for use in event.uses]
    return (
        len(totals) > 1
        and all(total.shape == totals[0].shape for total in totals)
        and is_one(torch.stack(totals).sum(0))
    )


def _one_side_of_a_map(event: Normalisation, names: Position) -> bool:
    """Normalised over height or width while the other is left."""
    over = {names[dim] for dim in event.dims}
    others = {name for dim, name in enumerate(names) if dim not in event.dims}
    return (over == {"height"} and "width" in others) or (
        over == {"width"} and "height" in others
    )


def _right(which: str, event: Normalisation, names: Position) -> Finding:
    over = " and ".join(
        f"{dim}" + (f" ({names[dim]})" if names[dim] else "")
        for dim in event.dims
    )
    used = "; what is summed sums to one" if event.uses else ""
    return Finding(
        "passed",
        NAME,
        f"{which} runs over axis {over} of scores shaped "
        f"{tuple(event.scores.shape)}{used}",
    )


def _without_softmax(subject: Subject) -> Iterator[Finding]:
    seen = subject.base_trace
    raw = [
        (product, product.used_as_weights)
        for number, product in enumerate(seen.products)
        if product.used_as_weights is not None and _grows(subject, number)
    ]
    for product, sums in raw:
        assert sums is not None
        low, high = float(sums.min()), float(sums.max())
        yield _finding(
            "warning",
            f"products shaped {product.shape} multiply the values without a "
            f"softmax; their rows sum to {low:.3g} to {high:.3g}",
            "they are neither positive nor do they sum to one, and what "
            "they gather grows with the number of positions",
            "take a softmax over the keys, or divide by their number if the "
            "plain product is meant",
        )
    if seen.gates:
        low = min(float(g.min()) for g in seen.gates)
        high = max(float(g.max()) for g in seen.gates)
        yield Finding(
            "passed",
            NAME,
            f"no softmax; {len(seen.gates)} sigmoid gates, here from "
            f"{low:.3f} to {high:.3f}, which need no sum of one",
        )
    elif not raw:
        yield _finding(
            "note",
            "no softmax and no sigmoid was seen",
            "nothing was found whose axis could be judged",
            "nothing, if the weights are made in another way",
        )


def _grows(subject: Subject, number: int) -> bool:
    """Whether both sides of a product grow with the number of positions."""
    now = subject.base_trace.products[number].shape
    for what, other in subject.varied_traces.items():
        if what != "batch" and number < len(other.products):
            then = other.products[number].shape
            if now[-1] != then[-1] and now[-2] != then[-2]:
                return True
    return False


def _finding(grade: Grade, seen: str, reason: str, fix: str) -> Finding:
    return Finding(grade, NAME, seen, reason, fix)
