import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.testing import assert_close

from attncourse import watch
from attncourse.attention import CBAM, ChannelGate, SpatialGate
from attncourse.bugs import cbam as wrong
from tests.attention import contracts
from tests.attention.contracts import noise, scrambled, shuffled_positions


def contract_one_perceptron(kind: type[ChannelGate]) -> None:
    counted = sum(p.numel() for p in kind(14, 2).parameters())
    assert counted == 2 * 14 * 14 // 2


def contract_equal_descriptors_double_the_score(
    kind: type[ChannelGate],
) -> None:
    """Of a constant map, average and maximum are the same."""
    module = scrambled(kind(14, 2))
    x = noise(2, 14, 1, 1).expand(-1, -1, 5, 3)
    _, gates = module.attend(x)
    score = module.expand(module.reduce(x[..., 0, 0]).clamp(min=0))
    assert_close(gates, torch.sigmoid(2 * score))


def contract_the_maximum_matters(kind: type[ChannelGate]) -> None:
    module = scrambled(kind(14, 2))
    x = noise(2, 14, 5, 3)
    peaked = x.clone()
    peaked[..., 0, 0] += 3
    peaked[..., 1, 1] -= 3
    assert_close(x.mean((2, 3)), peaked.mean((2, 3)))
    _, gates = module.attend(x)
    _, moved = module.attend(peaked)
    assert not torch.allclose(gates, moved)


def contract_gates_stay_below_one(kind: type[ChannelGate]) -> None:
    _, gates = scrambled(kind(14, 2)).attend(noise(2, 14, 5, 3))
    assert (gates < 1).all()


CONTRACTS = [
    contract_one_perceptron,
    contract_equal_descriptors_double_the_score,
    contract_the_maximum_matters,
    contract_gates_stay_below_one,
]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_channel_gate_keeps_its_contract(contract) -> None:
    contract(ChannelGate)


@pytest.mark.parametrize("contract", contracts.CONTRACTS)
def test_the_channel_gate_is_a_channel_gate(contract) -> None:
    contract(ChannelGate(14, 2))


@pytest.mark.parametrize(
    ("contract", "exhibit"),
    [
        (contract_one_perceptron, wrong.TwoPerceptrons),
        (
            contract_equal_descriptors_double_the_score,
            wrong.TwoPerceptrons,
        ),
        (
            contract_equal_descriptors_double_the_score,
            wrong.SumAfterSigmoid,
        ),
        (contract_gates_stay_below_one, wrong.SumAfterSigmoid),
        (contract_the_maximum_matters, wrong.DeadMaximum),
    ],
)
def test_wrong_channel_gates_are_rejected(contract, exhibit: type) -> None:
    with pytest.raises(AssertionError):
        contract(exhibit)


def contract_gates_follow_the_positions(kind: type[SpatialGate]) -> None:
    """Rolling the map rolls the gates, away from the border."""
    module = scrambled(kind(3))
    x = noise(2, 5, 11, 13)
    _, gates = module.attend(x)
    _, rolled = module.attend(x.roll((2, 3), (2, 3)))
    assert_close(gates[..., 1:8, 1:9], rolled[..., 3:10, 4:12])
    assert gates[..., 1:8, 1:9].std() > 1e-3


def test_the_spatial_gate_follows_the_positions() -> None:
    contract_gates_follow_the_positions(SpatialGate)


def test_pooling_over_the_positions_is_rejected() -> None:
    with pytest.raises(AssertionError):
        contract_gates_follow_the_positions(wrong.DescriptorsOverPositions)


def test_the_spatial_gate_ignores_the_order_of_channels() -> None:
    module = scrambled(SpatialGate())
    x = noise(2, 5, 11, 13)
    _, gates = module.attend(x)
    _, again = module.attend(x[:, [4, 0, 3, 1, 2]])
    assert_close(gates, again)
    _, moved = module.attend(shuffled_positions(x))
    assert not torch.allclose(gates, moved)


def test_the_spatial_gate_equals_a_loop_over_its_window() -> None:
    module = scrambled(SpatialGate(3))
    x = noise(2, 5, 7, 11)
    _, gates = module.attend(x)
    taps = module.filter.weight[0]
    for row, column in [(0, 0), (3, 5), (6, 10), (2, 10)]:
        score = torch.zeros(2, dtype=torch.float64)
        for i in range(3):
            for j in range(3):
                r, c = row + i - 1, column + j - 1
                if 0 <= r < 7 and 0 <= c < 11:
                    score += taps[0, i, j] * x[:, :, r, c].mean(1)
                    score += taps[1, i, j] * x[:, :, r, c].amax(1)
        score = module.norm(score[:, None, None, None]).flatten()
        assert_close(gates[:, 0, row, column], torch.sigmoid(score))


