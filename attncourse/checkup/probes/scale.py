"""Are dot products divided by the root of their width?"""

from collections.abc import Iterator

from attncourse.checkup.finding import Finding
from attncourse.checkup.subject import Subject
from attncourse.checkup.trace import Normalisation

NAME = "scale"
SATURATED = 2.0  # spread of scores beyond which a few keys get all weight


def probe(subject: Subject) -> Iterator[Finding]:
    """Judge the scores of every softmax over dot products."""
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
            yield _judge(event, product.width)


def _judge(event: Normalisation, width: int) -> Finding:
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
    return Finding(
        "error" if spread > SATURATED else "warning",
        NAME,
        seen,
        "the spread of a dot product grows with the root of the width; "
        f"beyond about {SATURATED:.0f} a softmax gives a few keys all the "
        "weight and hardly any gradient",
        "divide the scores by the root of the width, or normalise queries "
        "and keys",
    )


def spread_of_scores(event: Normalisation) -> float:
    """Mean over rows of the standard deviation of the finite scores."""
    scores = event.scores.double().movedim(event.dims[0], -1)
    rows = scores.reshape(-1, scores.shape[-1])
    rows = rows[rows.isfinite().all(1) & (rows > -1e4).all(1)]
    if not len(rows):
        return 0.0
    return float(rows.std(1, correction=0).mean())
