"""Which sizes does it break on?"""

import re
from collections.abc import Iterator

from torch import Tensor

from attncourse.checkup.finding import Finding
from attncourse.checkup.subject import Inputs, Subject
from attncourse.checkup.trace import flat

NAME = "sizes"


def probe(subject: Subject) -> Iterator[Finding]:
    """Try other batches, each axis longer and shorter, and an oblong map."""
    fine: list[str] = []
    for count in (1, subject.batch + 1):
        found = _try(subject, f"a batch of {count}", subject.with_batch(count))
        if found is None:
            fine.append(f"batch {count}")
        elif found.grade == "error" or count == 1:
            yield found
        else:
            yield _as_error(found)
    for key, name in subject.axes.items():
        faults: list[Finding] = []
        for size in subject.other_sizes(key):
            inputs = subject.with_sizes({key: size})
            found = _try(subject, f"{name} {size} for {key[1]}", inputs)
            if found is None:
                fine.append(f"{name} {size}")
                faults.clear()
                break
            faults.append(found)
        wrong = [f for f in faults if f.grade == "error"] or faults
        if wrong and (key[1] > 1 or wrong[0].grade == "error"):
            yield wrong[0]
    yield from _pooled(subject)
    if fine:
        yield Finding("passed", NAME, f"runs with {', '.join(fine)}")


def _as_error(found: Finding) -> Finding:
    return Finding(
        "error",
        NAME,
        found.seen,
        "the number of samples is written into the module",
        "take it from the input: x.shape[0]",
    )


def _try(subject: Subject, what: str, inputs: Inputs) -> Finding | None:
    try:
        outputs = flat(subject.run(inputs))
    except Exception as error:
        return _failure(subject, what, error)
    axis, first = subject.batch_axis, outputs[0]
    usual = flat(subject.run())[0]
    if usual.ndim <= axis or usual.shape[axis] != subject.batch:
        return None
    given = next(
        value.shape[axis]
        for key, value in inputs.items()
        if subject.axis_of(key) == axis
    )
    if first.ndim <= axis or first.shape[axis] != given:
        return Finding(
            "error",
            NAME,
            f"with {what}, {given} samples come back as an output shaped "
            f"{tuple(first.shape)}",
            "view(-1, n) puts what does not fit into further rows",
            "flatten(1) after adaptive pooling, which keeps the batch",
        )
    size = subject.first.shape
    if usual.ndim == 4 == len(size) and usual.shape[2:] == size[2:]:
        came = next(v for v in inputs.values() if v is not None).shape[2:]
        if first.shape[2:] != came and first.shape[2:] == came[::-1]:
            return Finding(
                "error",
                NAME,
                f"with {what}, a map of {tuple(came)} comes back as "
                f"{tuple(first.shape[2:])}",
                "height and width are mixed up; a square map hides it",
                "unflatten in the order in which you flattened",
            )
    return None


def _failure(subject: Subject, what: str, error: Exception) -> Finding:
    text = " ".join(str(error).split())[:160]
    seen = f"{what} fails: {type(error).__name__}: {text}"
    if isinstance(error, ValueError | AssertionError):
        return Finding(
            "note",
            NAME,
            seen,
            "the module says itself which sizes it takes",
            "nothing, if it is meant",
        )
    told = re.search(r"invalid for input of size|view size is not", text)
    if told and not _has_positions(subject) and not _given_sizes(subject):
        return Finding(
            "error",
            NAME,
            seen,
            "a size is written into a view or reshape",
            "take the sizes from the input: x.shape or flatten and unflatten",
        )
    positions = _has_positions(subject) or _given_sizes(subject)
    return Finding(
        "note",
        NAME,
        seen,
        f"{positions} says which size it is for"
        if _given_sizes(subject)
        else f"{positions} has one entry for each position"
        if positions
        else "a layer behind it expects one size",
        "nothing if one size is enough; otherwise interpolate what belongs "
        "to positions, or pool to a fixed size first",
    )


def _pooled(subject: Subject) -> Iterator[Finding]:
    """What was pooled must not have a size that follows the input's."""
    usual = flat(subject.run())[0]
    if usual.ndim != 4 or subject.first.ndim != 4 or subject.channels_last:
        return
    if min(usual.shape[2:]) != 1 or subject.batch_axis:
        return
    height, width = subject.first.shape[2:]
    side = max(height, width)
    shapes: list[Tensor | None] = []
    for size in ((side, side), (side, 2 * side), (2 * side, side)):
        sizes = {(2, height): size[0], (3, width): size[1]}
        try:
            shapes.append(flat(subject.run(subject.with_sizes(sizes)))[0])
        except Exception:
            shapes.append(None)
    if shapes[0] is None:
        return
    if tuple(shapes[0].shape[2:]) != (1, 1):
        return
    turned = "twice as wide", "twice as high"
    for made, told in zip(shapes[1:], turned, strict=True):
        if made is not None and tuple(made.shape[2:]) != (1, 1):
            yield Finding(
                "error",
                NAME,
                f"a map {told} is pooled to {tuple(made.shape[2:])}, a "
                "square one to (1, 1)",
                "the kernel of the pooling takes one side for both",
                "use F.adaptive_avg_pool2d(x, 1) or x.mean((2, 3))",
            )
            return


def _given_sizes(subject: Subject) -> str:
    """An attribute with the size of the input, from the constructor."""
    shape = subject.first.shape
    sizes = {size for (_, size) in subject.axes if size > 2}
    if len(shape) == 4:
        sizes |= {shape[2] * shape[3], shape[1] * shape[2]} - {1, 2}
    if len(shape) == 5:
        sizes |= {shape[1], shape[2], shape[2] * shape[3]} - {1, 2}
    for path, module in subject.module.named_modules():
        if type(module).__module__.startswith("torch.nn"):
            continue
        for name, value in vars(module).items():
            values = value if isinstance(value, tuple | list) else (value,)
            whole = {v for v in values if isinstance(v, int)} - {True}
            if whole & sizes and not name.startswith("_"):
                return f"{path + '.' if path else ''}{name} = {value}"
    return ""


def _has_positions(subject: Subject) -> str:
    """A parameter or buffer with an axis as long as there are positions."""
    sizes = subject.first.shape
    positions = {size for (_, size) in subject.axes if size > 1}
    if len(sizes) == 4:
        positions.add(sizes[2] * sizes[3])
    positions |= {n + 1 for n in positions} | {2 * n - 1 for n in positions}
    state = [
        *subject.module.named_parameters(),
        *subject.module.named_buffers(),
    ]
    for name, value in state:
        if name.endswith(("running_mean", "running_var")):
            continue
        if positions & set(value.shape) and not _is_layer(subject, name):
            return f"{name} {tuple(value.shape)}"
    return ""


def _is_layer(subject: Subject, name: str) -> bool:
    """Weights of linear layers and norms belong to channels."""
    owner = subject.module.get_submodule(name.rpartition(".")[0])
    kind = type(owner).__module__
    return kind.startswith("torch.nn.modules") and not kind.endswith("sparse")
