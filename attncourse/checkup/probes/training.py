"""Are the weights that are returned in training still shares?"""

from collections.abc import Iterator

from attncourse.checkup.finding import Finding
from attncourse.checkup.subject import Subject
from attncourse.checkup.trace import axes_that_sum_to_one, flat, is_one

NAME = "training"


def probe(subject: Subject) -> Iterator[Finding]:
    """Compare what is returned beside the output in both modes."""
    module = subject.copied()
    if module is subject.module:
        return
    calm = flat(subject.run())[1:]
    try:
        busy = flat(subject.run(module=module.train()))[1:]
    except Exception:
        return  # a batch norm, say, wants more than one sample
    for number, (one, two) in enumerate(
        zip(calm, busy, strict=False), start=2
    ):
        axes = axes_that_sum_to_one(one)
        if not axes or one.shape != two.shape or is_one(two.sum(axes)):
            continue
        low, high = float(two.sum(axes).min()), float(two.sum(axes).max())
        yield Finding(
            "warning",
            NAME,
            f"output {number} sums to one over axes {axes} in eval mode and "
            f"to {low:.3g} to {high:.3g} in training",
            "these are the weights after a dropout, which deletes some and "
            "enlarges the others",
            "return the weights before the dropout, or read them in eval mode",
        )
