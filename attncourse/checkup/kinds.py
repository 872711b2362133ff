"""What an attention module can claim to be, and what it behaves like."""

from attncourse.checkup.footprint import (
    Footprints,
    axes_of_positions,
    footprints,
    is_partition,
)
from attncourse.checkup.subject import Subject, is_float
from attncourse.checkup.trace import flat

KINDS = {
    "se": "squeeze-and-excitation: one factor in (0, 1) for each channel",
    "eca": "one factor for each channel, from its neighbours",
    "cbam": "a gate of channels, then one of positions",
    "spatial": "one factor for each position",
    "channel": "one factor for each channel",
    "self-attention": "each position gathers from the positions of its map",
    "cross-attention": "each query gathers from another input",
    "pooling": "one weighted mean of all positions",
    "window": "attention inside of windows",
    "axial": "attention along rows and columns",
    "stn": "reads its input along a grid of its own making",
    "gate": "one input decides how much of another one passes",
}


def infer(subject: Subject) -> tuple[str, str] | None:
    """The kind that a module behaves like, and why; None if like none."""
    from attncourse.checkup.probes.gates import (  # it judges by kinds, too
        constant_over,
        gate_values,
    )

    seen = subject.base_trace
    first = subject.first
    if seen.grids:
        return "stn", "a map is read along a grid"
    inputs = [value for value in subject.inputs.values() if is_float(value)]
    pairs = any(event.product for event in seen.normalisations)
    if len(inputs) > 1 and any(value is not inputs[0] for value in inputs):
        same = all(
            value.shape == first.shape and bool((value == first).all())
            for value in inputs
        )
        if pairs and not same:
            return "cross-attention", "dot products of two inputs"
    axes = axes_of_positions(subject)
    values = gate_values(subject) if len(axes) == 2 else None
    if values is not None:
        if constant_over(values, axes):
            return "channel", "one factor for each channel"
        channel = ({1, 2, 3} - set(axes)).pop()
        if constant_over(values, (channel,)):
            return "spatial", "one factor for each position"
    output = flat(subject.run())[0]
    if axes and output.ndim < first.ndim and seen.normalisations:
        return "pooling", "weights are summed, and no position is left"
    if not pairs or len(inputs) < 1:
        return None
    found = footprints(subject)
    if found is None or len(axes) != 2 or not is_partition(found.moves):
        return "self-attention", "dot products of positions of one input"
    return _grouped(found)


def _grouped(found: Footprints) -> tuple[str, str]:
    height, width = found.size
    group = found.at(0)
    rows, columns = int(group.any(1).sum()), int(group.any(0).sum())
    if (rows, columns) == (height, width):
        return "self-attention", "every position reaches every other"
    if (rows, columns) in {(height, 1), (1, width)}:
        return "axial", f"a group has {rows} rows and {columns} columns"
    return "window", f"a group has {rows} rows and {columns} columns"
