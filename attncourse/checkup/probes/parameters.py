"""Has every layer units, will the optimiser see all, are gates open?

A module's weights are those that ``parameters()`` names: they move with
``.to``, they are saved, and the optimiser that was built before the first
call has them.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from attncourse.checkup.finding import Finding
from attncourse.checkup.subject import Subject, difference, is_float, like
from attncourse.checkup.trace import flat

NAME = "parameters"


def probe(subject: Subject) -> Iterator[Finding]:
    """Look for layers of no width, and for weights that nobody knows of."""
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
    yield from _unregistered(subject)


def _unregistered(subject: Subject) -> Iterator[Finding]:
    known = {id(value) for value in subject.module.parameters()}
    known |= {id(value) for value in subject.module.buffers()}
    for path, value in _kept(subject.module):
        if isinstance(value, nn.Module):
            count = sum(
                p.numel() for p in value.parameters() if id(p) not in known
            )
            if count:
                yield Finding(
                    "error",
                    NAME,
                    f"{path} holds {count} weights that parameters() does "
                    "not name",
                    "a module in a plain list or dict is not registered: "
                    "its weights are neither trained nor saved nor moved",
                    "use nn.ModuleList or nn.ModuleDict",
                )
        elif value.requires_grad and value.is_leaf and id(value) not in known:
            yield Finding(
                "error",
                NAME,
                f"{path} {tuple(value.shape)} wants a gradient and is not "
                "among parameters()",
                "it is neither trained by the optimiser nor saved nor moved",
                "wrap it: self.name = nn.Parameter(...), in lists "
                "nn.ParameterList",
            )


def loose_tensors(subject: Subject) -> Iterator[Finding]:
    """A tensor on self that is neither buffer nor parameter and counts."""
    known = {id(value) for value in subject.module.parameters()}
    known |= {id(value) for value in subject.module.buffers()}
    for path, value in _kept(subject.module):
        if (
            not is_float(value)
            or value.requires_grad
            or id(value) in known
            or not value.numel()
        ):
            continue
        before = flat(subject.run())[0]
        kept = value.clone()
        with torch.no_grad():
            value.copy_(kept + like(kept, kept.shape, seed=5))
        gap = difference(before, flat(subject.run())[0])
        with torch.no_grad():
            value.copy_(kept)
        if gap > subject.tolerance:
            yield Finding(
                "warning",
                NAME,
                f"{path} {tuple(value.shape)} counts for the output and is "
                "neither a buffer nor a parameter",
                "it stays where it is when the module moves to a GPU or to "
                "another type, and state_dict() does not hold it",
                'self.register_buffer("name", tensor), or nn.Parameter',
            )


def _kept(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Modules and tensors in plain attributes, lists and dicts."""
    for path, child in module.named_modules():
        if type(child).__module__.startswith("torch.nn"):
            continue
        for name, value in list(vars(child).items()):
            if name in {"_parameters", "_buffers", "_modules"}:
                continue
            where = f"{path}.{name}" if path else name
            for inner, leaf in _leaves(value, where):
                if isinstance(leaf, nn.Module):
                    if isinstance(value, list | tuple | Mapping):
                        yield inner, leaf
                else:
                    yield inner, leaf


def kept_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Tensors in plain attributes, lists and dicts."""
    return ((p, v) for p, v in _kept(module) if isinstance(v, Tensor))


def _leaves(value: Any, path: str, depth: int = 3) -> Iterator[Any]:
    if isinstance(value, Tensor | nn.Module):
        yield path, value
    elif isinstance(value, Mapping) and depth:
        for key, part in list(value.items())[:100]:
            yield from _leaves(part, f"{path}[{key!r}]", depth - 1)
    elif isinstance(value, list | tuple) and depth:
        for number, part in enumerate(value[:100]):
            yield from _leaves(part, f"{path}[{number}]", depth - 1)


def made_in_forward(
    subject: Subject, pristine: nn.Module
) -> Iterator[Finding]:
    """Count the parameters that a call makes: there must be none."""
    lazy = any(map(nn.parameter.is_lazy, pristine.parameters()))
    with _counting() as first:
        subject.run(module=pristine)
    with _counting() as second:
        subject.run(module=pristine)
    if lazy:
        first.clear()  # torch's own, known to the optimiser
    if not first and not second:
        return
    count = sum(value.numel() for value in (second or first))
    again = "each call makes" if second else "the first call makes"
    yield Finding(
        "error" if second else "warning",
        NAME,
        f"{again} {count} parameters",
        "they start anew in each call, so nothing is learned, and two calls "
        "differ"
        if second
        else "an optimiser that was built before the first call does not "
        "have them",
        "make layers and parameters in __init__",
    )


@contextmanager
def _counting() -> Iterator[list[Tensor]]:
    """The parameters that are made meanwhile."""
    made: list[Tensor] = []
    plain = nn.Parameter.__new__

    def counted(cls: Any, *args: Any, **names: Any) -> Any:
        value = plain(cls, *args, **names)
        made.append(value)
        return value

    nn.Parameter.__new__ = counted  # type: ignore[method-assign]
    try:
        yield made
    finally:
        nn.Parameter.__new__ = plain  # type: ignore[method-assign]


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
