"""What multiplies what, by how many numbers, and in which range?

A gate lets through more or less of what it multiplies. Its values are the
ratio of output and input. Where two signals come in, the one whose zero
silences the other is the one that is gated.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from attncourse.checkup.finding import Finding
from attncourse.checkup.footprint import axes_of_positions
from attncourse.checkup.subject import (
    Key,
    Subject,
    difference,
    is_float,
    like,
)
from attncourse.checkup.trace import flat

NAME = "gate"
PASSES = {"x", "skip", "fine", "low", "encoder", "residual", "shortcut"}
DECIDES = {"g", "gate", "gating", "signal", "coarse", "up", "decoder"}
BETWEEN = {"se", "eca", "cbam", "spatial", "gate"}  # zero and one


def probe(subject: Subject) -> Iterator[Finding]:
    """Read the gate off the output, and look at the layers named so."""
    subject = subject.exact
    if subject.base_trace.dropouts:
        return
    floats = [k for k, value in subject.inputs.items() if is_float(value)]
    if len(floats) == 2:
        yield from _between_two(subject, floats[0], floats[1])
    values = gate_values(subject)
    if values is not None:
        yield from _shape_and_range(subject, values)
    yield from _unsquashed(subject)


def gate_values(subject: Subject) -> Tensor | None:
    """Output over input, if the input is multiplied by something.

    Twice the input with the gate held would give twice the output. Since the
    gate cannot be held, what is asked is that zeros stay zeros: where one
    number of the input is zero, the output is.
    """
    first = subject.first
    before = flat(subject.run())[0]
    if before.shape != first.shape or first.ndim not in {3, 4}:
        return None
    generator = torch.Generator().manual_seed(1)
    kept = torch.rand(first.shape, generator=generator) > 0.3
    changed = {
        key: value * kept.to(value)
        if is_float(value) and value.shape == first.shape
        else value
        for key, value in subject.inputs.items()
    }
    after = flat(subject.run(changed))[0]
    if float(after[~kept.to(after.device)].abs().max()) > 1e-9:
        return None
    size = float(first.abs().max())
    if not size:
        return None
    return before / first.where(first.abs() > 1e-3 * size, torch.nan)


def constant_over(values: Tensor, axes: tuple[int, ...]) -> bool:
    """Whether a gate is one number along these axes."""
    filled = values.nan_to_num(float(values.nanmean()))
    low = values.nan_to_num(torch.inf).amin(axes)
    high = values.nan_to_num(-torch.inf).amax(axes)
    size = float(filled.abs().max()) or 1.0
    return bool(((high - low) <= 1e-6 * size).all())


def _shape_and_range(subject: Subject, values: Tensor) -> Iterator[Finding]:
    axes = axes_of_positions(subject)
    channel = ({1, 2, 3} - set(axes)).pop() if len(axes) == 2 else 2
    over_positions = constant_over(values, axes)
    over_channels = constant_over(values, (channel,))
    if over_positions and over_channels:
        return
    low = float(values[values.isfinite()].min())
    high = float(values[values.isfinite()].max())
    count = values.shape[channel]
    what = (
        f"one factor for each of {count} channels"
        if over_positions
        else "one factor for each position"
        if over_channels
        else "factors that differ by channel and position"
    )
    seen = f"{what}, here from {low:.3g} to {high:.3g}"
    kind = subject.kind
    wrong = (kind in {"se", "eca", "channel"} and not over_positions) or (
        kind == "spatial" and not over_channels
    )
    if wrong:
        yield Finding(
            "error",
            NAME,
            f"the gate has {seen}, where kind={kind!r} means "
            + (
                f"one map for all {count} channels"
                if kind == "spatial"
                else "one factor for all positions of a channel"
            ),
            "the layer of the scores has too many outputs"
            if kind == "spatial"
            else "the squeeze over the positions is missing",
            "give it one output channel"
            if kind == "spatial"
            else "take the mean over the positions first: x.mean((2, 3))",
        )
        return
    if low < -1e-6 or high > 1 + 1e-6:
        residual = low >= 1 - 1e-6 and high <= 2 + 1e-6
        stated = kind in BETWEEN and not residual
        if stated or low < -1e-6:
            yield Finding(
                "error" if stated else "warning",
                NAME,
                f"the gate has {seen}: not between 0 and 1",
                "a sigmoid is missing, so that the gate amplifies and "
                "changes signs",
                "end the gate with torch.sigmoid",
            )
            return
    yield Finding("passed", NAME, f"the gate has {seen}")


def _unsquashed(subject: Subject) -> Iterator[Finding]:
    """What a layer called a gate makes must not count in proportion."""
    for path, layer in subject.module.named_modules():
        name = path.rpartition(".")[2]
        if not isinstance(layer, nn.Linear | nn.Conv2d | nn.Conv1d):
            continue
        if name not in {"gate", "gating", "to_gate", "gate_layer"}:
            continue
        outputs = [_with_factor(subject, layer, f) for f in (0.0, 1.0, 2.0)]
        one, two = outputs[1] - outputs[0], outputs[2] - outputs[0]
        if float(one.abs().max()) < 1e-9:
            continue
        if difference(2 * one, two) < 1e-6:
            values = _made_by(subject, layer)
            outside = float(((values < 0) | (values > 1)).double().mean())
            yield Finding(
                "warning",
                NAME,
                f"the output is proportional to what {path} makes, "
                f"{outside:.0%} of it outside of 0 to 1",
                "a gate without a sigmoid amplifies and changes signs",
                f"torch.sigmoid({path}(x))",
            )


def _with_factor(subject: Subject, layer: nn.Module, by: float) -> Tensor:
    """The output if a layer gave so many times what it gives."""
    hook = layer.register_forward_hook(lambda *seen: seen[2] * by)
    try:
        return flat(subject.run())[0]
    finally:
        hook.remove()


def _made_by(subject: Subject, layer: nn.Module) -> Tensor:
    """What a layer gives."""
    kept: list[Tensor] = []
    hook = layer.register_forward_hook(lambda *seen: kept.append(seen[2]))
    try:
        subject.run()
    finally:
        hook.remove()
    return kept[0]


def _between_two(subject: Subject, one: Key, two: Key) -> Iterator[Finding]:
    """Which of two inputs is multiplied, and which only multiplies."""
    if torch.equal(
        subject.inputs[one].flatten()[:9], subject.inputs[two].flatten()[:9]
    ):
        return
    alone = {
        key: _effect(subject, moving=other, silent=key)
        for key, other in ((one, two), (two, one))
    }
    usual = {
        key: _effect(subject, moving=key, silent=None) for key in (one, two)
    }
    if min(usual.values()) <= subject.tolerance:
        return  # the probe of gradients tells of an input without effect
    gated = [key for key in (one, two) if alone[key] <= 1e-9]
    if len(gated) != 1:
        return
    key = gated[0]
    other = two if key == one else one
    names = {key: _name(subject, key), other: _name(subject, other)}
    wrong = (names[key] in DECIDES and names[other] not in DECIDES) or (
        subject.kind == "gate" and key != one and names[key] not in PASSES
    )
    seen = (
        f"where {names[key]} is zero, {names[other]} has no effect: "
        f"{names[other]} decides how much of {names[key]} passes"
    )
    if wrong:
        yield Finding(
            "error" if subject.kind == "gate" else "warning",
            NAME,
            f"{seen}, and {names[other]} itself never passes",
            "the gate multiplies the signal that should steer it, so the "
            "one it was made for is lost",
            f"multiply {names[other]} by the gate",
        )
    else:
        yield Finding("passed", NAME, seen)


def _effect(subject: Subject, *, moving: Key, silent: Key | None) -> float:
    """How much an input counts, maybe with another one at zero."""
    inputs = dict(subject.inputs)
    if silent is not None:
        inputs[silent] = torch.zeros_like(inputs[silent])
    before = flat(subject.run(inputs))[0]
    inputs[moving] = like(inputs[moving], inputs[moving].shape, seed=11)
    after = flat(subject.run(inputs))[0]
    if silent is not None and not float(before.abs().max()):
        return float(after.abs().max())
    return difference(before, after)


def _name(subject: Subject, key: Key) -> str:
    """The name of an input in the signature."""
    import inspect

    if isinstance(key, str):
        return key
    try:
        names = list(inspect.signature(subject.module.forward).parameters)
    except (TypeError, ValueError):
        return f"input {key}"
    return names[key] if key < len(names) else f"input {key}"
