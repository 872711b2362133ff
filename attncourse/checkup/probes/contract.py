"""Does a module keep what its kind promises?

``checkup(..., kind="se")`` states what a module claims to be. Each kind has
properties of its own, whatever the module looks like inside. Without a
statement the kind is inferred from behaviour, and what follows is a note.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import nn

from attncourse.checkup.finding import Finding
from attncourse.checkup.footprint import (
    axes_of_positions,
    footprints,
    oblong,
)
from attncourse.checkup.kinds import KINDS, infer
from attncourse.checkup.probes.gates import gate_values
from attncourse.checkup.subject import Subject, difference
from attncourse.checkup.trace import flat

NAME = "kind"
MEANS = {"mean", "_adaptive_avg_pool2d", "avg_pool2d", "sum"}
LARGEST = {"amax", "max", "adaptive_max_pool2d", "max_pool2d_with_indices"}


def probe(subject: Subject) -> Iterator[Finding]:
    """Check what is stated, or what is inferred."""
    subject = subject.exact
    if subject.kind is not None:
        yield from CONTRACTS[subject.kind](subject)
        return
    found = infer(subject)
    if found is None:
        return
    kind, why = found
    yield Finding(
        "note",
        NAME,
        f"behaves like {kind}: {why}",
        KINDS[kind],
        f'if it is meant to be something else, say so: kind="{kind}"',
    )
    for finding in CONTRACTS[kind](subject):
        yield replace(finding, grade="note")


def _error(seen: str, reason: str, fix: str) -> Finding:
    return Finding("error", NAME, seen, reason, fix)


def _se(subject: Subject) -> Iterator[Finding]:
    """One factor a channel, from means, through a bottleneck."""
    yield from _channel(subject)
    channels = subject.first.shape[1]
    widths = [
        part.weight.shape[0]
        for part in subject.module.modules()
        if isinstance(part, nn.Linear | nn.Conv2d)
        and part.weight.shape[1] == channels
    ]
    if widths and min(widths) >= channels:
        yield Finding(
            "note",
            NAME,
            f"no layer is narrower than the {channels} channels: the "
            f"narrowest has {min(widths)} units",
            "squeeze-and-excitation passes a bottleneck of channels / "
            "reduction units, which saves weights",
            "make the first layer channels // reduction wide",
        )


def _channel(subject: Subject) -> Iterator[Finding]:
    """The factor must not depend on where things are in the map."""
    axes = axes_of_positions(subject)
    first = subject.first
    before = flat(subject.run())[0]
    if len(axes) != 2 or before.shape != first.shape:
        return
    other = torch.flip(first, axes)
    after = flat(subject.run({**subject.inputs, 0: other}))[0]
    after = torch.flip(after, axes)
    gap = difference(before, after)
    if gap > subject.tolerance and gate_values(subject) is not None:
        yield _error(
            f"a map that is turned around gets other factors: {gap:.2g} of "
            "the output",
            "a channel has one factor, from a summary in which positions "
            "do not count",
            "summarise over both axes of positions: x.mean((2, 3))",
        )
    strong = {k: 3 * v for k, v in subject.inputs.items()}
    if difference(flat(subject.run(strong))[0], 3 * before) < 1e-9:
        yield _error(
            "the factors are the same whatever the input holds",
            "a gate that does not look at its input is a constant scale",
            "make the scores from a summary of the input",
        )


def _eca(subject: Subject) -> Iterator[Finding]:
    """A factor follows a few neighbouring channels."""
    yield from _channel(subject)
    first = subject.first
    channels = first.shape[1]
    middle = channels // 2
    changed = first.clone()
    changed[:, middle] = changed[:, middle] + 1.0
    before = flat(subject.run())[0] / first
    after = flat(subject.run({**subject.inputs, 0: changed}))[0] / changed
    gap = (after - before).abs().nan_to_num(0, 0, 0).amax((0, 2, 3))
    moved = (gap > 1e-9).nonzero().flatten().tolist()
    if len(moved) > channels // 2 and channels > 8:
        yield _error(
            f"a change of channel {middle} reaches the factors of "
            f"{len(moved)} of {channels} channels",
            "the scores come from a full layer, not from a short filter "
            "along the channels",
            "nn.Conv1d(1, 1, kernel_size) along the channels",
        )
    elif moved and moved[-1] - moved[0] >= 2 * len(moved):
        yield _error(
            f"a change of channel {middle} reaches the factors of channels "
            f"{', '.join(map(str, moved[:4]))}, which are no neighbours",
            "the filter runs along another axis",
            "give nn.Conv1d (batch, 1, channels)",
        )


def _cbam(subject: Subject) -> Iterator[Finding]:
    """Means and maxima, and one perceptron for both."""
    names = {step.name for step in subject.base_trace.steps}
    for wanted, word in ((MEANS, "mean"), (LARGEST, "maximum")):
        if not names & wanted:
            yield _error(
                f"no {word} is taken of anything",
                "CBAM describes a channel and a position by two numbers, "
                "mean and maximum",
                f"add the {word} as a second descriptor",
            )
    calls: dict[str, int] = {}
    hooks = []
    for path, part in subject.module.named_modules():
        if isinstance(part, nn.Linear | nn.Conv2d) and (
            part.weight.shape[2:].numel() == 1
        ):

            def count(*_: object, path: str = path) -> None:
                calls[path] = calls.get(path, 0) + 1

            hooks.append(part.register_forward_hook(count))
    subject.run()
    for hook in hooks:
        hook.remove()
    shapes: dict[tuple[int, ...], list[str]] = {}
    for path, times in calls.items():
        part = subject.module.get_submodule(path)
        assert isinstance(part.weight, torch.Tensor)
        if times == 1 and min(part.weight.shape[:2]) > 1:
            shapes.setdefault(tuple(part.weight.shape[:2]), []).append(path)
    for shape, paths in shapes.items():
        if len(paths) == 2:
            yield _error(
                f"{paths[0]} and {paths[1]}, both {shape}, are used once "
                "each: mean and maximum go through layers of their own",
                "CBAM has one perceptron for both descriptors",
                "call one perceptron twice and add",
            )


def _spatial(subject: Subject) -> Iterator[Finding]:
    """One map of factors; the probe of gates counts them."""
    yield from ()


def _self(subject: Subject) -> Iterator[Finding]:
    """Positions must see each other."""
    seen = footprints(subject)
    if seen is None:
        return
    reached = seen.moves.sum(1).double()
    if reached.max() <= 1:
        yield _error(
            f"a change at one of {len(seen.moves)} positions reaches no "
            "other position",
            "the axis over which pairs are formed is not that of the "
            "positions",
            "bring the positions to the last but one axis before the "
            "product: flatten(2).mT for a map",
        )


def _cross(subject: Subject) -> Iterator[Finding]:
    """The output has a row for each query."""
    queries = subject.first
    output = flat(subject.run())[0]
    if queries.ndim != 3 or output.ndim != 3:
        return
    axis = 1 - subject.batch_axis
    if output.shape[axis] != queries.shape[axis]:
        yield Finding(
            "warning",
            NAME,
            f"{queries.shape[axis]} queries come in and "
            f"{output.shape[axis]} rows go out",
            "each query has one result; queries and keys may be exchanged",
            "take the queries from the input that asks",
        )


def _pooling(subject: Subject) -> Iterator[Finding]:
    """No position is left."""
    output = flat(subject.run())[0]
    axes = axes_of_positions(subject)
    first = subject.first
    if axes and output.ndim == first.ndim:
        left = [output.shape[axis] for axis in axes]
        if left == [first.shape[axis] for axis in axes]:
            yield _error(
                f"{left} positions come in and go out",
                "the weighted positions are never summed",
                "sum over the axis of the softmax",
            )


def _window(subject: Subject) -> Iterator[Finding]:
    """A change stays near."""
    seen = footprints(oblong(subject))
    if seen is None or len(seen.size) < 2:
        return
    named = _named_window(subject.module)
    if seen.moves.all() and named and named < min(seen.size):
        yield _error(
            f"a change at one position reaches all {len(seen.moves)} of a "
            f"map of {' x '.join(map(str, seen.size))}, though the window "
            f"has {named} a side",
            "the windows are not kept apart",
            "make the windows an axis of the batch before the product",
        )


def _named_window(module: nn.Module) -> int | None:
    """The side of the window that a module names, if it does."""
    for part in module.modules():
        for name in ("window_size", "window", "ws"):
            value = getattr(part, name, None)
            value = value[0] if isinstance(value, tuple | list) else value
            if isinstance(value, int) and value > 1:
                return value
    return None


def _axial(subject: Subject) -> Iterator[Finding]:
    """A change reaches its row and its column, nothing else."""
    seen = footprints(oblong(subject))
    if seen is None or len(seen.size) != 2 or seen.moves.all():
        return
    for position in range(len(seen.moves)):
        row, column = seen.place(position)
        rest = seen.at(position).clone()
        rest[row] = False
        rest[:, column] = False
        if rest.any():
            there = tuple(rest.nonzero()[0].tolist())
            yield _error(
                f"a change at {(row, column)} reaches {there}, in another "
                f"row and another column; {int(rest.sum())} such positions",
                "the groups are runs of the memory, not rows or columns",
                "permute the axis to the end before it is joined: "
                "permute(0, 3, 2, 1) for columns",
            )
            return


def _stn(subject: Subject) -> Iterator[Finding]:
    """A transformer that has not learned yet passes the map on."""
    first = subject.first
    output = flat(subject.run())[0]
    if not list(subject.module.parameters()) or output.shape != first.shape:
        return
    if not subject.base_trace.grids:
        yield Finding(
            "warning",
            NAME,
            "no map is read along a grid",
            "a spatial transformer ends in F.grid_sample",
            "read the map with F.grid_sample",
        )


def _gate(subject: Subject) -> Iterator[Finding]:
    """The probe of gates says which input passes."""
    yield from ()


CONTRACTS: dict[str, Callable[[Subject], Iterator[Finding]]] = {
    "se": _se,
    "eca": _eca,
    "cbam": _cbam,
    "spatial": _spatial,
    "channel": _channel,
    "self-attention": _self,
    "cross-attention": _cross,
    "pooling": _pooling,
    "window": _window,
    "axial": _axial,
    "stn": _stn,
    "gate": _gate,
}
