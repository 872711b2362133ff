import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from attncourse.attention import NonLocal2d
from tests.attention.contracts import noise, scrambled, shuffled_positions


def parts(module: NonLocal2d, x: torch.Tensor) -> list[torch.Tensor]:
    return list(module.project(x).chunk(3, dim=1))


def by_matrix(
    module: NonLocal2d, x: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """The block, given its (batch, queries, keys) weights."""
    value = parts(module, x)[2]
    if module.pool > 1:
        value = F.max_pool2d(value, module.pool, ceil_mode=True)
    mixed = torch.einsum("bqk,bck->bcq", weights, value.flatten(2))
    return x + module.norm(module.output(mixed.unflatten(2, x.shape[2:])))


def test_it_equals_timm() -> None:
    """timm divides by the root of the channels, not of the width."""
    timm = pytest.importorskip("timm")
    ours = scrambled(NonLocal2d(14, 2))
    theirs = timm.layers.NonLocalAttn(14, rd_channels=7).double().eval()
    projections = [
        *ours.project.weight.chunk(3),
        *ours.project.bias.chunk(3),
    ]
    layers = (theirs.t, theirs.p, theirs.g)
    with torch.no_grad():
        for layer, weight, bias in zip(
            layers, projections[:3], projections[3:], strict=True
        ):
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
        theirs.t.weight *= (14 / 7) ** 0.5
        theirs.t.bias *= (14 / 7) ** 0.5
    theirs.z.load_state_dict(ours.output.state_dict())
    theirs.norm.load_state_dict(ours.norm.state_dict())
    x = noise(3, 14, 5, 7)
    assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("pool", [1, 2, 3])
def test_with_softmax_it_equals_the_formula(pool: int) -> None:
    module = scrambled(NonLocal2d(6, 2, pool=pool))
    x = noise(2, 6, 5, 7)
    query, key, _ = parts(module, x)
    if pool > 1:
        key = F.max_pool2d(key, pool, ceil_mode=True)
    scores = torch.einsum("bcq,bck->bqk", query.flatten(2), key.flatten(2))
    powers = (scores / 3**0.5).exp()
    expected = powers / powers.sum(2, keepdim=True)
    output, weights = module.attend(x)
    assert_close(weights.squeeze(1), expected)
    assert_close(output, by_matrix(module, x, expected))
    assert_close(module(x), output)


@pytest.mark.parametrize("pool", [1, 2])
def test_without_softmax_it_equals_the_formula(pool: int) -> None:
    module = scrambled(NonLocal2d(6, 2, pool=pool, softmax=False))
    x = noise(2, 6, 5, 7)
    query, key, _ = parts(module, x)
    if pool > 1:
        key = F.max_pool2d(key, pool, ceil_mode=True)
    scores = torch.einsum("bcq,bck->bqk", query.flatten(2), key.flatten(2))
    expected = scores / key.shape[2] / key.shape[3]
    output, weights = module.attend(x)
    assert_close(weights.squeeze(1), expected)
    assert_close(output, by_matrix(module, x, expected))
    assert_close(module(x), output)


def test_without_softmax_a_larger_map_gathers_no_more() -> None:
    """Dividing by the number of positions makes the sum a mean."""
    module = scrambled(NonLocal2d(6, 2, softmax=False))
    x = noise(2, 6, 5, 7)
    larger = module(x.repeat(1, 1, 3, 2))
    assert_close(larger, module(x).repeat(1, 1, 3, 2))


@pytest.mark.parametrize("softmax", [False, True])
def test_it_starts_as_the_identity(softmax: bool) -> None:
    module = NonLocal2d(6, 2, softmax=softmax)
    x = torch.randn(2, 6, 5, 7)
    assert torch.equal(module(x), x)
    assert torch.equal(module.eval()(x), x)


def test_first_the_norm_learns_and_then_the_rest() -> None:
    module = NonLocal2d(6, 2)
    x, target = torch.randn(2, 6, 5, 7), torch.randn(2, 6, 5, 7)
    step = torch.optim.SGD(module.parameters(), lr=0.1)
    for moved in (False, True):
        step.zero_grad()
        F.mse_loss(module(x), target).backward()
        assert module.norm.weight.grad.abs().max() > 1e-6
        gradient = module.project.weight.grad.abs().max().item()
        assert (gradient > 1e-8) is moved
        step.step()


@pytest.mark.parametrize("softmax", [False, True])
def test_permuting_the_positions_permutes_the_output(softmax: bool) -> None:
    module = scrambled(NonLocal2d(6, 2, softmax=softmax))
    x = noise(2, 6, 5, 7)
    assert_close(module(shuffled_positions(x)), shuffled_positions(module(x)))


def test_pooling_leaves_a_quarter_of_the_keys_and_no_border() -> None:
    module = scrambled(NonLocal2d(6, 2, pool=2))
    x = noise(2, 6, 5, 7)
    _, weights = module.attend(x)
    assert weights.shape == (2, 1, 35, 3 * 4)
    changed = x.clone()
    changed[..., -1, -1] += 9  # the last position stands in a cut square
    _, moved = module.attend(changed)
    assert not torch.allclose(weights[:, :, 0], moved[:, :, 0])


@pytest.mark.parametrize("pool", [1, 2])
@pytest.mark.parametrize(
    "layout", [torch.contiguous_format, torch.channels_last]
)
def test_without_weights_no_pair_is_stored(
    pool: int, layout: torch.memory_format
) -> None:
    x = torch.randn(2, 16, 7, 11).contiguous(memory_format=layout)
    module = NonLocal2d(16, pool=pool)
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        module(x)
    used = {event.key for event in recorded.key_averages()}
    assert "aten::_scaled_dot_product_flash_attention_for_cpu" in used
    assert "aten::_scaled_dot_product_attention_math" not in used


def test_without_softmax_the_cost_is_linear_in_the_positions() -> None:
    module = NonLocal2d(4, softmax=False).to("meta")
    costs = []
    for side in (8, 16):
        x = torch.empty(1, 4, side, side, device="meta")
        with FlopCounterMode(display=False) as counter:
            module(x)
        costs.append(counter.get_total_flops())
    assert costs[1] == 4 * costs[0]


def test_defaults_are_those_of_the_paper() -> None:
    module = NonLocal2d(64)
    assert module.project.out_channels == 3 * 32
    assert isinstance(module.norm, nn.BatchNorm2d)
    assert (module.norm.weight == 0).all()


@pytest.mark.usefixtures("as_shipped")
def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="channels=1 and reduction=2"):
        NonLocal2d(1)
    with pytest.raises(ValueError, match="pool must be at least 1, got 0"):
        NonLocal2d(6, pool=0)
    with pytest.raises(ValueError, match=r"\(batch, 6, height, width\), got"):
        NonLocal2d(6)(torch.randn(2, 7, 5, 3))
