"""What is raced against what, with equal work and equal shapes.

Each entry names a mechanism, the peer it is held against, and the goal: the
ratio of the times, ours over the peer's, that a measured version has
reached. timm comes with the ``dev`` extra.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attncourse import attention
from attncourse.attention.sampling import affine_sample

Build = Callable[[], nn.Module]
Inputs = Callable[[], tuple[Tensor, ...]]


@dataclass(frozen=True)
class Match:
    """One mechanism, the peer it is held against, and what both are fed.

    ``forward`` and ``training`` are the goals for the ratio of the times;
    ``memory`` the goal for the peak in MiB. None: no goal.
    """

    mechanism: str
    peer: str
    ours: Build
    theirs: Build
    inputs: Inputs
    size: str
    forward: float | None = None
    training: float | None = None
    memory: float | None = None
    channels_last: bool = False
    compiled: bool = False


class Function(nn.Module):
    """A function as a module, so that it can be measured like one."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        """Call it."""
        return self.function(*inputs)


class WithWeights(nn.Module):
    """``nn.MultiheadAttention`` as it is mostly used: with its weights.

    In evaluation torch takes another path of its own, which it calls fast.
    """

    def __init__(
        self, dim: int, heads: int, *, fast_path: bool = False
    ) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.fast_path = fast_path

    def forward(self, x: Tensor) -> Tensor:
        """Attend, and throw the weights away."""
        self.attention.train(self.training or not self.fast_path)
        output: Tensor = self.attention(x, x, x, need_weights=True)[0]
        return output


class BroadcastAdditive(attention.AdditiveAttention):
    """Additive scores from one broadcast over all pairs."""

    def _scores(self, query: Tensor, key: Tensor) -> Tensor:
        pairs = torch.tanh(query.unsqueeze(2) + key.unsqueeze(1))
        scores: Tensor = self.score(pairs)
        return scores.squeeze(-1)


class NaiveSAGAN(nn.Module):
    """Self-attention on a map as it is usually printed."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 8, 1)
        self.key = nn.Conv2d(channels, channels // 8, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Attend with the weights of all pairs in memory."""
        query = self.query(x).flatten(2).transpose(1, 2)
        weights = (query @ self.key(x).flatten(2)).softmax(-1)
        mixed = self.value(x).flatten(2) @ weights.transpose(1, 2)
        output: Tensor = x + self.gamma * mixed.view_as(x)
        return output


class GridSample(nn.Module):
    """torch's own two functions, and nothing around them."""

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        """Sample."""
        grid = F.affine_grid(theta, list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, align_corners=False)


class SlicedGlimpse(nn.Module):
    """Glimpses cut out sample by sample, as in common RAM code."""

    def __init__(self, patch: int, scales: int) -> None:
        super().__init__()
        self.patch = patch
        self.scales = scales

    def forward(self, x: Tensor, centre: Tensor) -> Tensor:
        """Cut."""
        patches = []
        for scale in range(self.scales):
            side = self.patch * 2**scale
            padded = F.pad(x, [side // 2] * 4)
            corner = ((centre + 1) / 2 * x.shape[-1]).long()
            crops = [
                padded[i, :, v : v + side, u : u + side]
                for i, (u, v) in enumerate(corner.tolist())
            ]
            patches.append(F.avg_pool2d(torch.stack(crops), 2**scale))
        return torch.cat(patches, 1)


class Glimpse(nn.Module):
    """The glimpse reader of the course as a module."""

    def __init__(self, patch: int, scales: int) -> None:
        super().__init__()
        self.reader = attention.GlimpseReader(patch, scales)

    def forward(self, x: Tensor, centre: Tensor) -> Tensor:
        """Read."""
        return self.reader.read(x, centre)


class FineOnly(attention.DynamicCapacity):
    """The fine network of dynamic capacity at every position."""

    def forward(self, x: Tensor) -> Tensor:
        """Classify."""
        return self.top(self.fine_map(x))


def matches() -> list[Match]:
    """All matches; needs timm."""
    from timm.layers.cbam import CbamModule
    from timm.layers.eca import EcaModule
    from timm.layers.non_local_attn import NonLocalAttn
    from timm.layers.selective_kernel import SelectiveKernel
    from timm.layers.squeeze_excite import SEModule

    feature_map = partial(torch.randn, 32, 256, 28, 28)
    squeeze = Match(
        "SqueezeExcitation",
        "timm SEModule",
        partial(attention.SqueezeExcitation, 256, 16),
        partial(SEModule, 256, rd_channels=16),
        lambda: (feature_map(),),
        "32 x 256 x 28 x 28",
        forward=0.75,
        training=1.0,
    )
    cbam = replace(
        squeeze,
        mechanism="CBAM",
        peer="timm CbamModule",
        ours=partial(attention.CBAM, 256, 16),
        theirs=partial(CbamModule, 256, rd_channels=16),
        forward=0.95,
        training=0.70,
    )
    kernel = replace(
        squeeze,
        mechanism="SelectiveKernel",
        peer="timm SelectiveKernel, 32 groups",
        ours=partial(attention.SelectiveKernel, 256, groups=32),
        theirs=partial(
            SelectiveKernel, 256, 256, groups=32, split_input=False
        ),
        forward=0.9,
        training=0.9,
    )
    non_local = replace(
        squeeze,
        mechanism="NonLocal2d",
        peer="timm NonLocalAttn",
        ours=partial(attention.NonLocal2d, 256, 8),
        theirs=partial(NonLocalAttn, 256, rd_ratio=1 / 8),
        forward=0.45,
        training=0.55,
        memory=80.0,
    )
    channel = replace(
        squeeze,
        mechanism="EfficientChannelAttention",
        peer="timm EcaModule",
        ours=partial(attention.EfficientChannelAttention, 256),
        theirs=partial(EcaModule, 256),
        forward=None,
        training=None,
    )
    multihead = Match(
        "MultiHeadAttention",
        "nn.MultiheadAttention with weights",
        partial(attention.MultiHeadAttention, 512, 8),
        partial(WithWeights, 512, 8),
        lambda: (torch.randn(4, 1024, 512),),
        "4 x 1024 x 512, 8 heads",
        forward=0.50,
        training=0.66,
    )
    additive = Match(
        "AdditiveAttention",
        "one broadcast over all pairs",
        partial(attention.AdditiveAttention, 128, 128, 128),
        partial(BroadcastAdditive, 128, 128, 128),
        lambda: tuple(torch.randn(3, 4, 256, 128)),
        "4 x 256 x 128",
        forward=1.0,
        training=1.0,
        memory=35.0,
    )
    pairwise = Match(
        "SelfAttention2d",
        "SAGAN as usually printed",
        partial(attention.SelfAttention2d, 32, 4),
        partial(NaiveSAGAN, 32),
        lambda: (torch.randn(4, 32, 64, 64),),
        "4 x 32 x 64 x 64",
        forward=0.30,
    )
    sampling = Match(
        "SpatialTransformer, sampling",
        "affine_grid and grid_sample",
        partial(Function, _sample),
        GridSample,
        lambda: (
            torch.randn(32, 3, 224, 224),
            torch.eye(2, 3) + 0.1 * torch.randn(32, 2, 3),
        ),
        "32 x 3 x 224 x 224",
        forward=1.05,
        training=1.05,
    )
    glimpse = Match(
        "GlimpseReader",
        "slicing sample by sample",
        partial(Glimpse, 12, 3),
        partial(SlicedGlimpse, 12, 3),
        lambda: (torch.randn(64, 1, 60, 60), torch.rand(64, 2) - 0.5),
        "64 x 1 x 60 x 60, 12 pixels, 3 scales",
        forward=0.6,
    )
    capacity = Match(
        "DynamicCapacity",
        "its own fine network",
        partial(attention.DynamicCapacity, 1, 10, patches=3),
        partial(FineOnly, 1, 10, patches=3),
        lambda: (torch.randn(64, 1, 100, 100),),
        "64 x 1 x 100 x 100, 3 patches",
        forward=0.5,
        training=0.35,
    )
    return [
        *(_dot_product(count) for count in (256, 1024, 2048)),
        multihead,
        _resized(
            multihead,
            lambda: (torch.randn(4, 256, 512),),
            "4 x 256 x 512, 8 heads",
        ),
        replace(
            multihead,
            peer="the same on its fast path",
            theirs=partial(WithWeights, 512, 8, fast_path=True),
            forward=None,
            training=None,
        ),
        additive,
        replace(
            additive, compiled=True, forward=0.2, training=None, memory=None
        ),
        _resized(
            additive, lambda: tuple(torch.randn(3, 4, 64, 128)), "4 x 64 x 128"
        ),
        *_layouts(squeeze),
        *_layouts(channel),
        *_layouts(cbam),
        replace(cbam, compiled=True, forward=0.56, training=0.35),
        *_layouts(kernel),
        *_layouts(non_local),
        pairwise,
        replace(pairwise, channels_last=True, forward=None),
        _resized(
            pairwise,
            lambda: (torch.randn(4, 32, 32, 32),),
            "4 x 32 x 32 x 32",
        ),
        sampling,
        _resized(
            sampling,
            lambda: (
                torch.randn(32, 64, 28, 28),
                torch.eye(2, 3) + 0.1 * torch.randn(32, 2, 3),
            ),
            "32 x 64 x 28 x 28",
        ),
        glimpse,
        _resized(
            glimpse,
            lambda: (torch.randn(16, 3, 120, 120), torch.rand(16, 2) - 0.5),
            "16 x 3 x 120 x 120, 12 pixels, 3 scales",
        ),
        capacity,
        _resized(
            capacity,
            lambda: (torch.randn(64, 1, 60, 60),),
            "64 x 1 x 60 x 60, 3 patches",
        ),
    ]


def _resized(match: Match, inputs: Inputs, size: str) -> Match:
    """The same at another size, for which there is no goal."""
    return replace(
        match,
        inputs=inputs,
        size=size,
        forward=None,
        training=None,
        memory=None,
    )


def _layouts(match: Match) -> list[Match]:
    """On a map with either layout, and on one of a quarter the positions."""
    size = "32 x 256 x 14 x 14"
    small = _resized(match, lambda: (torch.randn(32, 256, 14, 14),), size)
    last = _resized(match, match.inputs, match.size)
    return [match, replace(last, channels_last=True), small]


def _dot_product(count: int) -> Match:
    return Match(
        "scaled_dot_product_attention",
        "torch's fused kernel",
        partial(Function, attention.scaled_dot_product_attention),
        partial(Function, F.scaled_dot_product_attention),
        lambda: tuple(torch.randn(3, 4, 8, count, 64)),
        f"4 x 8 x {count} x 64",
        forward=1.05,
        training=1.05,
        memory=15.0 if count == 1024 else None,
    )


def _sample(x: Tensor, theta: Tensor) -> Tensor:
    return affine_sample(x, theta, (x.shape[2], x.shape[3]))
