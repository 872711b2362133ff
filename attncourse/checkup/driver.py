"""`checkup`: run every probe on a copy of a module."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

from torch import Tensor, nn

from attncourse.checkup.finding import Finding, Report
from attncourse.checkup.hiding import supply_mask
from attncourse.checkup.kinds import KINDS
from attncourse.checkup.limits import TooLong, limited
from attncourse.checkup.nested import unnested
from attncourse.checkup.network import (
    Layer,
    attention_layers,
    checkup_layers,
)
from attncourse.checkup.probes import (
    axes,
    batch,
    constant,
    contract,
    deployment,
    frames,
    gates,
    gradients,
    grids,
    locality,
    masks,
    offsets,
    order,
    parameters,
    precision,
    purity,
    rank,
    scale,
    sizes,
    slopes,
    streams,
    training,
    unused,
)
from attncourse.checkup.subject import (
    Inputs,
    Subject,
    clones,
    named_inputs,
    untouched,
)
from attncourse.checkup.trace import flat

Probe = Callable[[Subject], Iterator[Finding]]
PROBES: tuple[Probe, ...] = (
    axes.probe,
    scale.probe,
    rank.probe,
    batch.probe,
    order.probe,
    locality.probe,
    offsets.probe,
    frames.probe,
    streams.probe,
    grids.probe,
    gates.probe,
    contract.probe,
    constant.probe,
    masks.probe,
    gradients.probe,
    slopes.probe,
    parameters.closed_gates,
    parameters.loose_tensors,
    sizes.probe,
    purity.probe,
    training.probe,
    unused.probe,
    precision.probe,
)
MANY = 24  # modules of what may be a network
REPEATED = {
    contract.probe,
    rank.probe,
    locality.probe,
    offsets.probe,
    frames.probe,
    streams.probe,
    gates.probe,
    order.probe,
    masks.probe,
    gradients.probe,
    slopes.probe,
    unused.probe,
    constant.probe,
}


class Function(nn.Module):
    """A function in the place of a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.forward = function


def checkup(
    module: nn.Module | Callable[..., Any],
    inputs: Any,
    *,
    kind: str | None = None,
    batch_axis: int | Mapping[int | str, int | None] | None = None,
    mask: str | None = None,
    mask_true: Literal["keep", "block"] | None = None,
    deploy: bool = False,
    seconds: float = 60.0,
    layers: bool | None = None,
) -> Report:
    """Examine an attention module and say what is wrong with it.

    The module runs in eval mode on copies; it, its inputs and the state of
    the random numbers are afterwards what they were. The same module and
    inputs give the same report. Whatever the module does, a report comes
    back. An error or warning that rests on the numbers of one
    initialisation is checked with a second one before it is reported.

    Parameters
    ----------
    module
        Any module, or a function of tensors.
    inputs
        A tensor, a tuple of positional inputs, or a dictionary of inputs by
        name. At least two samples show more than one.
    kind
        What the module claims to be, such as ``"window"``; the command's
        ``--help`` lists all kinds. None infers it from what the module does,
        and a note says what was inferred.
    batch_axis
        Axis of the batch; None takes 1 where the module has
        ``batch_first=False`` and 0 elsewhere. A dictionary gives each input
        its own, by position or name, None for an input without a batch.
    mask
        Name of the parameter of ``forward`` that takes a mask; None looks
        for the usual names.
    mask_true
        What True in the mask means: ``"keep"`` (may be attended) or
        ``"block"``. None goes by the name of the parameter.
    deploy
        Also try ``torch.compile`` and ``torch.export``, which takes
        seconds.
    seconds
        The examination stops after this time and reports what it has.
    layers
        Whether to examine the attention layers inside of the module, each
        on the inputs that it receives there, instead of the module. None
        does so for a network of two or more of them.

    Raises
    ------
    ValueError
        If ``inputs`` holds no tensor, or ``kind``, ``batch_axis`` or
        ``mask_true`` is none of the values above.
    """
    given = named_inputs(inputs)
    name = getattr(module, "__name__", type(module).__name__)
    if mask_true not in {None, "keep", "block"}:
        raise ValueError(
            f"mask_true is {mask_true!r}; 'keep', 'block' or None is needed"
        )
    if kind is not None and kind not in KINDS:
        raise ValueError(
            f"kind is {kind!r}; one of {', '.join(KINDS)} is needed"
        )
    axes: dict[int | str, int | None] = {}
    if isinstance(batch_axis, Mapping):
        axes = dict(batch_axis)
        batch_axis = next((axes[key] for key in given if key in axes), None)
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
    large = layers or len(list(module.modules())) >= MANY
    inside = (
        []
        if kind or layers is False or not large
        else (_layers(module, given))
    )
    if sum(layer.like for layer in inside) >= (1 if layers else 2):

        def examine(layer: nn.Module, received: Inputs) -> Report:
            return checkup(
                layer, received, deploy=deploy, seconds=seconds, layers=False
            )

        return checkup_layers(module, inside, examine)
    module, given = unnested(module, given)
    if _without_numbers(module, given):
        return Report(name, (NOTHING,), kind)
    found: list[Finding] = []
    with untouched(module, given):
        subject = Subject(
            module,
            clones(given),
            batch_axis,
            mask,
            mask_true,
            kind=kind,
            batch_axes=axes,
        )
        probes = (*PROBES, deployment.probe) if deploy else PROBES
        try:
            with limited(seconds):
                subject.module = subject.copied().eval()
                subject.whole = subject.module is not module
                for finding in _examine(subject, probes):
                    found.append(finding)
        except TooLong:
            found.append(_too_long(seconds, found))
    return Report(name, tuple(found), subject.kind)


