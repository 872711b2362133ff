"""Wrong attention modules, each with what the checkup must say of it."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attncourse.bugs import (
    additive,
    branches,
    channel,
    dot_product,
    faces,
    losses,
    multihead,
    pairwise_maps,
)


class Attention(nn.Module):
    """Right: one head on tokens; the mistakes below change one step."""

    def __init__(self, dim: int = 64) -> None:
        super().__init__()
        self.qkv = nn.Linear(dim, 3 * dim)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(x).chunk(3, -1)
        return self.mix(self.weights(query @ key.mT), value)

    def weights(self, scores: Tensor) -> Tensor:
        return (scores / 8).softmax(-1)

    def mix(self, weights: Tensor, value: Tensor) -> Tensor:
        return weights @ value


class OverBatch(Attention):
    def weights(self, scores: Tensor) -> Tensor:
        return F.softmax(scores / 8, dim=0)


class OverQueries(Attention):
    def weights(self, scores: Tensor) -> Tensor:
        return nn.Softmax(dim=1)(scores / 8)


class ByHandOverQueries(Attention):
    def weights(self, scores: Tensor) -> Tensor:
        raised = torch.exp(scores / 8)
        return raised / raised.sum(1, keepdim=True)


class ByHandWithoutMaximum(Attention):
    def weights(self, scores: Tensor) -> Tensor:
        raised = torch.exp(scores / 8)
        return raised / raised.sum(-1, keepdim=True)


class Transposed(Attention):
    def mix(self, weights: Tensor, value: Tensor) -> Tensor:
        return weights.mT @ value


class Unscaled(Attention):
    def weights(self, scores: Tensor) -> Tensor:
        return scores.softmax(-1)


class TwiceSoftmax(Attention):
    def weights(self, scores: Tensor) -> Tensor:
        return (scores / 8).softmax(-1).softmax(-1)


class BatchFirstForgotten(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(64, 4)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.attention(x, x, x)[0]
        return output


class HeadsOfOneBatch(nn.Module):
    """Queries are repeated per head, keys interleaved."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(64, 16)
        self.key = nn.Linear(64, 64)

    def forward(self, x: Tensor) -> Tensor:
        batch, count, _ = x.shape
        query = self.query(x).repeat(4, 1, 1)  # wrong: repeat_interleave
        key = self.key(x).view(batch, count, 4, 16).transpose(1, 2)
        key = key.reshape(batch * 4, count, 16)
        weights = (query @ key.mT / 4).softmax(-1)
        return (weights @ key).view(batch, 4, count, 16).sum(1)


class PoolOverOne(nn.Module):
    """The softmax runs over the single channel of the scores."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        weights = self.score(x).softmax(-1)
        return (x * weights).sum(1)


class SpatialSoftmaxGate(nn.Module):
    """A spatial gate whose softmax runs over the width alone."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Conv2d(64, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.score(x).softmax(3)


class MapOverBatchView(nn.Module):
    """`view(-1, n)` with the size of one input in mind."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(64, 8, 1)
        self.head = nn.Linear(8 * 14 * 14, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).view(-1, 8 * 14 * 14))


class FixedSize(nn.Module):
    """14 x 14 is written into the code."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = Attention()

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.mix(x.flatten(2).mT)
        return tokens.mT.reshape(-1, 64, 14, 14)


class FixedBatch(Attention):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.reshape(3, -1, 64))


class InPlace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(64)
        self.attention = Attention()

    def forward(self, x: Tensor) -> Tensor:
        x += self.attention(self.norm(x))
        return x


