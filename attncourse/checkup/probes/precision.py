"""Does it stay finite for large numbers and in half precision?"""

import copy
from collections.abc import Iterator

import torch

from attncourse.checkup.finding import Finding
from attncourse.checkup.subject import Subject, is_float
from attncourse.checkup.trace import flat

NAME = "precision"
LARGE = 300.0


def is_finite(subject: Subject) -> bool:
    """Whether all outputs of the given input are finite."""
    usual = [o for o in flat(subject.run_opened()) if is_float(o)]
    return all(bool(output.isfinite().all()) for output in usual)


def given(subject: Subject) -> Iterator[Finding]:
    """Look for inf and NaN in the inputs, and in what comes of them."""
    if is_finite(subject):
        return
    for key, value in subject.inputs.items():
        if is_float(value) and not value.isfinite().all():
            yield Finding(
                "error",
                NAME,
                f"input {key} holds inf or NaN, and so does the output",
                "nothing can be said of the module with such an input",
                "give it finite numbers",
            )
            return
    for name, value in subject.module.named_parameters():
        if value.numel() and not value.isfinite().all():
            yield Finding(
                "error",
                NAME,
                f"{name} holds inf or NaN, and so does the output",
                "it was never filled (torch.empty), or training diverged",
                "initialise it, or load finite weights",
            )
            return
    outputs = [o for o in flat(subject.run_opened()) if is_float(o)]
    bad = sum(int((~o.isfinite()).sum()) for o in outputs)
    yield Finding(
        "error",
        NAME,
        f"{bad} outputs of the given input are inf or NaN",
        "a division by zero, a logarithm of zero or a row in which "
        "everything is masked",
        "guard the empty case, and subtract the maximum before exp",
    )


def probe(subject: Subject) -> Iterator[Finding]:
    """Look for inf and NaN with large inputs and in 16 bits."""
    usual = [o for o in flat(subject.run_opened()) if is_float(o)]
    yield from _large(subject)
    if subject.whole:
        for dtype in (torch.bfloat16, torch.float16):
            yield from _half(subject, dtype, usual)


def _large(subject: Subject) -> Iterator[Finding]:
    inputs = {
        key: value * LARGE if is_float(value) else value
        for key, value in subject.inputs.items()
    }
    try:
        outputs = flat(subject.run(inputs, module=subject.opened))
    except Exception:
        return
    if all(o.isfinite().all() for o in outputs if is_float(o)):
        yield Finding("passed", NAME, f"finite for inputs x {LARGE:.0f}")
        return
    by_hand = any(event.by_hand for event in subject.base_trace.normalisations)
    yield Finding(
        "error" if by_hand else "note",
        NAME,
        f"inputs multiplied by {LARGE:.0f} give inf or NaN",
        "exp of a score above 88 is inf in float32, and inf / inf is NaN"
        if by_hand
        else "some step overflows float32",
        "use torch.softmax, which subtracts the largest score first",
    )


def _half(
    subject: Subject, dtype: torch.dtype, usual: list[torch.Tensor]
) -> Iterator[Finding]:
    word = str(dtype).removeprefix("torch.")
    module = copy.deepcopy(subject.opened).to(dtype)
    inputs = {
        key: value.to(dtype) if is_float(value) else value
        for key, value in subject.inputs.items()
    }
    try:
        outputs = flat(subject.run(inputs, module=module))
    except Exception as error:
        yield failure(word, error)
        return
    if not all(o.isfinite().all() for o in outputs if is_float(o)):
        largest = torch.finfo(dtype).max
        score = max(
            (
                float(event.scores.nan_to_num(0, 0, 0).abs().max())
                for event in subject.base_trace.normalisations
                if event.scores.numel()
            ),
            default=0.0,
        )
        yield Finding(
            "warning" if score > largest else "note",
            NAME,
            f"in {word} the output has inf or NaN; the largest score is "
            f"{score:.3g}",
            f"numbers beyond {largest:.3g} overflow in {word}, and those "
            f"below {torch.finfo(dtype).tiny:.1g} may become zero",
            "take scores and their softmax in float32",
        )
        return
    gap = (
        max(
            float((a.double() - b.double()).norm() / b.double().norm())
            for a, b in zip(outputs, usual, strict=False)
            if is_float(b) and b.norm() > 0
        )
        if usual
        else 0.0
    )
    if gap > 0.2:
        yield Finding(
            "note",
            NAME,
            f"in {word} the output is {gap:.0%} off",
            "rounding decides between close alternatives, or sums lose "
            "their small terms",
            "take scores and sums in float32",
        )
    else:
        yield Finding("passed", NAME, f"in {word} {gap:.1%} off")


def failure(word: str, error: Exception) -> Finding:
    """A failure in 16 bits: an overflow is a mistake, a gap in torch not."""
    text = " ".join(str(error).split())[:160]
    overflow = "without overflow" in text
    return Finding(
        "warning" if overflow else "note",
        NAME,
        f"in {word} it fails: {text}",
        "the number that masks is too large for 16 bits"
        if overflow
        else "an operation has no kernel for this type here, or types are "
        "mixed",
        "mask with -torch.inf or torch.finfo(scores.dtype).min"
        if overflow
        else "follow the type of the input: x.new_zeros, dtype=x.dtype",
    )
