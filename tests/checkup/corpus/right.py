"""Attention layers that are right: the checkup must raise no alarm on them.

They come from torch, torchvision and timm. Each has inputs of several sizes,
oblong ones wherever the layer takes them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Layer:
    """A layer, what it is, and shapes of inputs that it takes."""

    name: str
    kind: str
    build: Callable[[], nn.Module]
    #: For each call the shapes of its inputs; equal shapes, one tensor.
    sizes: tuple[Shapes, ...]

    def built(self) -> nn.Module:
        """Return the layer in eval mode, with the same weights each time."""
        torch.manual_seed(0)
        return self.build().eval()

    def inputs(self, size: int = 0) -> tuple[Tensor, ...]:
        """Return random inputs of one of the sizes."""
        generator = torch.Generator().manual_seed(size)
        made = {
            shape: torch.randn(*shape, generator=generator)
            for shape in dict.fromkeys(self.sizes[size])
        }
        return tuple(made[shape] for shape in self.sizes[size])


def sizes(*shapes: tuple[int, ...]) -> tuple[Shapes, ...]:
    """One input, of several sizes."""
    return tuple((shape,) for shape in shapes)


MAPS = sizes((2, 64, 14, 14), (3, 64, 8, 12), (1, 64, 10, 6))
PAIRED = sizes((2, 64, 14, 14), (3, 64, 8, 12), (1, 64, 4, 10))
FIXED = sizes((2, 64, 8, 12))
SQUARE = sizes((2, 64, 8, 8), (3, 64, 8, 8))
LAST = sizes((2, 14, 14, 64), (3, 8, 12, 64), (1, 9, 7, 64))
TOKENS = sizes((3, 10, 64), (2, 17, 64), (1, 5, 64))
SAME = tuple((shape,) * 3 for (shape,) in TOKENS)
CROSSED = (
    ((3, 10, 64), (3, 7, 64)),
    ((2, 5, 64), (2, 12, 64)),
)


def layer(path: str, *args: Any, **names: Any) -> Callable[[], nn.Module]:
    """A class by its full name, built with these arguments."""
    file, _, name = path.rpartition(".")

    def build() -> nn.Module:
        made: nn.Module = getattr(import_module(file), name)(*args, **names)
        return made

    return build


def attn(name: str, *args: Any, **names: Any) -> Callable[[], nn.Module]:
    """A layer by the name that timm's models give to it."""

    def build() -> nn.Module:
        create = import_module("timm.layers").get_attn
        made: nn.Module = create(name)(*args, **names)
        return made

    return build


def partition(how: str) -> Callable[[], nn.Module]:
    """Attention in blocks or in a grid, as in MaxViT."""

    def build() -> nn.Module:
        maxxvit = import_module("timm.models.maxxvit")
        config = maxxvit.MaxxVitTransformerCfg(
            dim_head=16, window_size=(7, 7), grid_size=(7, 7)
        )
        made: nn.Module = maxxvit.PartitionAttentionCl(64, how, config)
        return made

    return build


class Fused(nn.Module):
    """Heads around torch's fused function."""

    def __init__(self, dim: int = 64, heads: int = 4, **names: bool) -> None:
        super().__init__()
        self.heads = heads
        self.names = names
        self.project = nn.Linear(dim, 3 * dim)
        self.output = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in self.project(x).chunk(3, dim=-1)
        )
        mixed = F.scaled_dot_product_attention(query, key, value, **self.names)
        return self.output(mixed.transpose(1, 2).flatten(2))


class FusedCrossing(nn.Module):
    """Queries from one input, keys and values from another."""

    def __init__(self, dim: int = 64) -> None:
        super().__init__()
        self.query = nn.Linear(dim, dim)
        self.source = nn.Linear(dim, 2 * dim)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        key, value = self.source(context).chunk(2, dim=-1)
        return F.scaled_dot_product_attention(self.query(x), key, value)


torchs = partial(layer, "torch.nn.MultiheadAttention", 64, 4)
swin = "torchvision.models.swin_transformer"
vit = "timm.models.vision_transformer"
SELF = "self-attention"