class Masked(Attention):
    """Right: True may be attended."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        query, key, value = self.qkv(x).chunk(3, -1)
        scores = query @ key.mT / 8
        if mask is None:
            return scores.softmax(-1) @ value
        return self.masked(scores, mask) @ value

    def masked(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.masked_fill(~mask, -torch.inf).softmax(-1)


class Inverted(Masked):
    def masked(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.masked_fill(mask, -torch.inf).softmax(-1)


class MaskedAfter(Masked):
    def masked(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.softmax(-1) * mask


class MaskedByZero(Masked):
    """Zero is a score like any other."""

    def masked(self, scores: Tensor, mask: Tensor) -> Tensor:
        return (scores * mask).softmax(-1)


class MaskIgnored(Masked):
    def masked(self, scores: Tensor, mask: Tensor) -> Tensor:
        scores.masked_fill(~mask, -torch.inf)
        return scores.softmax(-1)


class FillTooLarge(Masked):
    """-9e15 does not fit into 16 bits."""

    def masked(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.masked_fill(~mask, -9e15).softmax(-1)


class DetachedScores(Attention):
    def weights(self, scores: Tensor) -> Tensor:
        return super().weights(scores.detach())


class DetachedLoss(nn.Module):
    def forward(self, task: Tensor, auxiliary: Tensor) -> Tensor:
        return losses.detached_term(
            task.square().mean(), auxiliary.square().mean()
        )


class NumpyLoss(nn.Module):
    """No gradient at all."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tensor(float(x.square().mean()))


