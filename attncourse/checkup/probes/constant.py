"""Do constant values come out as they went in, at any size?"""

from collections.abc import Iterator
from dataclasses import replace

from attncourse.checkup.finding import Finding
from attncourse.checkup.subject import Inputs, Subject, is_float
from attncourse.checkup.trace import flat

NAME = "constant values"


def probe(subject: Subject) -> Iterator[Finding]:
    """Pool a constant map at two sizes; it must not shrink or grow."""
    subject = subject.exact
    for key, name in subject.axes.items():
        if name not in {"height", "width", "tokens", "depth"}:
            return
        for size in subject.other_sizes(key):
            large = subject.with_sizes({key: size})
            try:
                one = flat(subject.run(_constant(subject, subject.inputs)))[0]
                two = flat(subject.run(_constant(subject, large)))[0]
            except Exception:
                continue
            if not one.norm() > 1e-12 or one.ndim != two.ndim:
                return
            pooled = one.shape == two.shape
            if not pooled and not subject.base_trace.normalisations:
                return  # a map comes out of convolutions and gates
            ratio = float(
                two.square().mean().sqrt() / one.square().mean().sqrt()
            )
            if not pooled:
                if not 0.55 < ratio < 1.8:
                    found = _judge(name, key[1], size, ratio)
                    yield replace(found, grade="note")
                return
            yield _judge(name, key[1], size, ratio)
            break


def _constant(subject: Subject, inputs: Inputs) -> Inputs:
    """Inputs of these sizes that hold the first position everywhere."""
    constant = dict(inputs)
    for key, value in subject.inputs.items():
        if not is_float(value):
            continue
        for axis, size in subject.axes:
            if value.ndim > axis and value.shape[axis] == size:
                value = value.narrow(axis, 0, 1)
        constant[key] = value.expand(inputs[key].shape).contiguous()
    return constant


def _judge(name: str, size: int, other: int, ratio: float) -> Finding:
    seen = (
        f"a constant input of {name} {other} instead of {size} gives an "
        f"output {ratio:.3g} times as large"
    )
    if 0.8 < ratio < 1.25:
        return Finding("passed", NAME, seen)
    return Finding(
        "warning",
        NAME,
        seen,
        "an average of equal values is that value, however many there are; "
        "the weights do not sum to one over all positions",
        "let the weights sum to one over all positions that are summed",
    )
