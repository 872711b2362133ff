import pytest
import torch
from sklearn.metrics import precision_recall_curve
from torch.testing import assert_close

from attncourse.metrics import max_f_beta, mean_absolute_error


def drawn(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    maps = torch.randint(0, 17, (5, 1, 11, 13), generator=rng) / 17
    masks = torch.rand(maps.shape, generator=rng) < maps / 2 + 0.1
    return maps.double(), masks


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("beta_squared", [0.3, 1.0])
def test_f_is_that_of_sklearns_curve(seed: int, beta_squared: float) -> None:
    maps, masks = drawn(seed)
    for values, inside, ours in zip(
        maps,
        masks,
        max_f_beta(maps, masks, beta_squared=beta_squared),
        strict=True,
    ):
        precision, recall, _ = precision_recall_curve(
            inside.flatten(), values.flatten()
        )
        product = (1 + beta_squared) * precision * recall
        curve = product / (beta_squared * precision + recall + 1e-300)
        assert ours == pytest.approx(curve.max())


def test_the_mask_itself_is_perfect_and_its_inverse_is_not() -> None:
    _, masks = drawn(1)
    ones = torch.ones(5)
    assert_close(max_f_beta(masks.float(), masks), ones)
    assert_close(mean_absolute_error(masks.float(), masks), 0 * ones)
    assert_close(mean_absolute_error((~masks).float(), masks), ones)
    assert max_f_beta((~masks).float(), masks).max() < 0.7


def test_error_counts_every_pixel() -> None:
    maps, masks = drawn(2)
    by_hand = [
        sum(abs(v - m) for v, m in zip(here, there, strict=True)) / 143
        for here, there in zip(
            maps.flatten(1).tolist(), masks.flatten(1).tolist(), strict=True
        )
    ]
    assert_close(
        mean_absolute_error(maps, masks), torch.tensor(by_hand).double()
    )


@pytest.mark.usefixtures("as_shipped")
@pytest.mark.parametrize("score", [mean_absolute_error, max_f_beta])
def test_what_cannot_be_scored(score) -> None:
    maps, masks = drawn(3)
    with pytest.raises(ValueError, match=r"got \(5, 1, 11, 12\) and"):
        score(maps[..., 1:], masks)
    with pytest.raises(ValueError, match="between 0 and 1"):
        score(maps + 0.5, masks)
    with pytest.raises(ValueError, match="each with a True"):
        score(maps, torch.zeros_like(masks))
    with pytest.raises(ValueError, match="masks must be boolean"):
        score(maps, masks.float())


@pytest.mark.usefixtures("as_shipped")
def test_beta_is_positive() -> None:
    with pytest.raises(ValueError, match="beta_squared must be positive"):
        max_f_beta(*drawn(3), beta_squared=0)
