"""What every layer on maps checks before it computes."""

from torch import Tensor


def check_map(x: Tensor, channels: int | None = None) -> None:
    """Refuse anything but (batch, channels, height, width).

    Raises
    ------
    ValueError
        With the shape that came and the shape that is needed.
    """
    if x.ndim != 4 or channels not in (None, x.shape[1]):
        wanted = "channels" if channels is None else channels
        raise ValueError(
            f"x must have the shape (batch, {wanted}, height, width), got "
            f"{tuple(x.shape)}"
        )


def reduced(channels: int, reduction: int) -> int:
    """Width of a bottleneck, ``channels // reduction``.

    Integer division alone would turn 8 channels and reduction 16 into no
    hidden unit at all, and a gate that is 0.5 whatever it sees.

    Raises
    ------
    ValueError
        If ``reduction`` does not divide ``channels``.
    """
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
