"""Put attention into a network that is already built."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from attncourse.attention import (
    CBAM,
    ChannelGate,
    EfficientChannelAttention,
    NonLocal2d,
    SelfAttention2d,
    SoftmaxChannelAttention,
    SpatialGate,
    SqueezeExcitation,
)

Build = Callable[..., nn.Module]


def _spatial_gate(_: int, **options: Any) -> nn.Module:
    return SpatialGate(**options)


GATES: dict[str, Build] = {
    "se": SqueezeExcitation,
    "eca": EfficientChannelAttention,
    "softmax-channel": SoftmaxChannelAttention,
    "cbam": CBAM,
    "channel-gate": ChannelGate,
    "spatial-gate": _spatial_gate,
}
PAIRWISE: dict[str, Build] = {
    "self-attention": SelfAttention2d,
    "non-local": NonLocal2d,
}
# What ends the residual branch of a block, in torchvision and in timm.
BRANCH_ENDS = ("f", "block", "bn3", "conv3", "bn2", "conv2", "conv")


class Insertion(NamedTuple):
    """One layer that :func:`insert` added.

    Attributes
    ----------
    where
        Name of the module whose output it takes.
    layer
        The layer, called ``where + ".attention"`` in the model.
    channels
        Channels of the map there.
    """

    where: str
    layer: nn.Module
    channels: int


class Faded(nn.Module):
    r"""Fade a layer in, from the identity.

    .. math:: y = x + \gamma\,(a(x) - x), \qquad \gamma = 0
              \text{ at the start}

    In the first step :math:`\gamma` alone gets a gradient, the layer from
    the second step on.

    Parameters
    ----------
    layer
        From a map to a map of the same shape.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        like = next(layer.parameters())
        self.gamma = nn.Parameter(torch.zeros_like(like.sum()))

    def forward(self, x: Tensor) -> Tensor:
        """Mix the map and what the layer makes of it."""
        return x + self.gamma * (self.layer(x) - x)


def insert(
    model: nn.Module,
    mechanism: str,
    where: str,
    *,
    identity: bool = True,
    **options: Any,
) -> list[Insertion]:
    """Put attention into a residual network of torchvision or timm.

    A gate comes into every residual block at the end of its branch, before
    the addition; behind it, it would shrink the shortcut too. Pairwise
    attention comes once, behind the last block. The model keeps its classes
    and the names of its parameters, so trained weights still load (with
    ``strict=False`` after the insertion, or before it).

    Parameters
    ----------
    model
        Changed in place.
    mechanism
        A gate: ``"se"``, ``"eca"``, ``"cbam"``, ``"softmax-channel"``,
        ``"channel-gate"``, ``"spatial-gate"``; or pairwise:
        ``"self-attention"``, ``"non-local"``.
    where
        Name of a stage or of a block, as in ``named_modules()``:
        ``"layer3"``, ``"layer4.1"``.
    identity
        Start as the identity, so that a trained model computes at first
        what it did. Pairwise attention does so by itself; a gate, which
        would start near one half, is faded in by :class:`Faded`. False
        inserts the plain gate, as the papers train it from scratch.
    options
        Of the mechanism, for example ``reduction=8``.

    Returns
    -------
    What was inserted, in order.

    Raises
    ------
    ValueError
        If the mechanism is not known, there is no such module, it holds no
        residual block, or attention is there already.

    References
    ----------
    Bachlechner et al., "ReZero is All You Need: Fast Convergence at Large
    Depth", UAI 2021 (fading in by a scale that starts at zero).

    Examples
    --------
    >>> model = torchvision.models.resnet18()
    >>> [added.where for added in insert(model, "se", "layer3", reduction=8)]
    ['layer3.0.bn2', 'layer3.1.bn2']
    """
    build = (GATES | PAIRWISE).get(mechanism)
    if build is None:
        raise ValueError(
            f"mechanism must be one of {', '.join(GATES | PAIRWISE)}, got "
            f"{mechanism!r}"
        )
    modules = dict(model.named_modules())
    if where not in modules:
        raise ValueError(
            f"where must name a module of {type(model).__name__}, such as "
            f"{', '.join(list(modules)[1:5])}, got {where!r}"
        )
    blocks = list(_blocks(modules[where], where))
    if not blocks:
        raise ValueError(
            f"where must hold residual blocks whose branch ends in one of "
            f"{', '.join(BRANCH_ENDS)}, got {where!r}, a "
            f"{type(modules[where]).__name__}"
        )
    pairwise = mechanism in PAIRWISE
    if pairwise:
        block, end = blocks[-1]
        channels = {block: _channels(modules[end])}
    else:
        channels = {end: _channels(modules[end]) for _, end in blocks}
    taken = [name for name in channels if hasattr(modules[name], "attention")]
    if taken:
        raise ValueError(
            f"where must have no attention yet, got {where!r} with some "
            f"behind {', '.join(taken)}"
        )
    like = next(modules[where].parameters())
    added = []
    for name, count in channels.items():
        layer = build(count, **options)
        if identity and not pairwise:
            layer = Faded(layer)
        layer.to(like.device, like.dtype).train(modules[name].training)
        modules[name].add_module("attention", layer)
        if type(modules[name]).forward is not nn.Sequential.forward:
            modules[name].register_forward_hook(_attend)
        added.append(Insertion(name, layer, count))
    return added


def _attend(module: nn.Module, _: Any, output: Tensor) -> Tensor:
    """Forward hook: what the module returns goes through its attention."""
    return module.get_submodule("attention")(output)


def _blocks(module: nn.Module, name: str) -> Iterator[tuple[str, str]]:
    """Names of the outermost residual blocks and of their branch ends."""
    children = dict(module.named_children())
    for end in BRANCH_ENDS:
        if end in children:
            yield name, f"{name}.{end}".lstrip(".")
            return
    for child, part in children.items():
        yield from _blocks(part, f"{name}.{child}".lstrip("."))


def _channels(module: nn.Module) -> int:
    """Channels that the last layer of a branch puts out."""
    for part in reversed(list(module.modules())):
        for name in ("num_features", "out_channels", "out_features"):
            if isinstance(count := getattr(part, name, None), int):
                return count
    raise ValueError(
        f"where must end in a layer with channels, got a "
        f"{type(module).__name__} without"
    )
