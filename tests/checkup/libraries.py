"""Attention layers of torch, torchvision and timm, and their inputs.

The checkup must report no error on any of them.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

Case = tuple[Callable[[], nn.Module], tuple[tuple[int, ...], ...]]
MAP = (2, 64, 14, 14)
LAST = (2, 14, 14, 64)  # channels last
TOKENS = (3, 10, 64)
OTHERS = (3, 7, 64)


def timm(path: str, *args: Any, **names: Any) -> Callable[[], nn.Module]:
    """A layer of timm by the file it stands in and its name."""
    file, _, name = path.rpartition(".")

    def build() -> nn.Module:
        layer: nn.Module = getattr(import_module(f"timm.{file}"), name)(
            *args, **names
        )
        return layer

    return build


def vision(path: str, *args: Any, **names: Any) -> Callable[[], nn.Module]:
    """A layer of torchvision by the file it stands in and its name."""
    file, _, name = path.rpartition(".")

    def build() -> nn.Module:
        layer: nn.Module = getattr(import_module(f"torchvision.{file}"), name)(
            *args, **names
        )
        return layer

    return build


LIBRARIES: dict[str, Case] = {
    "torch MultiheadAttention, batch first": (
        lambda: nn.MultiheadAttention(64, 4, batch_first=True),
        (TOKENS, TOKENS, TOKENS),
    ),
    "torch MultiheadAttention, tokens first": (
        lambda: nn.MultiheadAttention(64, 4),
        ((10, 3, 64),) * 3,
    ),
    "torch MultiheadAttention, crossing": (
        lambda: nn.MultiheadAttention(
            64, 4, batch_first=True, kdim=32, vdim=16
        ),
        (TOKENS, (3, 7, 32), (3, 7, 16)),
    ),
    "torch TransformerEncoderLayer": (
        lambda: nn.TransformerEncoderLayer(64, 4, 128, batch_first=True),
        (TOKENS,),
    ),
    "torch TransformerEncoderLayer, norm first": (
        lambda: nn.TransformerEncoderLayer(64, 4, 128, norm_first=True),
        ((10, 3, 64),),
    ),
    "torch TransformerDecoderLayer": (
        lambda: nn.TransformerDecoderLayer(64, 4, 128, batch_first=True),
        (TOKENS, OTHERS),
    ),
    "torch TransformerEncoder": (
        lambda: nn.TransformerEncoder(
            nn.TransformerEncoderLayer(64, 4, 128, batch_first=True), 2
        ),
        (TOKENS,),
    ),
    "torchvision SqueezeExcitation": (
        vision("ops.SqueezeExcitation", 64, 16),
        (MAP,),
    ),
    "torchvision ShiftedWindowAttention": (
        vision(
            "models.swin_transformer.ShiftedWindowAttention",
            64,
            [7, 7],
            [3, 3],
            4,
        ),
        (LAST,),
    ),
    "torchvision ShiftedWindowAttentionV2": (
        vision(
            "models.swin_transformer.ShiftedWindowAttentionV2",
            64,
            [7, 7],
            [3, 3],
            4,
        ),
        (LAST,),
    ),
    "torchvision EncoderBlock": (
        vision("models.vision_transformer.EncoderBlock", 4, 64, 128, 0.0, 0.0),
        (TOKENS,),
    ),
    "torchvision RelativePositionalMultiHeadAttention": (
        vision(
            "models.maxvit.RelativePositionalMultiHeadAttention", 64, 16, 49
        ),
        ((2, 4, 49, 64),),
    ),
    "timm SEModule": (timm("layers.SEModule", 64), (MAP,)),
    "timm EffectiveSEModule": (
        timm("layers.EffectiveSEModule", 64),
        (MAP,),
    ),
    "timm EcaModule": (timm("layers.eca.EcaModule", 64), (MAP,)),
    "timm CecaModule": (timm("layers.eca.CecaModule", 64), (MAP,)),
    "timm CbamModule": (timm("layers.cbam.CbamModule", 64), (MAP,)),
    "timm LightCbamModule": (
        timm("layers.cbam.LightCbamModule", 64),
        (MAP,),
    ),
    "timm SelectiveKernel": (
        timm("layers.selective_kernel.SelectiveKernel", 64, 64),
        (MAP,),
    ),
    "timm SplitAttn": (timm("layers.split_attn.SplitAttn", 64), (MAP,)),
    "timm NonLocalAttn": (
        timm("layers.non_local_attn.NonLocalAttn", 64),
        (MAP,),
    ),
    "timm BatNonLocalAttn": (
        timm("layers.non_local_attn.BatNonLocalAttn", 64),
        (MAP,),
    ),
    "timm GlobalContext": (
        timm("layers.global_context.GlobalContext", 64),
        (MAP,),
    ),
    "timm GatherExcite": (
        timm("layers.gather_excite.GatherExcite", 64, use_mlp=False),
        (MAP,),
    ),
    "timm AttentionPool2d": (
        timm("layers.AttentionPool2d", 64, feat_size=14),
        (MAP,),
    ),
    "timm RotAttentionPool2d": (
        timm("layers.RotAttentionPool2d", 64, ref_feat_size=14),
        (MAP,),
    ),
    "timm LambdaLayer": (
        timm("layers.lambda_layer.LambdaLayer", 64, feat_size=(14, 14)),
        (MAP,),
    ),
    "timm LambdaLayer, local": (
        timm("layers.lambda_layer.LambdaLayer", 64, r=5),
        (MAP,),
    ),
    "timm BottleneckAttn": (
        timm(
            "layers.bottleneck_attn.BottleneckAttn",
            64,
            feat_size=(14, 14),
            dim_head=16,
        ),
        (MAP,),
    ),
    "timm HaloAttn": (
        timm(
            "layers.halo_attn.HaloAttn",
            64,
            block_size=7,
            halo_size=3,
            num_heads=4,
        ),
        (MAP,),
    ),
    "timm AttentionPoolLatent": (
        timm("layers.AttentionPoolLatent", 64, num_heads=4),
        (TOKENS,),
    ),
    "timm Attention2d": (
        timm("layers.attention2d.Attention2d", 64, 64, num_heads=4),
        (MAP,),
    ),
    "timm MultiQueryAttentionV2": (
        timm("layers.attention2d.MultiQueryAttentionV2", 64, num_heads=4),
        (MAP,),
    ),
    "timm Attention": (
        timm("models.vision_transformer.Attention", 64, 4),
        (TOKENS,),
    ),
    "timm Attention, normalised": (
        timm(
            "models.vision_transformer.Attention",
            64,
            4,
            qk_norm=True,
            norm_layer=nn.LayerNorm,
        ),
        (TOKENS,),
    ),
    "timm Block": (
        timm("models.vision_transformer.Block", 64, 4, init_values=1e-5),
        (TOKENS,),
    ),
    "timm ResPostBlock": (
        timm("models.vision_transformer.ResPostBlock", 64, 4),
        (TOKENS,),
    ),
    "timm ParallelScalingBlock": (
        timm("models.vision_transformer.ParallelScalingBlock", 64, 4),
        (TOKENS,),
    ),
    "timm WindowAttention": (
        timm("models.swin_transformer.WindowAttention", 64, 4, window_size=7),
        ((2, 49, 64),),
    ),
}


def inputs(name: str) -> tuple[Tensor, ...]:
    """Random inputs; tensors of one shape are the same tensor."""
    generator = torch.Generator().manual_seed(0)
    made: dict[tuple[int, ...], Tensor] = {}
    for shape in LIBRARIES[name][1]:
        made.setdefault(shape, torch.randn(*shape, generator=generator))
    return tuple(made[shape] for shape in LIBRARIES[name][1])
