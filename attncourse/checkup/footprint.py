"""Which outputs move when one position of the input is changed."""

from dataclasses import dataclass

import torch
from torch import Tensor

from attncourse.checkup.subject import (
    SEED,
    Inputs,
    Subject,
    is_float,
)
from attncourse.checkup.trace import flat

MOST = 320  # positions that are changed one by one
ONCE = 32  # of them in one call


@dataclass(frozen=True)
class Footprints:
    """``moves[i, j]``: a change at position i moves the output at j.

    Positions are counted in the order of reading, over a map of ``size``.
    """

    size: tuple[int, ...]
    moves: Tensor
    names: tuple[str, ...]

    def at(self, position: int) -> Tensor:
        """The footprint of one position, as a map."""
        return self.moves[position].view(self.size)

    def place(self, position: int) -> tuple[int, ...]:
        """Row and column of a position."""
        found = torch.unravel_index(torch.tensor(position), self.size)
        return tuple(int(value) for value in found)


def axes_of_positions(subject: Subject) -> tuple[int, ...]:
    """The axes of the first input that hold positions."""
    first = subject.first
    if subject.batch_axis == 0 and first.ndim == 4:
        return (1, 2) if subject.channels_last else (2, 3)
    if subject.batch_axis == 0 and first.ndim == 5:
        return (2, 3, 4)
    return (1 - subject.batch_axis,) if first.ndim == 3 else ()


def footprints(subject: Subject) -> Footprints | None:
    """Change each position of sample 0 in turn; None if it cannot be seen.

    The module must give an output with the positions of its input.
    """
    if "footprints" not in subject.__dict__:
        subject.__dict__["footprints"] = _footprints(subject)
    found: Footprints | None = subject.__dict__["footprints"]
    return found


def _footprints(subject: Subject) -> Footprints | None:
    axes = axes_of_positions(subject)
    first = subject.first
    size = tuple(first.shape[axis] for axis in axes)
    count = int(torch.tensor(size).prod()) if size else 0
    if not axes or not 2 < count <= MOST or subject.base_trace.dropouts:
        return None
    usual = flat(subject.run())[0]
    if usual.ndim != first.ndim or size != tuple(
        usual.shape[axis] for axis in axes
    ):
        return None
    rows = []
    for start in range(0, count, ONCE):
        chosen = range(start, min(start + ONCE, count))
        rows.append(_moved(subject, axes, size, chosen))
    return Footprints(size, torch.cat(rows), NAMES[len(axes)])


NAMES = {1: ("token",), 2: ("row", "column"), 3: ("frame", "row", "column")}


def _moved(
    subject: Subject,
    axes: tuple[int, ...],
    size: tuple[int, ...],
    chosen: range,
) -> Tensor:
    """Several copies of sample 0, each changed at a position of its own."""
    batch = subject.batch_axis
    front = tuple(range(len(axes) + 1))
    generator = torch.Generator().manual_seed(SEED)
    found = torch.zeros(len(chosen), int(torch.tensor(size).prod())).bool()
    many: Inputs = {}
    for key, value in subject.inputs.items():
        axis = subject.axis_of(key)
        if axis is None:
            many[key] = value
            continue
        shape = [1] * value.ndim
        shape[axis] = len(chosen)
        many[key] = value.narrow(axis, 0, 1).repeat(shape)
    before = flat(subject.run(many))[0]
    for strength in (0.5, -3.0):
        changed = dict(many)
        for key, value in subject.inputs.items():
            if not is_float(value) or not _is_first(subject, value):
                continue
            step = torch.randn(
                value.shape, generator=generator, dtype=torch.float64
            )
            copy = many[key].movedim((batch, *axes), front)
            copy = copy.clone().flatten(1, len(axes))
            for row, position in enumerate(chosen):
                noise = step.to(value).flatten()[: copy[row, position].numel()]
                copy[row, position] += strength * noise.view_as(
                    copy[row, position]
                )
            copy = copy.unflatten(1, size)
            changed[key] = copy.movedim(front, (batch, *axes))
        after = flat(subject.run(changed))[0]
        gap = (after - before).abs().double()
        gap = gap.movedim((batch, *axes), front)
        gap = gap.flatten(1, len(axes)).flatten(2).amax(-1)
        scale = float(before.abs().max()) or 1.0
        found |= gap > _threshold(subject) * scale
    return found


def _is_first(subject: Subject, value: Tensor) -> bool:
    first = subject.first
    return value.shape == first.shape and torch.equal(value, first)


def _threshold(subject: Subject) -> float:
    """What cannot be rounding."""
    rounding = torch.finfo(subject.first.dtype).eps
    return 1e-11 if rounding < 1e-12 else 64 * rounding


def is_partition(moves: Tensor) -> bool:
    """Whether each sees its group: symmetric, and alike within a group."""
    if not moves.diagonal().all() or not torch.equal(moves, moves.T):
        return False
    return all(
        torch.equal(moves[row], moves[other])
        for row in range(len(moves))
        for other in moves[row].nonzero().flatten().tolist()[:3]
    )


def oblong(subject: Subject) -> Subject:
    """The same on a map that is not square, if it takes one."""
    axes = axes_of_positions(subject)
    first = subject.first
    if len(axes) != 2:
        return subject
    height, width = (first.shape[axis] for axis in axes)
    tall = min(height, width)
    for sizes in (
        (height, width // 2) if height == width else (height, width),
        (height, 2 * width),
        (height, width),
        (tall, tall),
    ):
        if not 2 < sizes[0] * sizes[1] <= MOST:
            continue
        try:
            inputs = subject.with_sizes(
                {
                    (axes[0], height): sizes[0],
                    (axes[1], width): sizes[1],
                }
            )
            other = subject.with_inputs(inputs)
            usual = flat(other.run())[0]
        except Exception:
            continue
        if usual.isfinite().all():
            return other
    return subject
