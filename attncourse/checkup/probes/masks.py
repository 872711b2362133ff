"""Are masks respected, in which meaning, and are empty rows survived?"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from math import isfinite

import torch

from attncourse.checkup.finding import Finding
from attncourse.checkup.hiding import Masked, fitting, leak, run_masked
from attncourse.checkup.probes.precision import failure
from attncourse.checkup.subject import Subject, difference, is_float

NAME = "mask"


def probe(subject: Subject) -> Iterator[Finding]:
    """Change what is hidden; it must not be noticed."""
    name = subject.mask_name
    subject = subject.exact
    if (
        name is None
        or subject.first.ndim not in {3, 4}
        or (subject.channels_last)
    ):
        return
    tried = fitting(subject, name)
    if tried is None:
        yield Finding(
            "note",
            NAME,
            f"{name} took none of the usual masks",
            "its shape or type is unusual, so it could not be judged",
            "pass a mask among the inputs to show what it looks like",
        )
        return
    leaks = {}
    for meaning in ("keep", "block", "add"):
        # Numbers may be refused where truth values are taken, or the other
        # way round.
        with suppress(Exception):
            leaks[meaning] = leak(subject, tried, meaning)
    meaning = min(leaks, key=lambda m: leaks[m])
    whole = torch.zeros_like(tried.hidden)
    plain = run_masked(subject, tried, whole, meaning)
    masked = run_masked(subject, tried, tried.hidden, meaning)
    if difference(plain, masked) <= subject.tolerance:
        yield Finding(
            "error",
            NAME,
            f"{name} has no effect: hiding {int(tried.hidden.sum())} of "
            f"{len(tried.hidden)} positions changes nothing",
            "the mask is taken and never used",
            "mask the scores with it before the softmax",
        )
        return
    if leaks[meaning] > subject.tolerance:
        yield Finding(
            "error",
            NAME,
            f"what {name} hides changes the visible output by "
            f"{leaks[meaning]:.0%}"
            if isfinite(leaks[meaning])
            else f"with {name} the visible output is NaN",
            "hidden positions still count, in the sum of the softmax or by a "
            "mask that is multiplied with scores",
            "scores.masked_fill(hidden, -torch.inf) before the softmax",
        )
        return
    yield _meaning(subject, name, meaning)
    found = replace(tried, meaning=meaning)
    yield from _empty_rows(subject, found)
    yield from _half(subject, found)


def _meaning(subject: Subject, name: str, meaning: str) -> Finding:
    """Compare what True does with what the name promises."""
    of_torch = type(subject.module).__module__.startswith("torch.nn")
    expected: str | None = subject.mask_true
    sure = expected is not None
    if expected is None and ("padding" in name or of_torch):
        expected = "block"
    elif expected is None and name in {"mask", "attention_mask"}:
        expected = "keep"
    words = {"keep": "is attended", "block": "is hidden", "add": ""}
    seen = f"where {name} is True a position {words[meaning]}"
    if meaning == "add":
        return Finding("passed", NAME, f"{name} is added to the scores")
    if expected is None or meaning == expected:
        return Finding("passed", NAME, f"{seen}; what is hidden is ignored")
    return Finding(
        "error" if sure or "padding" in name or name == "mask" else "warning",
        NAME,
        f"{seen}; {'you said' if sure else f'the name {name} promises'} "
        "the opposite",
        "the mask is inverted: torch's fused attention takes True for "
        "attend, nn.MultiheadAttention takes it for hide",
        "mask with ~mask"
        if sure
        else "mask with ~mask; if hiding is meant, rename it "
        '(key_padding_mask) or call checkup(..., mask_true="block")',
    )


def _empty_rows(subject: Subject, found: Masked) -> Iterator[Finding]:
    hidden = torch.ones_like(found.hidden)
    output = run_masked(subject, found, hidden, found.meaning)
    bad = ~output.isfinite()
    if not bad.any():
        yield Finding("passed", NAME, "a row with nothing to attend is finite")
        return
    of_torch = type(subject.module).__module__.startswith("torch.nn")
    yield Finding(
        "note" if of_torch or found.meaning == "add" else "warning",
        NAME,
        f"a row with nothing to attend gives {float(bad.double().mean()):.0%}"
        " NaN in the output",
        "the softmax of a row of -inf is 0/0; one NaN makes the gradients "
        "of the whole batch NaN",
        "fill the weights of such rows with zeros, or let every row see one "
        "position",
    )


def _half(subject: Subject, found: Masked) -> Iterator[Finding]:
    """A large negative fill value may not fit into 16 bits."""
    if not subject.whole or found.meaning == "add":
        return
    half = subject.copied().half()
    given = {
        k: v.half() if is_float(v) else v for k, v in (subject.inputs.items())
    }
    given[found.key] = found.mask(found.hidden)
    try:
        subject.run(given, module=half)
    except Exception as error:
        told = failure("float16 with a mask", error)
        if told.grade == "warning":
            yield told
