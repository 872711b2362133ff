"""One head of attention on tokens, and mistakes in one step of it."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class SingleHead(nn.Module):
    """Right: the exhibits below replace one of its steps."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, 3 * dim)

    def forward(
        self,
        x: Float[Tensor, "batch tokens dim"],
        mask: Bool[Tensor, "batch queries keys"] | None = None,
    ) -> Float[Tensor, "batch tokens dim"]:
        """Attend; True in the mask may be attended."""
        query, key, value = self.project(x).chunk(3, dim=-1)
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if mask is not None:
            scores = self.hide(scores, mask)
        mixed: Tensor = self.weights(scores) @ value
        return mixed

    def hide(
        self,
        scores: Float[Tensor, "batch queries keys"],
        mask: Bool[Tensor, "batch queries keys"],
    ) -> Float[Tensor, "batch queries keys"]:
        """Right: what is hidden gets the weight zero."""
        return scores.masked_fill(~mask, torch.finfo(scores.dtype).min)

    def weights(
        self, scores: Float[Tensor, "batch queries keys"]
    ) -> Float[Tensor, "batch queries keys"]:
        """Right: each row of scores becomes shares."""
        return scores.softmax(-1)


class SoftmaxOverQueries(SingleHead):
    """Wrong: the softmax runs over the queries, so columns sum to one."""

    def weights(
        self, scores: Float[Tensor, "batch queries keys"]
    ) -> Float[Tensor, "batch queries keys"]:
        """Share out each key among the queries."""
        return scores.softmax(dim=1)


class SoftmaxOverSamples(SingleHead):
    """Wrong: scores are flattened, and the softmax runs over all rows.

    The rows are the queries of all samples. With one query and one sample
    every weight is 1; otherwise samples compete with each other.
    """

    def weights(
        self, scores: Float[Tensor, "batch queries keys"]
    ) -> Float[Tensor, "batch queries keys"]:
        """Share out each key among the queries of the whole batch."""
        rows = scores.flatten(0, 1)
        return rows.softmax(dim=0).view_as(scores)


class ScaledTooLate(SingleHead):
    """Wrong: the softmax comes first and the scale afterwards.

    The scores stay large, so the softmax is hard, and the shares sum to
    one over the root of the width instead of one.
    """

    def forward(  # type: ignore[override]
        self, x: Float[Tensor, "batch tokens dim"]
    ) -> Float[Tensor, "batch tokens dim"]:
        """Scale the weights instead of the scores."""
        query, key, value = self.project(x).chunk(3, dim=-1)
        weights = (query @ key.mT).softmax(-1)
        mixed: Tensor = weights * query.shape[-1] ** -0.5 @ value
        return mixed


class Unscaled(SingleHead):
    """Wrong: the scores are not divided by the root of the width."""

    def forward(  # type: ignore[override]
        self, x: Float[Tensor, "batch tokens dim"]
    ) -> Float[Tensor, "batch tokens dim"]:
        """Attend with scores that grow with the width."""
        query, key, value = self.project(x).chunk(3, dim=-1)
        mixed: Tensor = (query @ key.mT).softmax(-1) @ value
        return mixed


class InvertedMask(SingleHead):
    """Wrong: what may be attended is hidden, and the rest attended."""

    def hide(
        self,
        scores: Float[Tensor, "batch queries keys"],
        mask: Bool[Tensor, "batch queries keys"],
    ) -> Float[Tensor, "batch queries keys"]:
        """Fill where the mask is True."""
        return scores.masked_fill(mask, torch.finfo(scores.dtype).min)


class ForgottenMask(SingleHead):
    """Wrong: ``masked_fill`` returns a new tensor, which is dropped."""

    def hide(
        self,
        scores: Float[Tensor, "batch queries keys"],
        mask: Bool[Tensor, "batch queries keys"],
    ) -> Float[Tensor, "batch queries keys"]:
        """Hide nothing."""
        scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        return scores


class HugeFill(SingleHead):
    """Wrong: -1e9 is no number in float16."""

    def hide(
        self,
        scores: Float[Tensor, "batch queries keys"],
        mask: Bool[Tensor, "batch queries keys"],
    ) -> Float[Tensor, "batch queries keys"]:
        """Fill with a constant that was chosen for float32."""
        return scores.masked_fill(~mask, -1e9)


class EmptyRow(SingleHead):
    """Wrong: a query that may attend nothing becomes NaN."""

    def hide(
        self,
        scores: Float[Tensor, "batch queries keys"],
        mask: Bool[Tensor, "batch queries keys"],
    ) -> Float[Tensor, "batch queries keys"]:
        """Fill with minus infinity, and trust that something is left."""
        return scores.masked_fill(~mask, -torch.inf)


class OneNumberSoftmax(nn.Module):
    """Wrong: the last axis of the scores has length one.

    A softmax of one number is 1. The pooled vector is the plain sum of the
    tokens, and the scores are never trained.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.score = nn.Linear(dim, 1)

    def forward(
        self, x: Float[Tensor, "batch tokens dim"]
    ) -> Float[Tensor, "batch dim"]:
        """Pool the tokens by weights that are all 1."""
        weights: Tensor = self.score(x).softmax(dim=-1)
        return (x * weights).sum(1)


class PositionsOfTheBatch(SingleHead):
    """Wrong: the positions run along the batch, not along the tokens.

    All tokens of a sample get the same position, and samples get different
    ones.
    """

    def __init__(self, dim: int, length: int = 100) -> None:
        super().__init__(dim)
        self.position = nn.Embedding(length, dim)

    def forward(
        self,
        x: Float[Tensor, "batch tokens dim"],
        mask: Bool[Tensor, "batch queries keys"] | None = None,
    ) -> Float[Tensor, "batch tokens dim"]:
        """Number the samples and attend."""
        positions = torch.arange(x.shape[0], device=x.device)
        return super().forward(x + self.position(positions)[:, None], mask)


class OnePositionForAll(SingleHead):
    """Wrong: one position is taken from the table instead of a range.

    ``table[:, n]`` lacks a colon: all n tokens get the position n.
    """

    def __init__(self, dim: int, length: int = 100) -> None:
        super().__init__(dim)
        self.position_table = nn.Parameter(torch.randn(1, length, dim))

    def forward(
        self,
        x: Float[Tensor, "batch tokens dim"],
        mask: Bool[Tensor, "batch queries keys"] | None = None,
    ) -> Float[Tensor, "batch tokens dim"]:
        """Add one position to all tokens and attend."""
        return super().forward(x + self.position_table[:, x.shape[1]], mask)


class KeysInRows(SingleHead):
    """Right: the scores are transposed, and so is all that follows."""

    def forward(  # type: ignore[override]
        self, x: Float[Tensor, "batch tokens dim"]
    ) -> Float[Tensor, "batch tokens dim"]:
        """Attend with a column for each query."""
        query, key, value = self.project(x).chunk(3, dim=-1)
        scores = key @ query.mT / query.shape[-1] ** 0.5
        mixed: Tensor = scores.softmax(dim=1).mT @ value
        return mixed


class FilledByWhere(SingleHead):
    """Right: where the mask is False, the score becomes very small."""

    def hide(
        self,
        scores: Float[Tensor, "batch queries keys"],
        mask: Bool[Tensor, "batch queries keys"],
    ) -> Float[Tensor, "batch queries keys"]:
        """Take the scores where the mask is True."""
        smallest = torch.finfo(scores.dtype).min
        return torch.where(mask, scores, smallest)
