"""Additive attention and additive pooling, written wrongly."""

from jaxtyping import Float
from torch import Tensor

from attncourse.attention import AdditiveAttention, AdditivePooling2d
from attncourse.attention.additive import weighted_sum


class ColumnSoftmaxPooling2d(AdditivePooling2d):
    """Wrong: the softmax runs over the height only (``dim=2``).

    Each column of the map sums to one and the whole map to its width, so no
    place can hold more than 1/width of the total. A score that favours one
    column over another has no effect. A widely copied snippet does this.
    """

    def forward(  # type: ignore[override]
        self,
        x: Float[Tensor, "batch channels height width"],
        *,
        return_weights: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Pool with weights that are normalised column by column."""
        weights = self.scores(x).softmax(dim=2)
        pooled = weighted_sum(x, weights)
        return (pooled, weights) if return_weights else pooled


class MeanAfterSoftmaxPooling2d(AdditivePooling2d):
    """Wrong: the weighted places are averaged instead of summed.

    The weights already sum to one; the mean divides by height x width once
    more, so the pooled vector shrinks as the image grows.
    """

    def forward(  # type: ignore[override]
        self,
        x: Float[Tensor, "batch channels height width"],
        *,
        return_weights: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Pool by the mean of the weighted places."""
        _, weights = super().forward(x, return_weights=True)
        pooled = (x * weights).mean((2, 3))
        return (pooled, weights) if return_weights else pooled


class WithoutTanh(AdditiveAttention):
    """Wrong: the hidden layer has no tanh.

    The score falls apart into a query term and a key term; the query term
    cancels in the softmax, and every query gets the same weights.
    """

    def _scores(
        self,
        query: Float[Tensor, "batch queries hidden"],
        key: Float[Tensor, "batch keys hidden"],
    ) -> Float[Tensor, "batch queries keys"]:
        scores: Tensor = self.score(query.unsqueeze(2) + key.unsqueeze(1))
        return scores.squeeze(-1)
