"""Triplets: an anchor nearer to its own kind than to any other."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor


def semi_hard_triplet_loss(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int64[Tensor, " batch"],
    *,
    margin: float = 0.2,
) -> Float[Tensor, ""]:
    r"""Pull equal labels together, push the nearest other ones away.

    .. math::

       L = \operatorname{mean} \max\bigl(0,\; \|f_a - f_p\|^2
           - \|f_a - f_n\|^2 + m\bigr), \qquad \|f\| = 1

    over the triplets of :func:`semi_hard_triplets`. A loss that stays at
    ``margin`` means that all embeddings have become one point.

    Parameters
    ----------
    embeddings
        Vectors of any length but zero; they are brought to length one.
    labels
        Who is on each image; at least two of a kind, and two kinds.
    margin
        How much nearer, as a difference of squared distances.

    Returns
    -------
    Mean over the triplets, those that cost nothing included.

    Raises
    ------
    ValueError
        If ``margin`` is not positive, or ``labels`` leave no triplet.

    Notes
    -----
    Cost: batch x batch distances, and as many comparisons with the batch
    as there are pairs of one label.

    References
    ----------
    Schroff, Kalenichenko and Philbin, "FaceNet: A Unified Embedding for
    Face Recognition and Clustering", CVPR 2015.
    """
    if margin <= 0:
        raise ValueError(f"margin must be positive, got {margin}")
    anchor, positive, negative = semi_hard_triplets(embeddings, labels).T
    unit = F.normalize(embeddings, dim=1)
    return F.triplet_margin_with_distance_loss(
        unit[anchor],
        unit[positive],
        unit[negative],
        distance_function=_squared_distance,
        margin=margin,
    )


@torch.no_grad()
def semi_hard_triplets(
    embeddings: Float[Tensor, "batch dim"], labels: Int64[Tensor, " batch"]
) -> Int64[Tensor, "triplets 3"]:
    """Choose a negative for every pair of one label, within the batch.

    It is the nearest one that is farther from the anchor than the positive
    is. The nearest of all would be a mislabelled image often enough, and
    training on those alone collapses. Where no negative is farther than the
    positive, the farthest one stands in.

    Parameters
    ----------
    embeddings
        Vectors of any length but zero; they are brought to length one.
    labels
        Who is on each image.

    Returns
    -------
    Indices (anchor, positive, negative), one row for each ordered pair.

    Raises
    ------
    ValueError
        If no label occurs twice, or there is only one label.
    """
    same = labels[:, None] == labels
    pairs = same & ~torch.eye(len(labels), dtype=torch.bool).to(same.device)
    anchor, positive = pairs.nonzero(as_tuple=True)
    if len(anchor) == 0 or same.all():
        raise ValueError(
            f"labels must hold one label twice and a second label, got "
            f"{len(labels)} labels of {len(labels.unique())} kinds"
        )
    unit = F.normalize(embeddings, dim=1)
    distances = 2 - 2 * unit @ unit.T  # squared, since the length is one
    to_positive = distances[anchor, positive, None]
    others = distances[anchor]  # (pairs, batch)
    allowed = ~same[anchor]
    farther = allowed & (others > to_positive)
    nearest = others.masked_fill(~farther, torch.inf).argmin(1)
    farthest = others.masked_fill(~allowed, -torch.inf).argmax(1)
    negative = torch.where(farther.any(1), nearest, farthest)
    return torch.stack([anchor, positive, negative], 1)


def _squared_distance(
    a: Float[Tensor, "pairs dim"], b: Float[Tensor, "pairs dim"]
) -> Float[Tensor, " pairs"]:
    """Smooth at zero, where the slope of the distance is not defined."""
    return (a - b).square().sum(-1)
