import pytest
import torch
from torch.testing import assert_close

from attncourse.data import ViewedDigits


def test_shapes_and_ranges() -> None:
    images, density, fixations, masks, blobs, _ = ViewedDigits(
        7, looks=11
    ).draw()
    assert images.shape == (7, 3, 64, 64)
    assert density.shape == masks.shape == blobs.shape == (7, 1, 64, 64)
    assert fixations.shape == (7, 2, 64, 64)
    assert images.dtype == density.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() <= 1
    assert masks.dtype == blobs.dtype == torch.bool


def test_density_sums_to_one_and_looks_are_counted() -> None:
    seen = ViewedDigits(5, looks=13).draw()
    assert_close(seen.density.sum((1, 2, 3)), torch.ones(5))
    assert (seen.fixations.sum((2, 3)) == 13).all()


def test_two_boxes_of_digits_and_two_of_blobs_never_overlap() -> None:
    seen = ViewedDigits(23).draw()
    assert (seen.masks.sum((1, 2, 3)) == 2 * 16**2).all()
    assert (seen.blobs.sum((1, 2, 3)) == 2 * 16**2).all()
    assert not (seen.masks & seen.blobs).any()


def test_looks_follow_the_density() -> None:
    """Many looks at one scene, against what the density says of a box."""
    seen = ViewedDigits(3, looks=20_000).draw()
    looks = seen.fixations.sum(1, keepdim=True)
    share = (looks * seen.masks).sum((1, 2, 3)) / looks.sum((1, 2, 3))
    expected = (seen.density * seen.masks).sum((1, 2, 3))
    assert_close(share, expected, atol=0.012, rtol=0)  # 5 standard errors


def test_preference_is_the_ratio_of_looks() -> None:
    seen = ViewedDigits(50, centre=0.0, preference=3.0).draw()
    digits = (seen.density * seen.masks).sum()
    blobs = (seen.density * seen.blobs).sum()
    assert digits / blobs == pytest.approx(3.0, rel=0.15)


def test_the_centre_takes_its_share() -> None:
    everywhere, middle = (
        ViewedDigits(50, centre=c).draw().density[:, 0, 26:38, 26:38].sum()
        for c in (0.0, 0.8)
    )
    assert middle > 5 * everywhere


def test_the_same_arguments_give_the_same_scenes() -> None:
    first, again, other = (
        ViewedDigits(5, seed=seed).draw() for seed in (3, 3, 4)
    )
    for one, two in zip(first, again, strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(first.images, other.images)
    assert not torch.equal(
        first.images, ViewedDigits(5, seed=3).draw(1).images
    )


@pytest.mark.usefixtures("as_shipped")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count must be at least 1, got 0"),
        ({"count": 3, "looks": 0}, "looks must be at least 1, got 0"),
        ({"count": 3, "split": "all"}, "split must be one of"),
        ({"count": 3, "centre": 0.95}, "centre must be from 0 to 0.9"),
        ({"count": 3, "preference": 0}, "preference must be positive"),
    ],
)
def test_arguments_out_of_range(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ViewedDigits(**arguments)
