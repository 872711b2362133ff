"""A face network, written wrongly."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from attncourse.models import FaceNetwork


class BatchByView(FaceNetwork):
    """Wrong: ``view(-1, features)`` takes the features for granted.

    What does not fit into one row becomes another row: images twice as
    large come back as four times as many people.
    """

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Tensor:
        """Embed rows of the expected length."""
        maps = self.features(images)
        rows = maps.reshape(-1, self.embed.in_features)
        return F.normalize(self.embed(rows), dim=1)
