"""Can it be compiled and exported?"""

from collections.abc import Iterator

import torch

from attncourse.checkup.finding import Finding
from attncourse.checkup.subject import Subject, clones, difference, split
from attncourse.checkup.trace import flat

NAME = "deployment"


def probe(subject: Subject) -> Iterator[Finding]:
    """Trace the whole graph with torch.compile and with torch.export."""
    wanted = flat(subject.run())
    for name, build in (("compile", _compiled), ("export", _exported)):
        try:
            outputs = build(subject)
        except Exception as error:
            text = " ".join(str(error).split())[:160]
            yield Finding(
                "warning",
                NAME,
                f"torch.{name} fails: {type(error).__name__}: {text}",
                "a decision or a number depends on the data (.item(), if on "
                "a tensor), or Python runs that cannot be captured",
                "keep to tensor operations, torch.where for decisions",
            )
            continue
        gap = max(
            (difference(a, b) for a, b in zip(wanted, outputs, strict=False)),
            default=0.0,
        )
        grade = "passed" if gap < 1e-3 else "warning"
        yield Finding(
            "passed" if grade == "passed" else "warning",
            NAME,
            f"torch.{name} works, output {gap:.1g} off",
            "" if grade == "passed" else "the captured graph differs",
            "" if grade == "passed" else "compare the two step by step",
        )


def _compiled(subject: Subject) -> list[torch.Tensor]:
    torch._dynamo.reset()
    call = torch.compile(subject.module, fullgraph=True, backend="eager")
    args, names = split(clones(subject.inputs))
    torch.manual_seed(0)
    with torch.no_grad():
        return flat(call(*args, **names))


def _exported(subject: Subject) -> list[torch.Tensor]:
    args, names = split(clones(subject.inputs))
    with torch.no_grad():
        program = torch.export.export(subject.module, tuple(args), names)
        return flat(program.module()(*args, **names))