def contract_equals_timm(kind: type[CBAM]) -> None:
    cbam = pytest.importorskip("timm.layers.cbam")
    ours = scrambled(kind(14, 2))
    ours.spatial.norm.running_mean.fill_(0.3)
    ours.spatial.norm.running_var.fill_(1.7)
    theirs = cbam.CbamModule(14, rd_channels=7).double().eval()
    with torch.no_grad():
        for own, other in [
            (ours.channel.reduce, theirs.channel.fc1),
            (ours.channel.expand, theirs.channel.fc2),
        ]:
            other.weight.copy_(own.weight[..., None, None])
    theirs.spatial.conv.conv.load_state_dict(ours.spatial.filter.state_dict())
    theirs.spatial.conv.bn.load_state_dict(ours.spatial.norm.state_dict())
    x = noise(3, 14, 11, 13)
    assert_close(ours(x), theirs(x))


def test_it_equals_timm() -> None:
    contract_equals_timm(CBAM)


def test_a_spatial_gate_of_the_input_is_rejected() -> None:
    with pytest.raises(AssertionError):
        contract_equals_timm(wrong.SpatialGateOfTheInput)


@pytest.mark.parametrize("spatial_first", [False, True])
def test_it_is_its_two_halves_in_the_order_asked_for(
    spatial_first: bool,
) -> None:
    module = scrambled(CBAM(14, 2, 5, spatial_first=spatial_first))
    x = noise(2, 14, 11, 13)
    halves = [module.channel, module.spatial]
    if spatial_first:
        halves.reverse()
    between, earlier = halves[0].attend(x)
    expected, later = halves[1].attend(between)
    output, weights = module.attend(x)
    assert_close(output, expected)
    assert_close(module(x), expected)
    gates = (later, earlier) if spatial_first else (earlier, later)
    assert_close(tuple(weights), gates)
    assert weights.channel.shape == (2, 14)
    assert weights.spatial.shape == (2, 1, 11, 13)


def test_the_order_matters() -> None:
    first = scrambled(CBAM(14, 2))
    second = scrambled(CBAM(14, 2, spatial_first=True))
    x = noise(2, 14, 11, 13)
    assert not torch.allclose(first(x), second(x))


def test_with_and_without_gradient_the_output_is_the_same() -> None:
    module = scrambled(CBAM(14, 2))
    x = noise(2, 14, 11, 13)
    with torch.no_grad():
        expected = module(x)
    assert torch.equal(module(x.requires_grad_()), expected)


@pytest.mark.parametrize(
    ("half", "backward"),
    [
        (ChannelGate(14, 2), "aten::adaptive_max_pool2d"),
        (SpatialGate(), "aten::max"),
    ],
)
@pytest.mark.parametrize("gradient", [False, True])
def test_the_maximum_is_the_one_that_is_fast_in_this_direction(
    half: nn.Module, backward: str, gradient: bool
) -> None:
    x = torch.randn(2, 14, 11, 13, requires_grad=gradient)
    for recording in (True, False):
        with (
            torch.set_grad_enabled(recording),
            profile(activities=[ProfilerActivity.CPU]) as recorded,
        ):
            half(x)
        used = {event.key for event in recorded.key_averages()}
        learns = gradient and recording
        assert (backward in used) is learns
        assert ("aten::amax" in used) is not learns


def test_ties_for_the_maximum_leave_the_total_gradient() -> None:
    """A maximum has one unit of gradient, however many share it."""
    module = ChannelGate(14, 2).double()
    x = torch.ones(2, 14, 5, 3, dtype=torch.float64, requires_grad=True)
    _, gates = module.attend(x)
    (gradient,) = torch.autograd.grad(gates.sum(), x)
    step = 1e-6
    _, more = module.attend(x + step)
    assert_close(
        gradient.sum(), (more - gates).sum() / step, rtol=1e-4, atol=1e-6
    )


def test_defaults_are_those_of_the_paper() -> None:
    module = CBAM(64)
    assert module.channel.reduce.weight.shape == (4, 64)
    assert ChannelGate(64).reduce.weight.shape == (4, 64)
    assert module.spatial.filter.weight.shape == (1, 2, 7, 7)


def test_watch_sees_both_gates() -> None:
    model = nn.Sequential(nn.Conv2d(3, 14, 1), CBAM(14, 2)).eval()
    with watch(model) as maps:
        model(torch.randn(2, 3, 11, 13))
    assert maps["1.channel"].shape == (2, 14)
    assert maps["1.spatial"].shape == (2, 1, 11, 13)


@pytest.mark.usefixtures("as_shipped")
def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="channels=15 and reduction=16"):
        CBAM(15)
    with pytest.raises(ValueError, match="kernel_size must be odd"):
        CBAM(16, kernel_size=6)
    with pytest.raises(ValueError, match=r"\(batch, channels, height, width"):
        SpatialGate()(torch.randn(14, 5, 3))
    with pytest.raises(ValueError, match=r"\(batch, 16, height, width"):
        CBAM(16)(torch.randn(2, 14, 5, 3))


@pytest.mark.filterwarnings("ignore:.torch.jit.trace", "ignore:Converting")
@pytest.mark.usefixtures("as_shipped")
@pytest.mark.parametrize("grad", [False, True])
def test_a_trace_is_the_same_with_and_without_gradients(grad: bool) -> None:
    module = CBAM(14, 2).eval()
    x = torch.randn(2, 14, 5, 3, requires_grad=grad)
    traced = torch.jit.trace(module, x)
    assert_close(traced(x), module(x))