NOTHING = Finding(
    "error",
    "call",
    "the module or its inputs are on the meta device, which has no numbers",
    "shapes alone do not tell whether an attention is right",
    "build the module, and make its inputs, on the CPU",
)


def _without_numbers(module: nn.Module, given: Inputs) -> bool:
    return any(
        value.is_meta
        for value in [*module.parameters(), *given.values()]
        if isinstance(value, Tensor)
    )


def _layers(module: nn.Module, given: Inputs) -> list[Layer]:
    """The attention layers inside, none where they cannot be looked for."""
    twin = clones(given)
    training = {name: m.training for name, m in module.named_modules()}
    try:
        with untouched(module, given), limited(30.0):
            return attention_layers(module.eval(), twin)
    except (Exception, TooLong):
        return []
    finally:
        for name, part in module.named_modules():
            part.training = training[name]


def _too_long(seconds: float, found: Sequence[Finding]) -> Finding:
    """Where the time went: into one call, or into many."""
    finished = any(finding.probe != "parameters" for finding in found)
    return Finding(
        "note" if finished else "error",
        "time",
        f"stopped at the limit of {seconds:g} s"
        + ("" if finished else ", before one call came back"),
        "each probe runs the module several times"
        if finished
        else "a loop may never end, or the input is very large",
        "give it smaller inputs, or more time: checkup(..., seconds=...)",
    )


def _batch_axis(module: nn.Module) -> int:
    """1 where the module itself, or torch's layer, has its tokens first."""
    of_torch = type(module).__module__.startswith("torch.nn")
    asked = module.modules() if of_torch else [module]
    return int(any(getattr(m, "batch_first", True) is False for m in asked))


def _examine(subject: Subject, probes: Sequence[Probe]) -> Iterator[Finding]:
    """Run the module once, and the probes if it runs."""
    yield from _run(parameters.probe, subject)
    pristine = subject.copied()
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
    yield from _run(precision.given, subject)
    if not precision.is_finite(subject):
        return  # whatever follows would only say so again
    made = list(_made(subject, pristine))
    yield from made
    if any(finding.grade == "error" for finding in made):
        return  # no two calls can be compared
    for probe in probes:
        yield from _confirmed(probe, subject)


def _made(subject: Subject, pristine: nn.Module) -> Iterator[Finding]:
    """Parameters that a call of a module makes that never ran before."""
    with suppress(Exception):
        yield from parameters.made_in_forward(subject, pristine)


def _confirmed(probe: Probe, subject: Subject) -> Iterator[Finding]:
    """What a probe found, if it finds it with other parameters, too."""
    found = _run(probe, subject)
    doubtful = [f for f in found if f.grade in {"error", "warning"}]
    if probe not in REPEATED or not doubtful:
        yield from found
        return
    again = {_words(f) for f in _run(probe, subject.redrawn(1))}
    yield from (f for f in found if f not in doubtful or _words(f) in again)


def _words(finding: Finding) -> tuple[str, str]:
    """A finding without its numbers."""
    return finding.probe, re.sub(r"[^a-z_]+", " ", finding.seen.lower())


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
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
