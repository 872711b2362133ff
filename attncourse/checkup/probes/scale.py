"""Are dot products divided by the root of their width?"""

from collections.abc import Iterator

from attncourse.checkup.finding import Finding, Grade
from attncourse.checkup.subject import Subject
from attncourse.checkup.trace import Normalisation

NAME = "scale"
USUAL = 1.0  # spread of scaled scores of numbers with variance one


def probe(subject: Subject) -> Iterator[Finding]:
    """Judge the scores of every softmax over dot products."""
    gated = any(
        value.numel() == 1 or (value.numel() and not value.any())
        for name, value in subject.module.named_parameters()
        if not name.endswith("bias")
    )
    for event in subject.exact.base_trace.normalisations:
        product = event.product
        if product is None or product.width < 2:
            continue
        norm, unevenness = product.norms
        if abs(norm - 1) < 1e-3 and unevenness < 1e-3:
            yield Finding(
                "passed", NAME, "queries and keys have length one (cosines)"
            )
        elif event.learned_factor:
            yield Finding("passed", NAME, "the scores have a learned factor")
        else:
            yield _judge(event, product.width, gated)


def _judge(event: Normalisation, width: int, gated: bool) -> Finding:
    """A missing scale behind a gate that starts closed may be meant."""
    factor, root = abs(event.factor), width**0.5
    spread = spread_of_scores(event)
    seen = (
        f"dot products of {width} numbers are multiplied by {factor:.4g} "
        f"(1/root of {width} is {1 / root:.4g}); the scores of a row spread "
        f"by {spread:.2f}"
    )
    if 0.8 < factor * root < 1.25:
        return Finding("passed", NAME, seen)
    if factor * root < 0.8:
        return Finding(
            "note",
            NAME,
            seen,
            "the scores are made smaller than usual, so the weights are "
            "nearly equal at the start (or the width of all heads was taken "
            "for the width of one)",
            "divide by the root of the width of one head",
        )
    grade: Grade = "error" if spread > USUAL else "warning"
    return Finding(
        "note" if gated else grade,
        NAME,
        seen,
        "the spread of a dot product grows with the root of the width, and "
        f"beyond {USUAL:.0f} the softmax hardens: a few keys get all the "
        "weight, and hardly any gradient is left",
        "divide the scores by the root of the width, or normalise queries "
        "and keys"
        + ("; nothing, if a gate on the result is meant to" if gated else ""),
    )


def spread_of_scores(event: Normalisation) -> float:
    """Mean over rows of the standard deviation of the finite scores."""
    scores = event.scores.double().movedim(event.dims[0], -1)
    rows = scores.reshape(-1, scores.shape[-1])
    seen = rows.isfinite() & (rows > -1e4)
    rows, seen = rows[seen.sum(1) > 1], seen[seen.sum(1) > 1]
    if not len(rows):
        return 0.0
    count = seen.sum(1)
    rows = rows.where(seen, 0)
    mean = rows.sum(1) / count
    gaps = ((rows - mean[:, None]) ** 2).where(seen, 0)
    return float((gaps.sum(1) / count).sqrt().mean())
