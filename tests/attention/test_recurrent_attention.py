import math

import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import map_coordinates
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


def test_between_pixels_and_at_odd_sizes_patches_read_the_averages() -> None:
    """Zeros fill the image up; a patch is read bilinearly from its level."""
    padded = F.pad(ramp(13, 23), (0, 1, 0, 3))  # to multiples of four
    row, column = 6.3, 9.8
    found = GlimpseReader(3, 3).read(
        ramp(13, 23), centre_of(row, column, 13, 23)
    )
    for scale in range(3):
        side = 2**scale
        level = padded.unfold(2, side, side).unfold(3, side, side)
        level = level.mean((-2, -1))
        steps = torch.arange(-1, 2).double()
        rows = (row / side - 0.5 + steps).expand(3, 3).T
        columns = (column / side - 0.5 + steps).expand(3, 3)
        for channel in range(2):
            expected = map_coordinates(
                level[0, channel].numpy(),
                [rows.numpy(), columns.numpy()],
                order=1,
                mode="grid-constant",
            )
            patch = found[0, 2 * scale + channel]
            assert_close(patch, torch.from_numpy(expected))


def test_an_image_no_larger_than_one_coarse_pixel_can_be_read() -> None:
    x = ramp(4, 4)
    found = GlimpseReader(1, 3).read(x, centre_of(2, 2, 4, 4))
    assert_close(found[:, 4:, 0, 0], x.mean((2, 3)))


@pytest.mark.parametrize("reader", [GlimpseReader(4), GaussianReader(4)])
def test_readers_make_nothing_on_another_device(reader) -> None:
    x = ramp().to("meta")
    glimpse = x.new_zeros(1, reader.numbers)
    assert reader.read(x, glimpse).device.type == "meta"
    assert reader.footprint(glimpse, (16, 24)).device.type == "meta"


def test_outside_the_image_is_zero() -> None:
    x = ramp().abs() + 1
    found = GlimpseReader(4, 1).read(x, centre_of(0, 0, 16, 24))
    assert (found[..., :2, :] == 0).all()
    assert (found[..., :, :2] == 0).all()
    assert_close(found[..., 2:, 2:], x[..., :2, :2])


def test_the_footprint_lies_under_the_finest_patch() -> None:
    glimpse = centre_of(7, 10, 16, 24)
    found = GlimpseReader(4, 2).footprint(glimpse, (16, 24))
    expected = torch.zeros(1, 1, 16, 24, dtype=torch.float64)
    expected[..., 5:9, 8:12] = 1 / 16
    assert_close(found, expected)


def test_the_gaussian_reader_equals_the_double_sum() -> None:
    torch.manual_seed(0)
    reader, x = GaussianReader(3), ramp(5, 7)
    glimpse = torch.tensor([[0.1, -0.2, 0.3, -0.5, 0.4]], dtype=torch.float64)
    gx, gy, log_variance, log_spacing, log_gain = glimpse[0].tolist()
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
    found = reader.read(x, glimpse)
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


def test_two_windows_stand_at_the_two_ends() -> None:
    glimpse = torch.tensor([[0.0, 0.0, -9.0, 0.0, 0.0]], dtype=torch.float64)
    found = GaussianReader(2).read(ramp(7, 7), glimpse)
    assert_close(found, ramp(7, 7)[..., ::6, ::6])


def test_narrow_windows_far_outside_stay_finite() -> None:
    glimpse = torch.tensor([[9.0, -9.0, -12.0, 0.0, 0.0]], requires_grad=True)
    found = GaussianReader(3).read(ramp().float(), glimpse)
    found.sum().backward()
    assert found.isfinite().all()
    assert glimpse.grad is not None
    assert glimpse.grad.isfinite().all()


@pytest.mark.parametrize("reader", [GlimpseReader(4), GaussianReader(4)])
def test_without_training_nothing_is_drawn(reader) -> None:
    torch.manual_seed(0)
    net = RecurrentAttention(2, 5, glimpses=3, reader=reader).double().eval()
    x = ramp()
    first, again = net.play(x), net.play(x)
    assert torch.equal(first.locations, again.locations)
    assert (first.log_probs == 0).all()
    assert (first.locations[:, 0] == 0).all()
    _, maps = net.attend(x)
    assert maps.shape == (1, 3, 16, 24)
    assert (maps.sum((2, 3)) <= 1 + 1e-9).all()
    assert (maps.sum((2, 3)) > 0.5).all()


def test_it_equals_the_recurrence_written_out() -> None:
    torch.manual_seed(0)
    reader = GlimpseReader(4)
    net = RecurrentAttention(2, 5, glimpses=3, reader=reader, hidden_dim=7)
    net.double().eval()
    x = torch.randn(2, 2, 16, 24, dtype=torch.float64)
    state = torch.zeros(2, 7, dtype=torch.float64)
    position = torch.zeros(2, 2, dtype=torch.float64)
    episode = net.play(x)
    for step in range(3):
        assert_close(episode.baselines[:, step], net.baseline(state)[:, 0])
        assert_close(episode.locations[:, step], position)
        patch = reader.read(x, position).flatten(1)
        glimpse = (net.what(patch) + net.where(position)).clamp(min=0)
        state = net.core(glimpse, state)
        position = net.next(state).tanh()
    assert_close(episode.logits, net.classifier(state))
    assert_close(net(x), episode.logits)


@pytest.mark.parametrize("reader", [GlimpseReader(4), GaussianReader(4)])
def test_an_episode_has_its_documented_shapes(reader) -> None:
    net = RecurrentAttention(2, 5, glimpses=7, reader=reader)
    shapes = [part.shape for part in net.play(torch.randn(3, 2, 16, 24))]
    assert shapes == [(3, 5), (3, 7, 2), (3, 7), (3, 7)]


def test_defaults_draw_from_six_narrow_glimpses() -> None:
    net = RecurrentAttention(2, 5)
    assert (net.glimpses, net.std) == (6, 0.15)
    assert net.reader == GlimpseReader(8, 2)
    assert net.core.hidden_size == 128


def test_log_densities_are_those_of_the_normal_distribution() -> None:
    torch.manual_seed(0)
    net = RecurrentAttention(1, 5, glimpses=3, std=0.3).train()
    nn.init.zeros_(net.next.weight)
    episode = net.play(torch.randn(7, 1, 16, 16))
    assert (episode.log_probs[:, 0] == 0).all()
    normal = torch.distributions.Normal(net.next.bias.tanh(), 0.3)
    peak = normal.log_prob(normal.mean)
    expected = (normal.log_prob(episode.locations) - peak).sum(-1)
    assert_close(episode.log_probs[:, 1:], expected[:, 1:])


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
    positions = (mean + std * torch.randn(draws, 2)).detach()
    log_prob = -((positions - mean) / std).square().sum(1) / 2
    right = positions[:, 0] > 0.2
    logits = torch.stack([right.float(), 0.5 * torch.ones(draws)], 1) * 20
    episode = Episode(
        logits,
        positions[:, None],
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
    ("numbers", "settings"),
    [
        ((0, 5), {}),
        ((1, 0), {}),
        ((1, 5), {"glimpses": 0}),
        ((1, 5), {"hidden_dim": 0}),
        ((1, 5), {"std": 0.0}),
    ],
)
def test_impossible_numbers_are_refused(numbers, settings) -> None:
    with pytest.raises(ValueError, match="must be at least 1 and std"):
        RecurrentAttention(*numbers, **settings)


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
