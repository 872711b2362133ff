"""What every layer on maps checks before it computes."""

import torch
from torch import Tensor


def check_floats(name: str, tensor: Tensor) -> None:
    """Refuse what is no tensor of floating-point numbers.

    Raises
    ------
    ValueError
        With the type that came and how to convert it.
    """
    if not isinstance(tensor, Tensor):
        raise ValueError(
            f"{name} must be a torch tensor, got {type(tensor).__name__}; "
            f"write `torch.as_tensor({name})`"
        )
    if not tensor.is_floating_point():
        scale = " / 255" if tensor.dtype == torch.uint8 else ""
        raise ValueError(
            f"{name} must hold floating-point numbers, got {tensor.dtype}; "
            f"write `{name}.float(){scale}`"
        )


def check_map(x: Tensor, channels: int | None = None) -> None:
    """Refuse anything but (batch, channels, height, width), floating-point.

    Raises
    ------
    ValueError
        With what came and what is needed.
    """
    check_floats("x", x)
    if x.ndim != 4 or channels not in (None, x.shape[1]):
        wanted = "channels" if channels is None else channels
        raise ValueError(
            f"x must have the shape (batch, {wanted}, height, width), got "
            f"{tuple(x.shape)}"
        )


def check_tokens(name: str, tokens: Tensor, dim: int) -> None:
    """Refuse anything but (batch, tokens, dim), floating-point.

    Raises
    ------
    ValueError
        With what came and what is needed.
    """
    check_floats(name, tokens)
    if tokens.ndim != 3 or tokens.shape[-1] != dim:
        raise ValueError(
            f"{name} must have the shape (batch, tokens, {dim}), got "
            f"{tuple(tokens.shape)}"
        )


def reduced(
    channels: int, reduction: int, hidden_dim: int | None = None
) -> int:
    """Width of a bottleneck: ``hidden_dim``, or ``channels // reduction``.

    Integer division alone would turn 8 channels and reduction 16 into no
    hidden unit at all, and a gate that is 0.5 whatever it sees.

    Raises
    ------
    ValueError
        If ``hidden_dim`` is below one, or is not given and ``reduction``
        does not divide ``channels``.
    """
    if hidden_dim is not None:
        if min(channels, hidden_dim) < 1:
            raise ValueError(
                f"channels and hidden_dim must be at least 1, got {channels} "
                f"and {hidden_dim}"
            )
        return hidden_dim
    if channels < 1 or reduction < 1 or channels % reduction:
        raise ValueError(
            f"reduction must be a positive divisor of channels, got "
            f"channels={channels} and reduction={reduction}"
        )
    return channels // reduction


def check_odd(name: str, size: int, least: int = 1) -> None:
    """Refuse a kernel size that has no centre, or is below ``least``.

    Raises
    ------
    ValueError
        If ``size`` is even or too small.
    """
    if size < least or size % 2 == 0:
        raise ValueError(
            f"{name} must be odd and at least {least}, got {size}"
        )
