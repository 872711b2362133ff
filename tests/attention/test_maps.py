import numpy as np
import pytest
import torch

from attncourse.attention.maps import (
    check_map,
    check_odd,
    check_tokens,
    reduced,
)


def test_a_map_of_the_right_shape_is_accepted() -> None:
    check_map(torch.empty(0, 3, 5, 7), 3)
    check_map(torch.empty(2, 3, 5, 7))


@pytest.mark.parametrize("shape", [(3, 5, 7), (2, 5, 3, 7), (2, 3, 5, 7, 1)])
def test_another_shape_is_refused_with_both(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^x must .*\(batch, 3, height") as e:
        check_map(torch.empty(shape), 3)
    assert str(e.value).endswith(f"got {shape}")


def test_any_number_of_channels_still_needs_four_axes() -> None:
    with pytest.raises(ValueError, match=r"\(batch, channels, height, width"):
        check_map(torch.empty(3, 5, 7))


@pytest.mark.parametrize(
    ("channels", "reduction", "width"), [(14, 2, 7), (5, 5, 1), (3, 1, 3)]
)
def test_a_divisor_reduces(channels: int, reduction: int, width: int) -> None:
    assert reduced(channels, reduction) == width


@pytest.mark.parametrize(
    ("channels", "reduction"), [(8, 16), (14, 3), (14, 0), (-4, 2), (0, 1)]
)
def test_any_other_reduction_is_refused(channels: int, reduction: int) -> None:
    with pytest.raises(
        ValueError,
        match=f"^reduction must .*={channels} and reduction={reduction}$",
    ):
        reduced(channels, reduction)


def test_the_hidden_width_can_be_set_instead() -> None:
    assert reduced(120, 16, 32) == 32
    assert reduced(1, 0, 1) == 1
    for channels, hidden_dim in [(120, 0), (0, 32)]:
        with pytest.raises(
            ValueError,
            match=rf"^channels and hidden_dim .*{channels} and {hidden_dim}$",
        ):
            reduced(channels, 16, hidden_dim)


@pytest.mark.usefixtures("as_shipped")
def test_other_types_are_refused_with_a_cure() -> None:
    with pytest.raises(ValueError, match=r"^x must .*ndarray.*as_tensor\(x\)"):
        check_map(np.zeros((2, 3, 5, 7), dtype=np.float32))
    image = torch.zeros(2, 3, 5, 7, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"uint8; write `x.float\(\) / 255`$"):
        check_map(image)
    with pytest.raises(ValueError, match=r"int64; write `x.float\(\)`$"):
        check_map(image.long())
    check_map(image.half())


@pytest.mark.usefixtures("as_shipped")
def test_tokens_of_another_width_are_refused() -> None:
    check_tokens("key", torch.zeros(2, 5, 7), 7)
    for shape in [(2, 5, 6), (5, 7), (2, 1, 5, 7)]:
        with pytest.raises(
            ValueError, match=r"^key .*, tokens, 7\), got"
        ) as e:
            check_tokens("key", torch.zeros(shape), 7)
        assert str(e.value).endswith(f"got {shape}")
    with pytest.raises(ValueError, match=r"^key must be a torch tensor"):
        check_tokens("key", np.zeros((2, 5, 7)), 7)


def test_odd_sizes_pass_and_others_do_not() -> None:
    check_odd("side", 1)
    check_odd("side", 3, least=3)
    for size, least in [(4, 1), (0, 1), (-1, 1), (1, 3)]:
        with pytest.raises(
            ValueError, match=f"^side must be odd .*least {least}, got {size}$"
        ):
            check_odd("side", size, least)
