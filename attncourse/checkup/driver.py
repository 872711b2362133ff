"""`checkup`: run every probe on a copy of a module."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Literal

from torch import nn

from attncourse.checkup.finding import Finding, Report
from attncourse.checkup.hiding import supply_mask
from attncourse.checkup.probes import (
    axes,
    batch,
    constant,
    deployment,
    gradients,
    masks,
    order,
    parameters,
    precision,
    purity,
    scale,
    sizes,
    slopes,
    training,
    unused,
)
from attncourse.checkup.subject import Subject, clones, named_inputs, untouched
from attncourse.checkup.trace import flat

Probe = Callable[[Subject], Iterator[Finding]]
PROBES: tuple[Probe, ...] = (
    axes.probe,
    scale.probe,
    batch.probe,
    order.probe,
    constant.probe,
    masks.probe,
    gradients.probe,
    slopes.probe,
    parameters.closed_gates,
    sizes.probe,
    purity.probe,
    training.probe,
    unused.probe,
    precision.probe,
)


class Function(nn.Module):
    """A function in the place of a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.forward = function


def checkup(
    module: nn.Module | Callable[..., Any],
    inputs: Any,
    *,
    batch_axis: int | None = None,
    mask: str | None = None,
    mask_true: Literal["keep", "block"] | None = None,
    deploy: bool = False,
) -> Report:
    """Examine an attention module and say what is wrong with it.

    The module runs in eval mode on copies; it, its inputs and the state of
    the random numbers are afterwards what they were. The same module and
    inputs give the same report. Whatever the module does, a report comes
    back.

    Parameters
    ----------
    module
        Any module, or a function of tensors.
    inputs
        A tensor, a tuple of positional inputs, or a dictionary of inputs by
        name. At least two samples show more than one.
    batch_axis
        Axis of the batch; None takes 1 where the module has
        ``batch_first=False`` and 0 elsewhere.
    mask
        Name of the parameter of ``forward`` that takes a mask; None looks
        for the usual names.
    mask_true
        What True in the mask means: ``"keep"`` (may be attended) or
        ``"block"``. None goes by the name of the parameter.
    deploy
        Also try ``torch.compile`` and ``torch.export``, which takes
        seconds.

    Raises
    ------
    ValueError
        If ``inputs`` holds no tensor, or ``batch_axis`` or ``mask_true`` is
        none of the values above.
    """
    given = named_inputs(inputs)
    name = getattr(module, "__name__", type(module).__name__)
    if mask_true not in {None, "keep", "block"}:
        raise ValueError(
            f"mask_true is {mask_true!r}; 'keep', 'block' or None is needed"
        )
    if batch_axis not in {None, 0, 1}:
        raise ValueError(f"batch_axis is {batch_axis}; 0, 1 or None is needed")
    if not callable(module):
        raise ValueError(
            f"module is {type(module).__name__}; an nn.Module or a function "
            "is needed"
        )
    if not isinstance(module, nn.Module):
        module = Function(module)
    if batch_axis is None:
        batch_axis = _batch_axis(module)
    with untouched(module, given):
        subject = Subject(module, clones(given), batch_axis, mask, mask_true)
        subject.module = subject.copied().eval()
        subject.whole = subject.module is not module
        probes = (*PROBES, deployment.probe) if deploy else PROBES
        found = tuple(_examine(subject, probes))
    return Report(name, found)


def _batch_axis(module: nn.Module) -> int:
    """1 where the module itself, or torch's layer, has its tokens first."""
    of_torch = type(module).__module__.startswith("torch.nn")
    asked = module.modules() if of_torch else [module]
    return int(any(getattr(m, "batch_first", True) is False for m in asked))


def _examine(subject: Subject, probes: Sequence[Probe]) -> Iterator[Finding]:
    """Run the module once, and the probes if it runs."""
    yield from _run(parameters.probe, subject)
    with suppress(Exception):
        supply_mask(subject)
    try:
        outputs = flat(subject.run())
    except Exception as error:
        yield Finding(
            "error",
            "call",
            f"the module fails on the given input: {told(error)}",
            "nothing else can be examined before it runs",
            "fix this first; check the shapes of the input, too",
        )
        return
    if not outputs:
        yield Finding(
            "error",
            "call",
            "the module returns no tensor",
            "a return statement may be missing",
            "return the output",
        )
        return
    if not subject.whole:
        yield Finding(
            "note",
            "call",
            "the module cannot be copied; some probes were left out",
            "it holds something that deepcopy refuses, such as a tensor of "
            "an earlier graph",
            "keep no tensors with a graph on self",
        )
    for probe in probes:
        yield from _run(probe, subject)


def _run(probe: Probe, subject: Subject) -> list[Finding]:
    """All findings of a probe; should it fail, that is one more."""
    found: list[Finding] = []
    try:
        for finding in probe(subject):
            found.append(finding)
    except Exception as error:
        name = probe.__module__.rpartition(".")[2]
        found.append(
            Finding(
                "note",
                name,
                f"could not be finished: {told(error)}",
                "the module failed on an input that this probe made",
                "see whether such an input is allowed",
            )
        )
    return found


def told(error: Exception) -> str:
    """An exception in one line."""
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}"
