"""How much of a map lies where it should."""

from jaxtyping import Bool, Float
from torch import Tensor

from attncourse.metrics.overlap import at_least_float32, check, coverage


def mass_inside(
    weights: Float[Tensor, "batch heads rows columns"],
    masks: Bool[Tensor, "batch 1 height width"],
) -> Float[Tensor, " batch"]:
    r"""Share of the mass of each map that lies inside its mask.

    .. math::

       m = \frac{\sum_{p} w_p\, c_p}{\sum_{p} w_p}

    where :math:`c_p` is the share of the area of position :math:`p` that the
    mask covers. The map may be coarser or finer than the mask, in any ratio.
    A flat map scores the area of the mask. The mass of all heads is added
    up.

    Parameters
    ----------
    weights
        Maps; they need not sum to one.
    masks
        Ground-truth masks, True inside.

    Returns
    -------
    Tensor
        One share for each sample, between 0 and 1.

    Raises
    ------
    ValueError
        If the shapes do not belong together, a weight is negative or not
        finite, a map has no mass or a mask is empty.
    """
    check(weights, masks)
    weights = at_least_float32(weights)
    total = weights.sum((1, 2, 3))
    massless = (total == 0).nonzero().flatten()
    if len(massless):
        raise ValueError(
            f"weights must have some mass, got none in sample {massless[0]}"
        )
    covered = coverage(weights, masks)
    return (weights * covered).sum((1, 2, 3)) / total
