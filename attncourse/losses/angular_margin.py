"""Additive angular margin: classes on a sphere, with a gap between them."""

from math import cos, pi, sin

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn


def angular_margin(
    cosines: Float[Tensor, "batch classes"],
    labels: Int64[Tensor, " batch"],
    *,
    margin: float = 0.5,
) -> Float[Tensor, "batch classes"]:
    r"""Turn each embedding away from its own class by ``margin``.

    .. math::

       \cos\theta_y \;\mapsto\; \begin{cases}
       \cos(\theta_y + m) & \theta_y \le \pi - m \\
       \cos\theta_y - m \sin m & \text{otherwise}
       \end{cases}

    The other cosines stay. Beyond :math:`\pi - m` the cosine of the sum
    would rise again and reward the worst embeddings; the second line falls
    on to the end. No arc cosine is taken, since its slope is infinite where
    :math:`\cos\theta = \pm 1`; the gradient is finite there.

    Parameters
    ----------
    cosines
        Between embeddings and class centres.
    labels
        The right classes.
    margin
        Angle m in radians.

    Returns
    -------
    Cosines with the margin, in at least float32.

    Raises
    ------
    ValueError
        If ``margin`` is negative or above a right angle, or a label is no
        column of ``cosines``.

    References
    ----------
    Deng, Guo, Xue and Zafeiriou, "ArcFace: Additive Angular Margin Loss for
    Deep Face Recognition", CVPR 2019.
    """
    if not 0 <= margin <= pi / 2:
        raise ValueError(f"margin must lie between 0 and pi / 2, got {margin}")
    classes = cosines.shape[1]
    if ((labels < 0) | (labels >= classes)).any():
        raise ValueError(
            f"labels must lie between 0 and {classes - 1}, got "
            f"{labels.min().item()} to {labels.max().item()}"
        )
    cosines = cosines.to(torch.promote_types(cosines.dtype, torch.float32))
    own = cosines.gather(1, labels[:, None])
    turned = own * cos(margin) - _sine(own) * sin(margin)
    guarded = torch.where(
        own >= -cos(margin), turned, own - margin * sin(margin)
    )
    return cosines.scatter(1, labels[:, None], guarded)


class AngularMarginLoss(nn.Module):
    r"""Cross-entropy of a classifier that must be right by an angle.

    .. math::

       L = -\log \frac{e^{s \cos(\theta_y + m)}}{e^{s \cos(\theta_y + m)}
           + \sum_{j \ne y} e^{s \cos\theta_j}}

    :math:`\theta_j` is the angle between the embedding and the centre of
    class j; their lengths do not count. The centres serve training alone:
    people who are not among the classes are compared by their embeddings.

    Parameters
    ----------
    dim
        Width of the embeddings.
    classes
        Number of classes in training.
    scale
        Factor s: cosines end at one, too little for a sharp softmax.
    margin
        Angle m in radians, see :func:`angular_margin`.

    Raises
    ------
    ValueError
        If ``dim`` or ``classes`` is below one or ``scale`` not positive.

    Notes
    -----
    dim x classes weights, which start Xavier-normal.

    References
    ----------
    Deng, Guo, Xue and Zafeiriou, "ArcFace: Additive Angular Margin Loss for
    Deep Face Recognition", CVPR 2019.
    """

    def __init__(
        self,
        dim: int,
        classes: int,
        *,
        scale: float = 64.0,
        margin: float = 0.5,
    ) -> None:
        super().__init__()
        sizes = {"dim": dim, "classes": classes}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        if scale <= 0:
            raise ValueError(f"scale must be positive, got {scale}")
        self.centres = nn.Parameter(torch.empty(classes, dim))
        nn.init.xavier_normal_(self.centres)
        self.scale = scale
        self.margin = margin

    def forward(
        self,
        embeddings: Float[Tensor, "batch dim"],
        labels: Int64[Tensor, " batch"],
    ) -> Float[Tensor, ""]:
        """Mean loss of the batch."""
        with_margin = angular_margin(
            self.cosines(embeddings), labels, margin=self.margin
        )
        return F.cross_entropy(self.scale * with_margin, labels)

    def cosines(
        self, embeddings: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, "batch classes"]:
        """Cosines between the embeddings and the class centres."""
        # Times the scale, the digits that half precision drops would count.
        with torch.autocast(embeddings.device.type, enabled=False):
            return F.linear(
                F.normalize(embeddings.to(self.centres.dtype), dim=1),
                F.normalize(self.centres, dim=1),
            )


def _sine(cosine: Tensor) -> Tensor:
    """Root of 1 - cosine², with slope zero where that root has none."""
    inside = cosine.abs() < 1
    square = torch.where(inside, (1 - cosine) * (1 + cosine), 1)
    return torch.where(inside, square.sqrt(), 0)