class UnusedBranch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(64, 1, 1)
        self.two = nn.Conv2d(64, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        one, two = self.one(x), self.two(x)  # noqa: F841
        return x * torch.sigmoid(one + one)


class DropoutLeftOn(Attention):
    def weights(self, scores: Tensor) -> Tensor:
        return F.dropout(super().weights(scores), 0.5)


class WidthAsHeight(nn.Module):
    """Height and width change positions; a square map does not tell."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = Attention()

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        tokens = self.mix(x.flatten(2).mT)
        return tokens.mT.reshape(batch, channels, width, height)


TOKENS, MAP = (3, 10, 64), (2, 64, 14, 14)
Wrong = tuple[Callable[[], Any], tuple[tuple[int, ...], ...], str, str, str]

WRONG: dict[str, Wrong] = {
    "over the batch": (
        OverBatch, (TOKENS,), "error", "normalisation", "one softmax",
    ),
    "over the queries": (
        OverQueries, (TOKENS,), "error", "normalisation", "other axis",
    ),
    "by hand over the queries": (
        ByHandOverQueries, (TOKENS,), "error", "normalisation", "other axis",
    ),
    "by hand without the maximum": (
        ByHandWithoutMaximum, (TOKENS,), "error", "precision", "inf or NaN",
    ),
    "weights transposed": (
        Transposed, (TOKENS,), "error", "normalisation", "other axis",
    ),
    "no scale": (Unscaled, (TOKENS,), "error", "scale", "of 64 numbers"),
    "two softmaxes": (
        TwiceSoftmax, (TOKENS,), "warning", "normalisation", "made already",
    ),
    "batch_first forgotten": (
        BatchFirstForgotten, (TOKENS,), "error", "batch", "other samples",
    ),
    "repeat for repeat_interleave": (
        HeadsOfOneBatch, (TOKENS,), "error", "batch", "other samples",
    ),
    "length-one axis": (
        PoolOverOne, (TOKENS,), "error", "normalisation", "length one",
    ),
    "one spatial axis of a gate": (
        SpatialSoftmaxGate, (MAP,), "error", "normalisation", "(width)",
    ),
    "view(-1, n)": (
        MapOverBatchView, (MAP,), "error", "sizes", "samples come back",
    ),
    "fixed size": (FixedSize, (MAP,), "error", "sizes", "height 28"),
    "fixed batch": (FixedBatch, (TOKENS,), "error", "sizes", "a batch of"),
    "in place": (InPlace, (TOKENS,), "error", "side effects", "its input"),
    "mask inverted": (Inverted, (TOKENS,), "error", "mask", "is hidden"),
    "mask after the softmax": (
        MaskedAfter, (TOKENS,), "error", "mask", "visible output",
    ),
    "mask of zeros": (MaskedByZero, (TOKENS,), "error", "mask", "visible"),
    "mask ignored": (MaskIgnored, (TOKENS,), "error", "mask", "no effect"),
    "fill too large for 16 bits": (
        FillTooLarge, (TOKENS,), "warning", "precision", "float16 with a mask",
    ),
    "scores detached": (
        DetachedScores, (TOKENS,), "warning", "gradients", "qkv.weight is",
    ),
    "auxiliary loss detached": (
        DetachedLoss, (TOKENS, TOKENS), "error", "gradients", "input 1",
    ),
    "loss detached": (
        NumpyLoss, (TOKENS,), "error", "gradients", "neither",
    ),
    "branch not used": (
        UnusedBranch, (MAP,), "warning", "gradients", "two.weight",
    ),
    "dropout in eval mode": (
        DropoutLeftOn, (TOKENS,), "warning", "side effects", "eval mode",
    ),
    "width for height": (
        WidthAsHeight, (MAP,), "error", "sizes", "comes back",
    ),
    "exhibit ColumnSoftmaxPooling2d": (
        lambda: additive.ColumnSoftmaxPooling2d(64, 16),
        (MAP,), "error", "normalisation", "instead of 1",
    ),
    "exhibit MeanAfterSoftmaxPooling2d": (
        lambda: additive.MeanAfterSoftmaxPooling2d(64, 16),
        (MAP,), "error", "normalisation", "a mean over 196 positions",
    ),
    "exhibit SoftmaxOverChannels": (
        lambda: branches.SoftmaxOverChannels(64),
        (MAP,), "error", "normalisation", "",
    ),
    "exhibit SoftmaxOverPositions": (
        lambda: branches.SoftmaxOverPositions(64),
        (MAP,), "error", "normalisation", "",
    ),
    "exhibit EmptyBottleneck": (
        lambda: channel.EmptyBottleneck(8),
        ((2, 8, 5, 7),), "error", "parameters", "reduce.weight (0, 8)",
    ),
    "exhibit FilterOverBatch": (
        lambda: channel.FilterOverBatch(64),
        (MAP,), "error", "batch", "other samples",
    ),
    "exhibit without_scale": (
        lambda: dot_product.without_scale,
        (TOKENS, TOKENS, TOKENS), "error", "scale", "of 64 numbers",
    ),
    "exhibit softmax_over_queries": (
        lambda: dot_product.softmax_over_queries,
        (TOKENS, TOKENS, TOKENS), "error", "normalisation", "other axis",
    ),
    "exhibit inverted_mask": (
        lambda: dot_product.inverted_mask,
        (TOKENS, TOKENS, TOKENS), "error", "mask", "is hidden",
    ),
    "exhibit HeadsByView": (
        lambda: multihead.HeadsByView(64, 4),
        ((3, 12, 64),), "error", "order", "1 of 4 heads",
    ),
    "exhibit BatchAsTokens": (
        lambda: multihead.BatchAsTokens(64, 4),
        (TOKENS,), "error", "batch", "other samples",
    ),
    "exhibit ScaledByFullWidth": (
        lambda: multihead.ScaledByFullWidth(64, 4),
        (TOKENS,), "note", "scale", "smaller than usual",
    ),
    "exhibit SoftmaxOverQueries2d": (
        lambda: pairwise_maps.SoftmaxOverQueries2d(64),
        (MAP,), "error", "normalisation", "other axis",
    ),
    "exhibit ScoresAsWeights2d": (
        lambda: pairwise_maps.ScoresAsWeights2d(64),
        (MAP,), "warning", "normalisation", "without a softmax",
    ),
    "exhibit WithoutTranspose2d": (
        lambda: pairwise_maps.WithoutTranspose2d(64),
        (MAP,), "error", "normalisation", "other axis",
    ),
    "exhibit BatchByView": (
        lambda: faces.BatchByView(5),
        ((2, 3, 32, 32),), "error", "sizes", "samples come back",
    ),
}  # fmt: skip


def case(name: str) -> tuple[Any, tuple[Tensor, ...]]:
    """The module and random inputs."""
    torch.manual_seed(0)
    build, shapes, *_ = WRONG[name]
    return build(), tuple(torch.randn(*shape) for shape in shapes)
