import math
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attncourse.metrics import Cost, cost, costs
from attncourse.metrics.cost import _peak_mib


class Fused(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x)


class Plain(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        scores = x @ x.mT / math.sqrt(x.shape[-1])
        return scores.softmax(-1) @ x


class Itself(nn.Module):
    """torch's attention of x to x, which has a kernel of its own in eval."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        found: tuple[Tensor, Tensor | None] = self.attention(
            x, x, x, need_weights=False
        )
        return found


class Branches(nn.Module):
    """Returns a dictionary: a list of results, and one without gradient."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(11, 13) for _ in range(count))

    def forward(self, x: Tensor) -> dict[str, object]:
        results = [layer(x) for layer in self.layers]
        return {"results": results, "best": results[0].argmax()}


class Diary(nn.Module):
    """Writes down its name at each call."""

    def __init__(self, name: str, entries: list[str]) -> None:
        super().__init__()
        self.name, self.entries = name, entries

    def forward(self, x: Tensor) -> Tensor:
        self.entries.append(self.name)
        return x + 1


def moody() -> nn.Sequential:
    """Has parameters, buffers that change, randomness and mixed modes."""
    net = nn.Sequential(nn.Conv2d(2, 3, 5), nn.BatchNorm2d(3), nn.Dropout(0.3))
    net.train()
    net[1].eval()
    return net


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer(bias: bool) -> None:
    layer = nn.Linear(67, 71, bias=bias)
    found = cost(layer, torch.randn(73, 67), repeats=3)
    assert found.parameters == 67 * 71 + 71 * bias
    assert found.multiply_adds == 73 * 67 * 71
    assert 0 < found.fastest <= found.milliseconds
    assert 73 * 71 * 4 / 2**20 <= found.peak_mib < 0.1


def test_a_convolution() -> None:
    layer = nn.Conv2d(3, 5, 7, stride=2, bias=False)
    found = cost(layer, torch.randn(2, 3, 31, 37), repeats=1)
    assert found.parameters == 5 * 3 * 7 * 7
    assert found.multiply_adds == 2 * 13 * 16 * (5 * 3 * 7 * 7)


def test_backward_adds_the_gradients() -> None:
    """One more product for the weights, one more for an input that asks."""
    layer = nn.Linear(11, 13, bias=False)
    x = torch.randn(17, 11)
    once = 17 * 11 * 13
    assert cost(layer, x, repeats=1).multiply_adds == once
    training = cost(layer, x, backward=True, repeats=1)
    assert training.multiply_adds == 2 * once
    x.requires_grad_()
    training = cost(layer, x, backward=True, repeats=1)
    assert training.multiply_adds == 3 * once


@pytest.mark.parametrize("backward", [False, True])
def test_a_fused_kernel_counts_what_it_replaces(backward: bool) -> None:
    x = torch.randn(2, 3, 101, 16, requires_grad=True)
    found = costs(
        {"fused": Fused(), "plain": Plain()}, x, backward=backward, repeats=1
    )
    products = 6 if backward else 2
    expected = products * 2 * 3 * 101 * 101 * 16
    assert found["plain"].multiply_adds == expected
    assert found["fused"].multiply_adds == expected
    assert found["fused"].peak_mib < found["plain"].peak_mib


def test_the_kernel_of_torchs_own_attention_counts_too() -> None:
    layer = Itself()
    found = cost(layer, torch.randn(2, 17, 12), repeats=1)
    projections, pairs = 4 * 2 * 17 * 12 * 12, 2 * 2 * 17 * 17 * 12
    assert found.multiply_adds == projections + pairs
    assert torch.backends.mha.get_fastpath_enabled()


def test_peak_is_what_is_held_at_once() -> None:
    """Of ten equal results in a row at most two are held, and no input."""
    layers = nn.Sequential(*[nn.ReLU() for _ in range(10)])
    found = cost(layers, torch.randn(2**18), repeats=1)
    assert found.peak_mib == 2


def test_training_holds_what_backward_needs() -> None:
    layers = nn.Sequential(*[nn.Sigmoid() for _ in range(10)])
    x = torch.randn(2**18, requires_grad=True)
    forward = cost(layers, x, repeats=1)
    training = cost(layers, x, backward=True, repeats=1)
    assert forward.peak_mib == 2
    assert 10 <= training.peak_mib <= 13


def test_memory_and_arithmetic_repeat_exactly() -> None:
    net, x = moody(), torch.randn(7, 2, 11, 13)
    first = cost(net, x, backward=True, repeats=1)
    second = cost(net, x, backward=True, repeats=1)
    times = {"milliseconds": 0.0, "fastest": 0.0}
    assert first._replace(**times) == second._replace(**times)


@pytest.mark.parametrize("backward", [False, True])
def test_the_module_is_left_as_it_was(backward: bool) -> None:
    net, x = moody(), torch.randn(7, 2, 11, 13)
    net(x).sum().backward()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    gradients = [
        p.grad.clone() for p in net.parameters() if p.grad is not None
    ]
    x.requires_grad_().grad = torch.ones_like(x)
    random = torch.get_rng_state()
    cost(net, x, backward=backward, repeats=2)
    assert x.grad is not None
    assert torch.equal(x.grad, torch.ones_like(x))
    assert [part.training for part in net.modules()] == [
        True,
        True,
        False,
        True,
    ]
    for name, value in net.state_dict().items():
        assert torch.equal(value, state[name])
    for parameter, gradient in zip(net.parameters(), gradients, strict=True):
        assert torch.equal(parameter.grad, gradient)
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.is_grad_enabled()


def test_a_module_that_fails_is_left_as_it_was() -> None:
    net = moody()
    with pytest.raises(RuntimeError, match="channels"):
        cost(net, torch.randn(7, 3, 11, 13))
    assert net.training
    assert not net[1].training
    assert torch.backends.mha.get_fastpath_enabled()


def test_timed_calls_take_turns() -> None:
    entries: list[str] = []
    modules = {name: Diary(name, entries) for name in ("a", "b", "c")}
    found = costs(modules, torch.zeros(3), repeats=5)
    assert list(found) == ["a", "b", "c"]
    assert entries[-15:] == ["a", "b", "c"] * 5


def test_several_outputs_are_all_differentiated() -> None:
    x = torch.randn(7, 11)
    one = cost(Branches(1), x, backward=True, repeats=1)
    three = cost(Branches(3), x, backward=True, repeats=1)
    assert one.multiply_adds == 2 * 7 * 11 * 13
    assert three.multiply_adds == 3 * one.multiply_adds


def test_a_module_without_parameters_and_inputs() -> None:
    class Constant(nn.Module):
        def forward(self) -> Tensor:
            return torch.zeros(2**18)

    found = cost(Constant(), repeats=1)
    assert found.parameters == found.multiply_adds == 0
    assert found.peak_mib == 1


def test_memory_elsewhere_is_unknown() -> None:
    assert math.isnan(_peak_mib(lambda: None, torch.device("mps")))


def test_nothing_is_printed() -> None:
    """In a process of its own: another profiler may have set the level."""
    code = (
        "import torch; from attncourse.metrics import cost; "
        "cost(torch.nn.ReLU(), torch.zeros(3), repeats=1)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_no_repeats_are_refused() -> None:
    with pytest.raises(ValueError, match="repeats must be at least 1, got 0"):
        cost(nn.ReLU(), torch.zeros(3), repeats=0)


def test_backward_without_a_gradient_is_refused() -> None:
    with pytest.raises(ValueError, match="backward=True needs a parameter"):
        cost(nn.ReLU(), torch.zeros(3), backward=True)


def test_the_repr_reads_well() -> None:
    assert repr(Cost(16_234, 3_600_000, 1.2345, 0.512, 0.98765)) == (
        "Cost(parameters=16,234, multiply_adds=3,600,000, "
        "milliseconds=1.23, fastest=0.512, peak_mib=0.988)"
    )


@pytest.mark.gpu
@pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device"
)
@pytest.mark.parametrize("backward", [False, True])
def test_on_a_gpu(backward: bool) -> None:
    layer = nn.Linear(67, 71, device="cuda")
    x = torch.randn(73_000, 67, device="cuda")
    random = torch.cuda.get_rng_state()
    found = cost(layer, x, backward=backward, repeats=3)
    assert found.multiply_adds == 73_000 * 67 * 71 * (1 + backward)
    assert found.peak_mib >= 73_000 * 71 * 4 / 2**20
    assert torch.equal(torch.cuda.get_rng_state(), random)


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("backward", [False, True])
def test_a_compiled_module_counts_like_the_one_it_came_from(
    backward: bool,
) -> None:
    layers = nn.Sequential(nn.Linear(7, 11), nn.Linear(11, 5))
    torch.compiler.reset()
    compiled = torch.compile(layers, backend="aot_eager")
    x = torch.randn(3, 7)
    found = cost(compiled, x, backward=backward, repeats=1)
    plain = cost(layers, x, backward=backward, repeats=1)
    assert found.multiply_adds == plain.multiply_adds > 0
    assert found.parameters == plain.parameters


def test_short_calls_are_repeated_for_the_seconds_asked() -> None:
    calls = []

    class Counted(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            calls.append(1)
            return x

    costs({"counted": Counted()}, torch.zeros(3), repeats=2)
    few = len(calls)
    calls.clear()
    costs({"counted": Counted()}, torch.zeros(3), repeats=2, seconds=60.0)
    assert len(calls) == few + 18  # ten times as many, and no more
