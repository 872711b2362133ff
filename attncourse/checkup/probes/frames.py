"""Does a frame stay a frame?

Channels and frames are axes of their own. What a change of one channel of
one frame reaches is therefore some channels of some frames, all of the ones
in all of the others. A view that takes one axis for the other breaks this.
"""

from collections.abc import Iterator

import torch

from attncourse.checkup.finding import Finding
from attncourse.checkup.subject import Subject, is_float, like
from attncourse.checkup.trace import flat

NAME = "frames"


def probe(subject: Subject) -> Iterator[Finding]:
    """Change one frame in one channel, for several channels."""
    subject = subject.exact
    first = subject.first
    if first.ndim != 5 or subject.batch_axis or subject.base_trace.dropouts:
        return
    before = flat(subject.run())[0]
    if before.shape != first.shape:
        return
    width, count = first.shape[1:3]
    if min(width, count) < 2:
        return
    apart = True
    for one in sorted({0, width // 3, width // 2, width - 1}):
        for two in sorted({0, count // 3, count // 2, count - 1}):
            moved = _reached(subject, before, one, two)
            ones, twos = moved.any(1), moved.any(0)
            if moved[ones][:, twos].all():
                apart &= bool(twos.sum() == 1) or bool(ones.sum() == 1)
                continue
            yield _mixed(one, two, moved)
            return
    yield Finding(
        "passed",
        NAME,
        "axes 1 and 2 are kept apart; a change of one frame "
        + ("reaches no other" if apart else "reaches others"),
    )


def _mixed(one: int, two: int, moved: torch.Tensor) -> Finding:
    some = int(moved.sum())
    full = int(moved.any(1).sum()) * int(moved.any(0).sum())
    return Finding(
        "error",
        NAME,
        f"a change at index {one} of axis 1 and {two} of axis 2 reaches "
        f"{some} pairs of {int(moved.any(1).sum())} indices of axis 1 and "
        f"{int(moved.any(0).sum())} of axis 2, not all {full}: no whole "
        "frames",
        "a view reads (channels, frames) as (frames, channels), so that an "
        "image holds some channels of every frame",
        "transpose the two axes before the frames are joined with the "
        "batch: x.transpose(1, 2).flatten(0, 1)",
    )


def _reached(
    subject: Subject, before: torch.Tensor, one: int, two: int
) -> torch.Tensor:
    """Which pairs of indices of axes 1 and 2 a change reaches."""
    changed = dict(subject.inputs)
    for key, value in subject.inputs.items():
        if is_float(value) and value.shape == before.shape:
            changed[key] = value.clone()
            changed[key][:, one, two] += like(
                value[:, one, two], value[:, one, two].shape
            )
    gap = (flat(subject.run(changed))[0] - before).abs()
    return gap.amax((0, 3, 4)) > 1e-9
