"""Additive attention and additive pooling, written wrongly."""

from jaxtyping import Float
from torch import Tensor

from attncourse.attention import (
    AdditiveAttention,
    AdditivePooling2d,
    Attended,
)
from attncourse.attention.additive import weighted_sum


class ColumnSoftmaxPooling2d(AdditivePooling2d):
    """Wrong: the softmax runs over the height only (``dim=2``).

    Each column of the map sums to one and the whole map to its width, so no
    position can hold more than 1/width of the total. A score that favours one
    column over another has no effect. A widely copied snippet does this.
    """

    def forward(  # type: ignore[override]
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Pool with weights that are normalised column by column."""
        return self.attend(x).output

    def attend(  # type: ignore[override]
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the weights."""
        weights = self.scores(x).softmax(dim=2)
        pooled = weighted_sum(x, weights)
        return Attended(pooled, weights)


class MeanAfterSoftmaxPooling2d(AdditivePooling2d):
    """Wrong: the weighted positions are averaged instead of summed.

    The weights already sum to one; the mean divides by height x width once
    more, so the pooled vector shrinks as the image grows.
    """

    def forward(  # type: ignore[override]
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Pool by the mean of the weighted positions."""
        return self.attend(x).output

    def attend(  # type: ignore[override]
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the weights."""
        _, weights = super().attend(x)
        pooled = (x * weights).mean((2, 3))
        return Attended(pooled, weights)


class WithoutTanh(AdditiveAttention):
    """Wrong: the hidden layer has no tanh.

    The score falls apart into a query term and a key term; the query term
    cancels in the softmax, and every query gets the same weights.
    """

    def scores(
        self,
        query: Float[Tensor, "batch queries query_dim"],
        key: Float[Tensor, "batch keys key_dim"],
    ) -> Float[Tensor, "batch queries keys"]:
        """Score the sums of both projections."""
        queries, keys = self.query(query), self.key(key)
        return self.score(queries.unsqueeze(2) + keys.unsqueeze(1)).squeeze(-1)
