import pytest
import torch

from attncourse.attention.maps import check_map, check_odd, reduced


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


def test_odd_sizes_pass_and_others_do_not() -> None:
    check_odd("side", 1)
    check_odd("side", 3, least=3)
    for size, least in [(4, 1), (0, 1), (-1, 1), (1, 3)]:
        with pytest.raises(
            ValueError, match=f"^side must be odd .*least {least}, got {size}$"
        ):
            check_odd("side", size, least)
