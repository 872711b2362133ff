import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attncourse.attention import (
    GaussianReader,
    GlimpseReader,
    RecurrentAttention,
    reinforce_loss,
)
from attncourse.attention.recurrent_attention import Episode


def ramp(height: int = 16, width: int = 24) -> torch.Tensor:
    values = torch.arange(2 * height * width, dtype=torch.float64)
    return values.reshape(1, 2, height, width).sin()


def centre_of(row: float, column: float, height: int, width: int):
    """The location of a point in pixels, counted from the upper left."""
    return torch.tensor(
        [[2 * column / width - 1, 2 * row / height - 1]],
        dtype=torch.float64,
    )


def test_the_finest_patch_equals_slicing() -> None:
    x = ramp()
    found = GlimpseReader(4, 1).read(x, centre_of(7, 10, 16, 24))
    assert_close(found, x[..., 5:9, 8:12])


def test_wider_patches_average_the_pixels() -> None:
    x = ramp()
    found = GlimpseReader(4, 3).read(x, centre_of(8, 12, 16, 24))
    assert found.shape == (1, 6, 4, 4)
    double = x[..., 4:12, 8:16].unfold(2, 2, 2).unfold(3, 2, 2)
    assert_close(found[:, 2:4], double.mean((-2, -1)))
    quadruple = x[..., 0:16, 4:20].unfold(2, 4, 4).unfold(3, 4, 4)
    assert_close(found[:, 4:6], quadruple.mean((-2, -1)))


def test_outside_the_image_is_zero() -> None:
    x = ramp().abs() + 1
    found = GlimpseReader(4, 1).read(x, centre_of(0, 0, 16, 24))
    assert (found[..., :2, :] == 0).all()
    assert (found[..., :, :2] == 0).all()
    assert_close(found[..., 2:, 2:], x[..., :2, :2])


def test_the_footprint_lies_under_the_finest_patch() -> None:
    told = centre_of(7, 10, 16, 24)
    found = GlimpseReader(4, 2).footprint(told, (16, 24))
    expected = torch.zeros(1, 1, 16, 24, dtype=torch.float64)
    expected[..., 5:9, 8:12] = 1 / 16
    assert_close(found, expected)


def test_the_gaussian_reader_equals_the_double_sum() -> None:
    torch.manual_seed(0)
    reader, x = GaussianReader(3), ramp(5, 7)
    told = torch.tensor([[0.1, -0.2, 0.3, -0.5, 0.4]], dtype=torch.float64)
    gx, gy, log_variance, log_spacing, log_gain = told[0].tolist()
    spacing = math.exp(log_spacing) * (7 - 1) / (3 - 1)
    banks = []
    for centre, pixels in ((gy, 5), (gx, 7)):
        middle = ((centre + 1) * pixels - 1) / 2
        bank = []
        for i in range(3):
            mean = middle + (i - 1) * spacing
            row = [
                math.exp(-((a - mean) ** 2) / (2 * math.exp(log_variance)))
                for a in range(pixels)
            ]
            bank.append([value / sum(row) for value in row])
        banks.append(bank)
    found = reader.read(x, told)
    for c in range(2):
        for i in range(3):
            for j in range(3):
                total = sum(
                    banks[0][i][a] * banks[1][j][b] * x[0, c, a, b].item()
                    for a in range(5)
                    for b in range(7)
                )
                expected = math.exp(log_gain) * total
                assert found[0, c, i, j].item() == pytest.approx(expected)


def test_narrow_windows_far_outside_stay_finite() -> None:
    told = torch.tensor([[9.0, -9.0, -12.0, 0.0, 0.0]], requires_grad=True)
    found = GaussianReader(3).read(ramp().float(), told)
    found.sum().backward()
    assert found.isfinite().all()
    assert told.grad is not None
    assert told.grad.isfinite().all()


