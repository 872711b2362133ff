"""Losses for maps, hard examples, embeddings and image generators.

For two classes the focal loss is ``torchvision.ops.sigmoid_focal_loss``;
:func:`focal_loss` is the same for any number of them.
"""

from attncourse.losses.angular_margin import (
    AngularMarginLoss,
    angular_margin,
)
from attncourse.losses.focal import focal_loss
from attncourse.losses.hinge import discriminator_hinge, generator_hinge
from attncourse.losses.supervision import attention_bce, attention_kl
from attncourse.losses.triplet import (
    semi_hard_triplet_loss,
    semi_hard_triplets,
)

__all__ = [
    "AngularMarginLoss",
    "angular_margin",
    "attention_bce",
    "attention_kl",
    "discriminator_hinge",
    "focal_loss",
    "generator_hinge",
    "semi_hard_triplet_loss",
    "semi_hard_triplets",
]
