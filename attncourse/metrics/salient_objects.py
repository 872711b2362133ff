"""How well a map marks the pixels of the salient object."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attncourse.metrics.overlap import at_least_float32


def mean_absolute_error(
    saliency: Float[Tensor, "batch 1 height width"],
    masks: Bool[Tensor, "batch 1 height width"],
) -> Float[Tensor, " batch"]:
    """Mean distance of a map between 0 and 1 from the object's mask.

    Raises
    ------
    ValueError
        If the shapes differ, a value is outside 0 to 1 or a mask is empty.
    """
    _same(saliency, masks)
    values = at_least_float32(saliency)
    return (values - masks.to(values.dtype)).abs().mean((1, 2, 3))


def max_f_beta(
    saliency: Float[Tensor, "batch 1 height width"],
    masks: Bool[Tensor, "batch 1 height width"],
    *,
    beta_squared: float = 0.3,
) -> Float[Tensor, " batch"]:
    r"""Best F-measure over all thresholds of a map.

    .. math::

       F = \frac{(1 + \beta^2)\, P R}{\beta^2 P + R}

    with the precision :math:`P` and the recall :math:`R` of the pixels at
    or above a threshold; :math:`\beta^2 = 0.3` favours precision, as is
    usual for salient objects. The threshold is chosen for each map.

    Raises
    ------
    ValueError
        If the shapes differ, a value is outside 0 to 1, a mask is empty or
        ``beta_squared`` is not positive.

    References
    ----------
    Achanta, Hemami, Estrada and Susstrunk, "Frequency-tuned salient region
    detection", CVPR 2009; they cut at twice the mean of a map and do not
    search the best threshold.
    """
    _same(saliency, masks)
    if not beta_squared > 0:
        raise ValueError(f"beta_squared must be positive, got {beta_squared}")
    best = []
    for values, inside in zip(
        at_least_float32(saliency).flatten(1), masks.flatten(1), strict=True
    ):
        levels, rank = values.unique(return_inverse=True)
        every = torch.ones_like(values)
        hits = values.new_zeros(levels.numel())
        marked = hits.index_add(0, rank, every).flip(0).cumsum(0)
        hits = hits.index_add(0, rank, inside.to(values)).flip(0).cumsum(0)
        best.append(
            ((1 + beta_squared) * hits)
            .div(beta_squared * inside.sum() + marked)
            .max()
        )
    return torch.stack(best)


def _same(saliency: Tensor, masks: Tensor) -> None:
    if saliency.shape != masks.shape or masks.ndim != 4:
        raise ValueError(
            "saliency and masks must both be (batch, 1, height, width), got "
            f"{tuple(saliency.shape)} and {tuple(masks.shape)}"
        )
    if masks.dtype != torch.bool or not masks.flatten(1).any(1).all():
        raise ValueError("masks must be boolean, each with a True")
    if not ((saliency >= 0) & (saliency <= 1)).all():
        raise ValueError("saliency must be between 0 and 1")