@pytest.mark.parametrize("reader", [GlimpseReader(4), GaussianReader(4)])
def test_without_training_nothing_is_drawn(reader) -> None:
    torch.manual_seed(0)
    net = RecurrentAttention(2, 5, glimpses=3, reader=reader).double().eval()
    x = ramp()
    first, again = net.play(x), net.play(x)
    assert torch.equal(first.locations, again.locations)
    assert (first.log_probs == 0).all()
    assert (first.locations[:, 0] == 0).all()
    _, maps = net(x, return_weights=True)
    assert maps.shape == (1, 3, 16, 24)
    assert (maps.sum((2, 3)) <= 1 + 1e-9).all()
    assert (maps.sum((2, 3)) > 0.5).all()


def test_training_draws_around_the_mean_with_the_stated_spread() -> None:
    torch.manual_seed(0)
    net = RecurrentAttention(1, 5, glimpses=2, std=0.3).train()
    nn.init.zeros_(net.next.weight)
    nn.init.zeros_(net.next.bias)
    locations = net.play(torch.zeros(4000, 1, 16, 16)).locations[:, 1]
    assert locations.mean(0).abs().max() < 0.03
    assert (locations.std(0) - 0.3).abs().max() < 0.03


def test_the_policy_gradient_has_the_right_direction_and_size() -> None:
    """Against the exact gradient of the expected reward of one Gaussian."""
    torch.manual_seed(0)
    mean = torch.zeros(2, requires_grad=True)
    draws = 200_000
    std = 0.5
    places = (mean + std * torch.randn(draws, 2)).detach()
    log_prob = -((places - mean) / std).square().sum(1) / 2
    right = places[:, 0] > 0.2
    logits = torch.stack([right.float(), 0.5 * torch.ones(draws)], 1) * 20
    episode = Episode(
        logits,
        places[:, None],
        log_prob[:, None],
        right.float().mean().expand(draws, 1),
    )
    reinforce_loss(episode, torch.zeros(draws, dtype=torch.long)).backward()
    # d/dm P(x > 0.2) for x ~ N(m, std) is the density of x at 0.2.
    density = math.exp(-((0.2 / std) ** 2) / 2) / (
        std * math.sqrt(2 * math.pi)
    )
    assert mean.grad is not None
    assert_close(mean.grad, torch.tensor([-density, 0.0]), atol=0.01, rtol=0.0)


def test_the_loss_reaches_every_parameter() -> None:
    torch.manual_seed(0)
    net = RecurrentAttention(2, 5, glimpses=3).train()
    labels = torch.tensor([1, 3, 0])
    x = torch.randn(3, 2, 16, 24)
    reinforce_loss(net.play(x), labels).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_baseline_takes_no_part_in_the_policy_gradient() -> None:
    baselines = torch.zeros(2, 3, requires_grad=True)
    log_probs = torch.randn(2, 3, requires_grad=True)
    logits = torch.tensor([[5.0, 0.0], [5.0, 0.0]])
    episode = Episode(logits, torch.zeros(2, 3, 2), log_probs, baselines)
    reinforce_loss(episode, torch.tensor([0, 1])).backward()
    reward = torch.tensor([[1.0], [0.0]]).expand(2, 3)
    assert_close(log_probs.grad, -reward / 6)
    assert_close(baselines.grad, -2 * reward / 6)


def test_a_differentiable_reader_learns_by_the_loss_of_the_class() -> None:
    torch.manual_seed(0)
    net = RecurrentAttention(2, 5, glimpses=2, reader=GaussianReader(4))
    logits = net.train()(torch.randn(3, 2, 16, 24))
    logits.sum().backward()
    assert net.next.weight.grad is not None
    assert net.next.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "settings",
    [{"glimpses": 0}, {"hidden_dim": 0}, {"std": 0.0}],
)
def test_impossible_numbers_are_refused(settings) -> None:
    with pytest.raises(ValueError, match="must be at least 1 and std"):
        RecurrentAttention(1, 5, **settings)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: GlimpseReader(0), "at least 1, got 0 and 2"),
        (lambda: GlimpseReader(4, 0), "at least 1, got 4 and 0"),
        (lambda: GaussianReader(1), "at least 2, got 1"),
    ],
)
def test_impossible_readers_are_refused(build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