RIGHT = (
    # torch
    Layer("torch MultiheadAttention", SELF, torchs(batch_first=True), SAME),
    Layer(
        "torch MultiheadAttention, no bias, added keys",
        SELF,
        torchs(batch_first=True, bias=False, add_zero_attn=True),
        SAME,
    ),
    Layer(
        "torch MultiheadAttention, tokens first",
        SELF,
        torchs(),
        (((10, 3, 64),) * 3, ((17, 2, 64),) * 3),
    ),
    Layer(
        "torch MultiheadAttention, crossing",
        "cross-attention",
        torchs(batch_first=True, kdim=32, vdim=16),
        (
            ((3, 10, 64), (3, 7, 32), (3, 7, 16)),
            ((2, 5, 64), (2, 12, 32), (2, 12, 16)),
        ),
    ),
    Layer(
        "torch TransformerEncoderLayer",
        SELF,
        layer("torch.nn.TransformerEncoderLayer", 64, 4, 96, batch_first=True),
        TOKENS,
    ),
    Layer(
        "torch TransformerEncoderLayer, norm and tokens first",
        SELF,
        layer("torch.nn.TransformerEncoderLayer", 64, 4, 96, norm_first=True),
        sizes((10, 3, 64), (17, 2, 64)),
    ),
    Layer(
        "torch TransformerDecoderLayer",
        "cross-attention",
        layer("torch.nn.TransformerDecoderLayer", 64, 4, 96, batch_first=True),
        CROSSED,
    ),
    Layer("torch fused function", SELF, Fused, TOKENS),
    Layer(
        "torch fused function, causal",
        SELF,
        lambda: Fused(is_causal=True),
        TOKENS,
    ),
    Layer(
        "torch fused function, crossing",
        "cross-attention",
        FusedCrossing,
        CROSSED,
    ),
    # torchvision
    Layer(
        "torchvision SqueezeExcitation",
        "se",
        layer("torchvision.ops.SqueezeExcitation", 64, 16),
        MAPS,
    ),
    Layer(
        "torchvision SqueezeExcitation, hard sigmoid",
        "se",
        layer(
            "torchvision.ops.SqueezeExcitation",
            64,
            16,
            scale_activation=nn.Hardsigmoid,
        ),
        MAPS,
    ),
    Layer(
        "torchvision ShiftedWindowAttention",
        "window",
        layer(f"{swin}.ShiftedWindowAttention", 64, [4, 4], [2, 2], 4),
        LAST,
    ),
    Layer(
        "torchvision ShiftedWindowAttention, no shift",
        "window",
        layer(f"{swin}.ShiftedWindowAttention", 64, [4, 4], [0, 0], 4),
        LAST,
    ),
    Layer(
        "torchvision ShiftedWindowAttention, oblong windows",
        "window",
        layer(f"{swin}.ShiftedWindowAttention", 64, [4, 2], [2, 1], 4),
        LAST,
    ),
    Layer(
        "torchvision ShiftedWindowAttentionV2",
        "window",
        layer(f"{swin}.ShiftedWindowAttentionV2", 64, [4, 4], [2, 2], 4),
        LAST,
    ),
    Layer(
        "torchvision SwinTransformerBlock",
        "window",
        layer(f"{swin}.SwinTransformerBlock", 64, 4, [4, 4], [2, 2]),
        LAST,
    ),
    Layer(
        "torchvision EncoderBlock",
        SELF,
        layer(
            "torchvision.models.vision_transformer.EncoderBlock",
            4,
            64,
            128,
            0.0,
            0.0,
        ),
        TOKENS,
    ),
    Layer(
        "torchvision RelativePositionalMultiHeadAttention",
        SELF,
        layer(
            "torchvision.models.maxvit.RelativePositionalMultiHeadAttention",
            64,
            16,
            16,
        ),
        sizes((2, 4, 16, 64), (1, 6, 16, 64)),
    ),
    # timm: gates
    Layer("timm se", "se", attn("se", 64), MAPS),
    Layer("timm se, ratio 1/4", "se", attn("se", 64, rd_ratio=0.25), MAPS),
    Layer(
        "timm se, with mean and maximum",
        "se",
        attn("se", 64, add_maxpool=True),
        MAPS,
    ),
    Layer("timm ese", "channel", attn("ese", 64), MAPS),
    Layer(
        "timm SqueezeExcite",
        "se",
        layer("timm.models._efficientnet_blocks.SqueezeExcite", 64),
        MAPS,
    ),
    Layer("timm eca", "eca", attn("eca", 64), MAPS),
    Layer("timm eca, 5 taps", "eca", attn("eca", kernel_size=5), MAPS),
    Layer("timm ecam", "eca", attn("ecam", 64), MAPS),
    Layer("timm ceca", "eca", attn("ceca", 64), MAPS),
    Layer("timm cbam", "cbam", attn("cbam", 64), MAPS),
    Layer("timm lcbam", "cbam", attn("lcbam", 64), MAPS),
    Layer("timm ge", "channel", attn("ge", 64, use_mlp=False), MAPS),
    Layer(
        "timm ge, extent 2",
        "gate",
        attn("ge", 64, extent=2, use_mlp=False),
        MAPS,
    ),
    Layer("timm gc", "channel", attn("gc", 64), MAPS),
    Layer("timm gca", "channel", attn("gca", 64), MAPS),
    Layer("timm coord", "gate", attn("coord", 64), MAPS),
    Layer("timm scoord", "gate", attn("scoord", 64), MAPS),
    Layer("timm ela", "gate", attn("ela", 64), MAPS),
    Layer("timm strip", "gate", attn("strip", 64), MAPS),
    Layer("timm sk", "channel", attn("sk", 64, 64), MAPS),
    Layer(
        "timm sk, paths apart",
        "channel",
        attn("sk", 64, 64, split_input=False),
        MAPS,
    ),
    Layer("timm splat", "channel", attn("splat", 64), MAPS),
    # timm: self-attention on maps
    Layer("timm nl", SELF, attn("nl", 64), MAPS),
    Layer("timm bat", SELF, attn("bat", 64, block_size=2), PAIRED),
    Layer(
        "timm lambda, global",
        SELF,
        layer("timm.layers.lambda_layer.LambdaLayer", 64, feat_size=(8, 12)),
        FIXED,
    ),
    Layer(
        "timm lambda, local",
        SELF,
        layer("timm.layers.lambda_layer.LambdaLayer", 64, r=5),
        MAPS,
    ),
    Layer(
        "timm bottleneck",
        SELF,
        layer(
            "timm.layers.bottleneck_attn.BottleneckAttn",
            64,
            feat_size=(8, 12),
            dim_head=16,
        ),
        FIXED,
    ),
    Layer(
        "timm halo",
        "window",
        layer(
            "timm.layers.halo_attn.HaloAttn",
            64,
            block_size=4,
            halo_size=1,
            num_heads=4,
        ),
        sizes((2, 64, 8, 12), (1, 64, 16, 8)),
    ),
    Layer(
        "timm Attention2d",
        SELF,
        layer("timm.layers.Attention2d", 64, 64, num_heads=4),
        MAPS,
    ),
    Layer(
        "timm MultiQueryAttentionV2",
        SELF,
        layer("timm.layers.MultiQueryAttentionV2", 64, num_heads=4),
        MAPS,
    ),
    Layer(
        "timm MultiQueryAttention2d",
        SELF,
        layer("timm.layers.MultiQueryAttention2d", 64, num_heads=4),
        MAPS,
    ),
    Layer(
        "timm maxxvit Attention2d",
        SELF,
        layer("timm.models.maxxvit.Attention2d", 64, dim_head=16),
        MAPS,
    ),
    Layer(
        "timm fastvit Attention",
        SELF,
        layer("timm.models.fastvit.Attention", 64, head_dim=16),
        MAPS,
    ),
    Layer(
        "timm visformer Attention",
        SELF,
        layer("timm.models.visformer.Attention", 64, num_heads=4),
        MAPS,
    ),
    Layer(
        "timm edgenext CrossCovarianceAttn",
        SELF,
        layer("timm.models.edgenext.CrossCovarianceAttn", 64, num_heads=4),
        TOKENS,
    ),
    Layer(
        "timm mobilevit LinearSelfAttention",
        SELF,
        layer("timm.models.mobilevit.LinearSelfAttention", 64),
        sizes((2, 64, 4, 15), (1, 64, 4, 6)),
    ),
    # timm: pooling
    Layer(
        "timm AttentionPool2d",
        "pooling",
        layer("timm.layers.AttentionPool2d", 64, feat_size=(8, 12)),
        FIXED,
    ),
    Layer(
        "timm RotAttentionPool2d",
        "pooling",
        layer("timm.layers.RotAttentionPool2d", 64, ref_feat_size=8),
        MAPS,
    ),
    Layer(
        "timm AttentionPoolLatent",
        "pooling",
        layer("timm.layers.AttentionPoolLatent", 64, num_heads=4),
        TOKENS,
    ),
    Layer(
        "timm AttentionPoolPrr",
        "pooling",
        layer("timm.layers.AttentionPoolPrr", 64, num_heads=4),
        TOKENS,
    ),
    Layer(
        "timm SimPool2d", "pooling", layer("timm.layers.SimPool2d", 64), MAPS
    ),
    Layer(
        "timm SimPool1d", "pooling", layer("timm.layers.SimPool1d", 64), TOKENS
    ),
    # timm: self-attention on tokens
    Layer("timm Attention", SELF, layer(f"{vit}.Attention", 64, 4), TOKENS),
    Layer(
        "timm Attention, normalised",
        SELF,
        layer(
            f"{vit}.Attention", 64, 4, qk_norm=True, norm_layer=nn.LayerNorm
        ),
        TOKENS,
    ),
    Layer(
        "timm AttentionRope",
        SELF,
        layer("timm.layers.AttentionRope", 64, 4),
        TOKENS,
    ),
    Layer(
        "timm DiffAttention",
        SELF,
        layer("timm.layers.DiffAttention", 64, 4),
        TOKENS,
    ),
    Layer(
        "timm Block",
        SELF,
        layer(f"{vit}.Block", 64, 4, init_values=1e-5),
        TOKENS,
    ),
    Layer(
        "timm ResPostBlock", SELF, layer(f"{vit}.ResPostBlock", 64, 4), TOKENS
    ),
    Layer(
        "timm ParallelScalingBlock",
        SELF,
        layer(f"{vit}.ParallelScalingBlock", 64, 4),
        TOKENS,
    ),
    Layer(
        "timm beit Attention",
        SELF,
        layer("timm.models.beit.Attention", 64, 4),
        TOKENS,
    ),
    Layer(
        "timm eva EvaAttention",
        SELF,
        layer("timm.models.eva.EvaAttention", 64, 4, norm_layer=nn.LayerNorm),
        TOKENS,
    ),
    Layer(
        "timm cait TalkingHeadAttn",
        SELF,
        layer("timm.models.cait.TalkingHeadAttn", 64, 4),
        TOKENS,
    ),
    Layer(
        "timm cait ClassAttn",
        "pooling",
        layer("timm.models.cait.ClassAttn", 64, 4),
        TOKENS,
    ),
    Layer(
        "timm crossvit CrossAttention",
        "pooling",
        layer("timm.models.crossvit.CrossAttention", 64, 4),
        TOKENS,
    ),
    Layer(
        "timm tnt Attention",
        SELF,
        layer("timm.models.tnt.Attention", 64, 64, 4),
        TOKENS,
    ),
    Layer(
        "timm metaformer Attention",
        SELF,
        layer("timm.models.metaformer.Attention", 64, head_dim=16),
        TOKENS,
    ),
    Layer("timm xcit XCA", SELF, layer("timm.models.xcit.XCA", 64, 4), TOKENS),
    Layer(
        "timm davit ChannelAttention",
        SELF,
        layer("timm.models.davit.ChannelAttention", 64, 4),
        TOKENS,
    ),
    # timm: windows
    Layer(
        "timm swin WindowAttention",
        "window",
        layer(
            "timm.models.swin_transformer.WindowAttention",
            64,
            4,
            window_size=(3, 4),
        ),
        sizes((2, 12, 64), (6, 12, 64)),
    ),
    Layer(
        "timm swin v2 WindowAttention",
        "window",
        layer(
            "timm.models.swin_transformer_v2.WindowAttention", 64, (3, 4), 4
        ),
        sizes((2, 12, 64), (6, 12, 64)),
    ),
    Layer(
        "timm davit WindowAttention",
        "window",
        layer("timm.models.davit.WindowAttention", 64, (3, 4), 4),
        sizes((2, 12, 64), (6, 12, 64)),
    ),
    Layer(
        "timm volo OutlookAttention",
        "window",
        layer("timm.models.volo.OutlookAttention", 64, 4),
        LAST,
    ),
    Layer(
        "timm maxxvit PartitionAttentionCl, blocks",
        "window",
        partition("block"),
        sizes((2, 14, 14, 64), (1, 7, 14, 64)),
    ),
    Layer(
        "timm maxxvit PartitionAttentionCl, grid",
        "window",
        partition("grid"),
        sizes((2, 14, 14, 64), (1, 7, 14, 64)),
    ),
)
