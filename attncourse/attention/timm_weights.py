"""Weights of timm's layers for ours."""

from collections.abc import Mapping

from torch import Tensor, nn

from attncourse.attention.cbam import CBAM, ChannelGate, SpatialGate
from attncourse.attention.efficient_channel import EfficientChannelAttention
from attncourse.attention.selective_kernel import SelectiveKernel
from attncourse.attention.squeeze_excitation import SqueezeExcitation

NAMES: dict[type[nn.Module], dict[str, str]] = {
    SqueezeExcitation: {"fc1": "reduce", "fc2": "expand"},
    EfficientChannelAttention: {"conv": "filter"},
    ChannelGate: {"fc1": "reduce", "fc2": "expand"},
    SpatialGate: {"conv.conv": "filter", "conv.bn": "norm"},
    CBAM: {
        "channel.fc1": "channel.reduce",
        "channel.fc2": "channel.expand",
        "spatial.conv.conv": "spatial.filter",
        "spatial.conv.bn": "spatial.norm",
    },
    SelectiveKernel: {
        "attn.fc_reduce": "reduce",
        "attn.bn": "norm",
        "attn.fc_select": "select",
    },
}


def load_timm_state(layer: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy the weights of timm's layer of the same mechanism into ours.

    Afterwards both compute the same. timm's ``SelectiveKernel`` splits its
    input among the branches by default, which ours does not: build it with
    ``split_input=False``.

    Parameters
    ----------
    layer
        ``SqueezeExcitation``, ``EfficientChannelAttention``, ``CBAM`` or one
        of its gates, or ``SelectiveKernel``.
    state
        ``state_dict()`` of timm's ``SEModule``, ``EcaModule``,
        ``CbamModule`` or one of its parts, or ``SelectiveKernel``.

    Raises
    ------
    ValueError
        If the layer is another one, or a name or a shape does not fit. The
        layer is then unchanged.

    Examples
    --------
    >>> theirs = timm.layers.SEModule(120, rd_channels=32)
    >>> ours = SqueezeExcitation(120, hidden_dim=32)
    >>> load_timm_state(ours, theirs.state_dict())
    """
    if type(layer) not in NAMES:
        known = ", ".join(kind.__name__ for kind in NAMES)
        raise ValueError(
            f"layer must be one of {known}, got {type(layer).__name__}"
        )
    own = layer.state_dict()
    names = {_ours(name, NAMES[type(layer)]): name for name in state}
    if names.keys() != own.keys():
        missing = sorted(own.keys() - names.keys())
        extra = sorted(names[name] for name in names.keys() - own.keys())
        raise ValueError(
            f"state must fit {type(layer).__name__}, got nothing for "
            f"{missing} and {extra} besides"
        )
    loaded = {}
    for name, theirs in names.items():
        # A 1x1 convolution of one pixel is a linear layer.
        value = state[theirs]
        if value.ndim == 4 and own[name].ndim == 2:
            value = value.flatten(1)
        if value.shape != own[name].shape:
            raise ValueError(
                f"state must have the shapes of the layer: {theirs} should "
                f"hold {tuple(own[name].shape)}, got {tuple(value.shape)}"
            )
        loaded[name] = value
    layer.load_state_dict(loaded)


def _ours(name: str, names: Mapping[str, str]) -> str:
    stem, _, last = name.rpartition(".")
    if stem in names:
        return f"{names[stem]}.{last}"
    # paths.1.conv.weight -> branches.1.0.weight
    parts = name.split(".")
    if parts[0] == "paths" and len(parts) == 4:
        layer = {"conv": "0", "bn": "1"}.get(parts[2], parts[2])
        return f"branches.{parts[1]}.{layer}.{parts[3]}"
    return name
