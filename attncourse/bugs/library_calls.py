"""Torch's own functions, called wrongly."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attncourse.attention import MultiHeadAttention


class BatchFirstForgotten(nn.Module):
    """Wrong: nn.MultiheadAttention takes the first axis for the tokens.

    Without ``batch_first=True`` the tokens of one position in all samples
    attend to each other, and those of one sample never meet.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, heads)

    def forward(
        self, x: Float[Tensor, "batch tokens dim"]
    ) -> Float[Tensor, "batch tokens dim"]:
        """Attend across the batch."""
        output: Tensor = self.attention(x, x, x, need_weights=False)[0]
        return output


class RepeatedMask(nn.Module):
    """Wrong: the masks come as 0, 1, 0, 1 and the heads as 0, 0, 1, 1.

    nn.MultiheadAttention wants one mask for every head, those of a sample
    side by side: ``repeat_interleave``. ``repeat`` gives a head the mask of
    another sample.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)

    def forward(
        self,
        x: Float[Tensor, "batch tokens dim"],
        mask: Bool[Tensor, "batch queries keys"],
    ) -> Float[Tensor, "batch tokens dim"]:
        """Attend where some sample may; True in the mask = may attend."""
        each = (~mask).repeat(self.heads, 1, 1)
        output: Tensor = self.attention(
            x, x, x, attn_mask=each, need_weights=False
        )[0]
        return output


class HeadsJoinedByView(MultiHeadAttention):
    """Wrong: the heads are joined without a transpose.

    Row i of the result holds the first heads' vectors of other tokens.
    """

    def _merge(
        self, heads: Float[Tensor, "batch heads tokens head_dim"]
    ) -> Float[Tensor, "batch tokens dim"]:
        batch, _, tokens, _ = heads.shape
        joined: Tensor = self.output(heads.reshape(batch, tokens, -1))
        return joined


class DropoutInEvaluation(MultiHeadAttention):
    """Wrong: the functional form does not know about ``eval()``."""

    def forward(self, query: Tensor) -> Tensor:  # type: ignore[override]
        """Drop weights in training and afterwards."""
        heads = F.scaled_dot_product_attention(
            self._split(self.query(query)),
            self._split(self.key(query)),
            self._split(self.value(query)),
            dropout_p=0.5,
        )
        return self._merge(heads)


class WeightsAfterDropout(nn.Module):
    """Wrong: the weights that are returned went through the dropout.

    In training their rows do not sum to one, and a third of a map may be
    missing by chance.
    """

    def __init__(self, rate: float = 0.3) -> None:
        super().__init__()
        self.dropout = nn.Dropout(rate)

    def forward(
        self,
        query: Float[Tensor, "batch queries dim"],
        key: Float[Tensor, "batch keys dim"],
        value: Float[Tensor, "batch keys dim"],
    ) -> tuple[Tensor, Tensor]:
        """Attend and return what is left of the weights."""
        scores = query @ key.mT / query.shape[-1] ** 0.5
        weights = self.dropout(scores.softmax(-1))
        return weights @ value, weights


class MixedCorners(nn.Module):
    """Wrong: the grid has its corners at pixel centres, the reader not.

    ``align_corners`` differs between the two functions, so the identity
    zooms in a little.
    """

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        theta: Float[Tensor, "batch 2 3"],
    ) -> Float[Tensor, "batch channels height width"]:
        """Read a map along a grid of other coordinates."""
        grid = F.affine_grid(theta, list(x.shape), align_corners=True)
        return F.grid_sample(x, grid, align_corners=False)


def rollout_step(
    weights: Float[Tensor, "batch tokens tokens"],
) -> Float[Tensor, "batch tokens tokens"]:
    """Wrong: the row sums lose their axis, so columns are divided by them.

    ``sum(-1)`` has the shape (batch, tokens) and lines up with the last
    axis; with two samples it fits only by chance.
    """
    kept = weights.where(weights >= weights.median(), 0)
    mixed = kept + torch.eye(weights.shape[-1], dtype=weights.dtype)
    return mixed / mixed.sum(-1)
