"""Does a forward pass leave everything else as it was?"""

import copy
from collections.abc import Iterator

import torch

from attncourse.checkup.finding import Finding
from attncourse.checkup.subject import Subject, clones, same, split
from attncourse.checkup.trace import flat

NAME = "side effects"


def probe(subject: Subject) -> Iterator[Finding]:
    """Run twice; compare inputs, buffers and outputs."""
    module = (
        copy.deepcopy(subject.opened) if subject.whole else (subject.opened)
    )
    given = clones(subject.inputs)
    args, names = split(given)
    state = {k: v.clone() for k, v in module.named_buffers()}
    torch.manual_seed(1)
    with torch.no_grad():
        one = [value.clone() for value in flat(module(*args, **names))]
    yield from _settings(subject)
    for key, value in subject.inputs.items():
        if isinstance(value, torch.Tensor) and not same(value, given[key]):
            gap = (value.double() - given[key].double()).abs().max()
            yield Finding(
                "error",
                NAME,
                f"the call changes its input {key} by up to {gap:.3g}",
                "an in-place operation (+=, mul_, masked_fill_, "
                "ReLU(inplace=True)) works on the caller's tensor; a "
                "shortcut or a second call then sees other numbers",
                "use the form that makes a new tensor",
            )
    changed = [
        k
        for k, v in module.named_buffers()
        if k in state and not same(v, state[k])
    ]
    if changed:
        yield Finding(
            "note",
            NAME,
            f"a call in eval mode changes {', '.join(changed)}",
            "what was seen before then counts for what is seen next",
            "update buffers in training mode alone",
        )
    torch.manual_seed(2)
    with torch.no_grad():
        args, names = split(clones(subject.inputs))
        two = flat(module(*args, **names))
    if all(same(a, b) for a, b in zip(one, two, strict=False)):
        yield Finding("passed", NAME, "two calls give the same output")
        return
    dropouts = subject.base_trace.dropouts
    yield Finding(
        "warning",
        NAME,
        "two calls in eval mode give different outputs"
        + (f"; {dropouts} random masks were drawn" if dropouts else ""),
        "F.dropout(x, p) without training=self.training stays on in eval "
        "mode; otherwise something random or stored is at work",
        "pass training=self.training, or use nn.Dropout",
    )


def _settings(subject: Subject) -> Iterator[Finding]:
    """What a call changes for everybody: seed, mode, default type."""
    module = subject.copied()
    states = []
    for seed in (1, 2):
        args, names = split(clones(subject.inputs))
        torch.manual_seed(seed)
        with torch.no_grad():
            module(*args, **names)
        states.append(torch.random.get_rng_state())
    if torch.equal(*states):
        yield Finding(
            "error",
            NAME,
            "a call seeds torch's random numbers: after it they go on alike, "
            "whatever the seed was",
            "every dropout mask and every shuffle after the call repeats",
            "use a torch.Generator of its own",
        )
    woken = [name for name, m in module.named_modules() if m.training]
    if woken and module is not subject.module:
        yield Finding(
            "error",
            NAME,
            f"a call puts {woken[0] or 'the module'} into training mode",
            "dropout and batch norms then work as in training, in "
            "evaluation, too",
            "leave train() and eval() to the caller",
        )
