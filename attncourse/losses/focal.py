"""The focal loss: less weight for what is already known."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor


def focal_loss(
    logits: Float[Tensor, "batch classes"],
    labels: Int64[Tensor, " batch"],
    *,
    gamma: float = 2.0,
) -> Float[Tensor, ""]:
    r"""Cross-entropy in which easy samples count less.

    .. math:: L = (1 - p)^\gamma \, (-\log p), \qquad
              p = \operatorname{softmax}(z)_y = e^{-\mathrm{CE}}

    :math:`\gamma` tells hard samples from easy ones; to balance rare
    classes against frequent ones is the work of class weights. The argument
    of this function is a logit: applied to attention weights, as if they
    were cross-entropies, it drives the attention out of the region.

    Parameters
    ----------
    logits
        Scores before the softmax. With the two columns (0, z) this is
        ``torchvision.ops.sigmoid_focal_loss(z, labels, alpha=-1)``.
    labels
        The right classes.
    gamma
        Strength of the focus; 0 is the plain cross-entropy.

    Returns
    -------
    Mean over the batch.

    Raises
    ------
    ValueError
        If ``gamma`` is negative.

    References
    ----------
    Lin, Goyal, Girshick, He and Dollar, "Focal Loss for Dense Object
    Detection", ICCV 2017.
    """
    if gamma < 0:
        raise ValueError(f"gamma must not be negative, got {gamma}")
    entropies = F.cross_entropy(logits, labels, reduction="none")
    missed = -torch.expm1(-entropies)  # 1 - p, exact for a p close to one
    tiny = torch.finfo(missed.dtype).tiny  # finite slope for gamma below one
    return (missed.clamp_min(tiny).pow(gamma) * entropies).mean()
