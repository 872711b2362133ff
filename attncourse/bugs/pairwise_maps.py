"""Self-attention on maps, written wrongly in five ways."""

from jaxtyping import Float
from torch import Tensor

from attncourse.attention import Attended, SelfAttention2d


class _Explicit(SelfAttention2d):
    """Self-attention with its scores and its mixing spelled out."""

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Run the layer on the parts that the exhibits replace."""
        return self.attend(x).output

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the weights."""
        query, key, value = (
            part.flatten(2)  # (batch, width, positions)
            for part in self.project(x).split(self.widths, dim=1)
        )
        weights = self.weights(query.mT @ key)
        output = self._add(x, self.mix(weights, value).mT.unsqueeze(1))
        return Attended(output, weights.unsqueeze(1))

    def weights(
        self, scores: Float[Tensor, "batch positions positions"]
    ) -> Float[Tensor, "batch positions positions"]:
        """Right: each row of scores becomes shares."""
        return scores.softmax(-1)

    def mix(
        self,
        weights: Float[Tensor, "batch positions positions"],
        value: Float[Tensor, "batch channels positions"],
    ) -> Float[Tensor, "batch channels positions"]:
        """Right: row i of the weights mixes the values for position i."""
        return value @ weights.mT


class SoftmaxOverQueries2d(_Explicit):
    """Wrong: the softmax runs over the queries, so columns sum to one."""

    def weights(
        self, scores: Float[Tensor, "batch positions positions"]
    ) -> Float[Tensor, "batch positions positions"]:
        """Share out each key among the queries."""
        return scores.softmax(-2)


class ScoresAsWeights2d(_Explicit):
    """Wrong: the scores are used as weights, without a softmax.

    They are neither positive nor do they sum to one, and what they gather
    grows with the number of positions.
    """

    def weights(
        self, scores: Float[Tensor, "batch positions positions"]
    ) -> Float[Tensor, "batch positions positions"]:
        """Leave the scores as they are."""
        return scores


class WithoutTranspose2d(_Explicit):
    """Wrong: the weights are not transposed before they mix the values.

    Position i gathers with the weights that others give to it.
    """

    def mix(
        self,
        weights: Float[Tensor, "batch positions positions"],
        value: Float[Tensor, "batch channels positions"],
    ) -> Float[Tensor, "batch channels positions"]:
        """Multiply from the wrong side."""
        return value @ weights


class WithoutShortcut2d(_Explicit):
    """Wrong: the map itself is not added, so gamma = 0 deletes it."""

    def _add(
        self,
        x: Float[Tensor, "batch channels height width"],
        tokens: Float[Tensor, "batch 1 positions channels"],
    ) -> Float[Tensor, "batch channels height width"]:
        return super()._add(x, tokens) - x


class FeaturesTimesWeights2d(_Explicit):
    """Wrong: every position is multiplied by how much the others look at it.

    That is a gate. It can make a position louder, but brings nothing from one
    position to another, which is what the layer is for.
    """

    def mix(
        self,
        weights: Float[Tensor, "batch positions positions"],
        value: Float[Tensor, "batch channels positions"],
    ) -> Float[Tensor, "batch channels positions"]:
        """Gate each position."""
        return value * weights.mean(1, keepdim=True)
