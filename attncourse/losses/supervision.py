"""Telling a map where to look: losses against an ground-truth mask.

The map may be coarser or finer than the mask, in any ratio: the target of
a position is the share of its area that the mask covers.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from attncourse.metrics.overlap import at_least_float32, check, coverage


def attention_kl(
    weights: Float[Tensor, "batch heads rows columns"],
    masks: Bool[Tensor, "batch 1 height width"],
) -> Float[Tensor, " batch"]:
    r"""Divergence of a map that sums to one from an even spread in the mask.

    .. math::

       D(t \,\|\, \alpha) = \sum_p t_p \log \frac{t_p}{\alpha_p},
       \qquad t_p = \frac{c_p}{\sum_q c_q}

    with :math:`c_p` the share of position :math:`p` that the mask covers. Zero
    where the map is spread over the mask evenly, and nowhere else. It is
    meant for weights behind a softmax; for gates, each on its own between
    zero and one, take :func:`attention_bce`.

    Parameters
    ----------
    weights
        Maps that each sum to one over rows and columns. Heads are averaged
        over. A weight of zero counts as the smallest normal number, so the
        loss is finite.
    masks
        Ground-truth masks, True inside.

    Returns
    -------
    Tensor
        One divergence for each sample, in nats. Take the mean of those
        whose ground-truth mask is known.

    Raises
    ------
    ValueError
        If the shapes do not belong together, a weight is negative or not
        finite, a map does not sum to one or a mask is empty.

    References
    ----------
    Liu, Mao, Sha and Yuille, "Attention Correctness in Neural Image
    Captioning", AAAI 2017 (supervised attention).
    """
    check(weights, masks)
    weights = at_least_float32(weights)
    total = weights.detach().sum((2, 3))
    uneven = ((total - 1).abs() > 0.01).nonzero()
    if len(uneven):
        sample, head = uneven[0].tolist()
        raise ValueError(
            f"weights must sum to one over rows and columns, got "
            f"{total[sample, head].item():.3g} in sample {sample}, head "
            f"{head}; for gates use attention_bce"
        )
    covered = coverage(weights, masks)
    target = covered / covered.sum((2, 3), keepdim=True)
    logs = weights.clamp_min(torch.finfo(weights.dtype).tiny).log()
    terms = F.kl_div(logs, target.expand_as(logs), reduction="none")
    return terms.sum((2, 3)).mean(1)


def attention_bce(
    weights: Float[Tensor, "batch heads rows columns"],
    masks: Bool[Tensor, "batch 1 height width"],
) -> Float[Tensor, " batch"]:
    r"""Cross-entropy of each gate of a map with the mask.

    .. math::

       -\frac{1}{N} \sum_p \bigl(c_p \log w_p
       + (1 - c_p) \log (1 - w_p)\bigr)

    with :math:`c_p` the share of position :math:`p` that the mask covers. It
    is meant for gates between zero and one, such as those of
    :class:`~attncourse.attention.SpatialGate`, and asks each to be open
    inside and closed outside. Weights behind a softmax cannot be: they
    share a total of one; take :func:`attention_kl`.

    Parameters
    ----------
    weights
        Gates. Heads are averaged over.
    masks
        Ground-truth masks, True inside.

    Returns
    -------
    Tensor
        One mean over the positions for each sample, in nats. Logarithms end
        at -100, so the loss is finite.

    Raises
    ------
    ValueError
        If the shapes do not belong together, a weight lies outside [0, 1]
        or a mask is empty.
    """
    check(weights, masks)
    if (weights > 1).any():
        raise ValueError(
            f"weights must not exceed one, got {weights.max().item():.3g}"
        )
    weights = at_least_float32(weights)
    covered = coverage(weights, masks).expand_as(weights)
    # Autocast refuses this loss, for half precision would spoil it.
    with torch.autocast(weights.device.type, enabled=False):
        terms = F.binary_cross_entropy(weights, covered, reduction="none")
    return terms.mean((1, 2, 3))
