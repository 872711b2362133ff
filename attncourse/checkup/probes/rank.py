"""Do similar pairs get more weight than dissimilar ones?

A dot product is large for vectors that are alike. Whatever is done to it
before the softmax, the weight must rise with it. The number is the
correlation of products and scores along the keys.
"""

from collections.abc import Iterator

import torch

from attncourse.checkup.finding import Finding
from attncourse.checkup.subject import Subject

NAME = "rank"


def probe(subject: Subject) -> Iterator[Finding]:
    """Correlate the dot products with the scores made of them."""
    for event in subject.exact.base_trace.normalisations:
        product = event.product
        if product is None or event.learned_factor or event.repeated:
            continue
        if product.values.numel() != event.scores.numel():
            continue
        dim = event.dims[0]
        raw = product.values.reshape(event.scores.shape).movedim(dim, -1)
        scores = event.scores.movedim(dim, -1)
        if scores.shape[-1] < 3:
            continue
        finite = scores.isfinite().all(-1) & (scores.std(-1) > 1e-12)
        finite &= (scores > -1e4).all(-1)
        raw, scores = raw[finite], scores[finite]
        if not len(raw):
            continue
        raw = raw - raw.mean(-1, keepdim=True)
        scores = scores - scores.mean(-1, keepdim=True)
        norms = raw.norm(dim=-1) * scores.norm(dim=-1)
        along = float(((raw * scores).sum(-1) / norms.clamp_min(1e-30)).mean())
        if along > -0.9:
            continue
        least = float(
            (raw.argmax(-1) == scores.argmin(-1)).to(torch.double).mean()
        )
        yield Finding(
            "error",
            NAME,
            f"the scores fall where the dot products rise (correlation "
            f"{along:.2f}): in {least:.0%} of the rows the most similar "
            "position gets the least weight",
            "the product is subtracted from its maximum, or has a minus",
            "softmax subtracts the largest score by itself; give it the "
            "products as they are",
        )
        return
