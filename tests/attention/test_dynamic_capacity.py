import pytest
import torch
from scipy.stats import entropy
from torch import nn
from torch.testing import assert_close

from attncourse.attention import DynamicCapacity


def network(patches: int, *, seed: int = 0) -> DynamicCapacity:
    torch.manual_seed(seed)
    return DynamicCapacity(3, 5, patches=patches, width=7).double().eval()


def images(batch: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, 3, 24, 40, generator=generator).double()


def test_no_patches_is_the_coarse_network() -> None:
    net, x = network(0), images()
    seen = net.look(x)
    assert_close(net(x), net.top(net.coarse(x)))
    assert_close(seen.logits, seen.coarse_logits)
    assert (seen.hint == 0).all()


@pytest.mark.parametrize("patches", [15, 99])
def test_all_patches_are_the_fine_network(patches: int) -> None:
    net, x = network(patches), images()
    assert_close(net(x), net.top(net.fine_map(x)))


def test_chosen_positions_are_fine_and_the_others_coarse() -> None:
    net, x = network(4), images()
    seen = net.look(x)
    coarse = net.coarse(x).flatten(2)
    fine = net.fine_map(x).flatten(2)
    mixed = coarse.clone()
    for sample, positions in enumerate(seen.chosen):
        mixed[sample, :, positions] = fine[sample, :, positions]
    assert_close(seen.logits, net.top(mixed.unflatten(2, (3, 5))))


def test_the_most_salient_positions_are_chosen() -> None:
    seen = network(4).look(images())
    flat = seen.saliency.flatten(1)
    for sample, positions in enumerate(seen.chosen):
        others = torch.ones(15, dtype=torch.bool)
        others[positions] = False
        assert flat[sample, positions].min() >= flat[sample, others].max()


def test_saliency_is_the_norm_of_the_slope_of_the_entropy() -> None:
    net, x = network(4), images(1)
    coarse = net.coarse(x).detach()
    found = net.saliency(coarse)
    step = 1e-6

    def uncertainty(maps: torch.Tensor) -> float:
        p = net.top(maps)[0].softmax(-1)
        return float(entropy(p.detach().numpy()))

    base = uncertainty(coarse)
    expected = torch.zeros(3, 5, dtype=torch.float64)
    for row in range(3):
        for column in range(5):
            slopes = []
            for channel in range(7):
                moved = coarse.clone()
                moved[0, channel, row, column] += step
                slopes.append((uncertainty(moved) - base) / step)
            expected[row, column] = torch.tensor(slopes).norm()
    assert_close(found[0, 0], expected, atol=1e-5, rtol=1e-4)


def test_saliency_equals_automatic_differentiation() -> None:
    net, x = network(4), images(3)
    coarse = net.coarse(x).detach().requires_grad_()
    log_p = net.top(coarse).log_softmax(-1)
    uncertainty = -(log_p.exp() * log_p).sum()
    (slope,) = torch.autograd.grad(uncertainty, coarse)
    assert_close(net.saliency(coarse), slope.norm(dim=1, keepdim=True))


def test_where_the_top_is_silent_nothing_is_salient() -> None:
    net = network(4)
    torch.nn.init.zeros_(net.hidden.bias)
    silent = torch.zeros(2, 7, 3, 5, dtype=torch.float64)
    assert (net.saliency(silent) == 0).all()


def test_defaults_and_layers() -> None:
    net = DynamicCapacity(3, 5)
    assert net.patches == 8
    convolutions = [
        (tuple(layer.weight.shape), layer.stride[0], layer.bias is None)
        for layer in (*net.coarse, *net.fine)
        if isinstance(layer, nn.Conv2d)
    ]
    assert convolutions == [
        ((8, 3, 5, 5), 2, True),
        ((32, 8, 3, 3), 2, True),
        ((8, 3, 5, 5), 2, True),
        ((16, 8, 3, 3), 1, True),
        ((32, 16, 3, 3), 1, True),
    ]


def test_saliency_needs_no_gradient_mode_and_leaves_none_behind() -> None:
    net, x = network(4), images()
    with torch.no_grad():
        seen = net.look(x)
    assert seen.saliency.sum() > 0
    assert all(p.grad is None for p in net.parameters())


def test_the_hint_reaches_the_coarse_network_alone() -> None:
    net, x = network(4), images()
    net.look(x).hint.sum().backward()
    assert all(p.grad is None for p in net.fine.parameters())
    assert sum(p.grad.abs().sum() for p in net.coarse.parameters()) > 0


@pytest.mark.parametrize("patches", [1, 4])
def test_the_hint_is_the_squared_distance_to_the_fine_vectors(
    patches: int,
) -> None:
    net, x = network(patches), images()
    seen = net.look(x)
    gap = (net.coarse(x) - net.fine_map(x)).flatten(2).square().sum(1)
    expected = gap.gather(1, seen.chosen).mean(1)
    assert_close(seen.hint, expected)


def test_gradients_of_the_logits_are_exact() -> None:
    net = network(4)
    x = images(1).requires_grad_()
    assert torch.autograd.gradcheck(net, (x,), fast_mode=True, eps=1e-7)


def test_fine_patches_reach_the_border() -> None:
    net, x = network(15), images()
    assert net.fine_map(x).shape == net.coarse(x).shape


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_the_weights_are_the_saliency_as_shares(
    batch: int, factor: float
) -> None:
    net, x = network(4), images(batch)
    with torch.no_grad():
        net.classifier.weight *= factor
    saliency = net.look(x).saliency
    _, weights = net.attend(x)
    assert_close(weights, saliency / saliency.sum((2, 3), keepdim=True))


def test_without_any_slope_the_weights_are_flat() -> None:
    net, x = network(4), images()
    torch.nn.init.zeros_(net.classifier.weight)
    _, weights = net.attend(x)
    assert_close(weights, torch.full((2, 1, 3, 5), 1 / 15).double())


def test_a_side_that_is_no_multiple_of_eight_gets_zeros() -> None:
    net = network(4)
    x = images()
    cut = x[:, :, :21, :38]
    filled = torch.zeros_like(x)
    filled[:, :, :21, :38] = cut
    assert_close(net(cut), net(filled))
    assert_close(net.fine_map(cut), net.fine_map(filled))


@pytest.mark.parametrize(
    "numbers", [(0, 5, 1, 7), (3, 0, 1, 7), (3, 5, -1, 7), (3, 5, 1, 0)]
)
def test_impossible_numbers_are_refused(numbers: tuple[int, ...]) -> None:
    channels, classes, patches, width = numbers
    with pytest.raises(ValueError, match=f"got {channels}, {classes}, "):
        DynamicCapacity(channels, classes, patches=patches, width=width)
