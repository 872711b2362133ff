"""What a module costs: parameters, arithmetic, time and memory."""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

WARM_UP = 2


class Cost(NamedTuple):
    """What one call of a module costs.

    Attributes
    ----------
    parameters
        Numbers that the module learns or holds as parameters.
    multiply_adds
        Multiply-adds of all matrix products and convolutions in the call;
        element-wise work, norms, softmax and pooling are not counted.
    milliseconds
        Median wall time of the call.
    fastest
        Shortest wall time of the call, in milliseconds: the least disturbed
        by whatever else the machine did.
    peak_mib
        Most tensor memory held at once during the call, beyond what was
        held before it (parameters and inputs), in MiB; NaN on devices other
        than CPU and CUDA.
    """

    parameters: int
    multiply_adds: int
    milliseconds: float
    fastest: float
    peak_mib: float

    def __repr__(self) -> str:
        """Thousands separated, three significant digits."""
        return (
            f"Cost(parameters={self.parameters:,}, "
            f"multiply_adds={self.multiply_adds:,}, "
            f"milliseconds={self.milliseconds:.3g}, "
            f"fastest={self.fastest:.3g}, "
            f"peak_mib={self.peak_mib:.3g})"
        )


def cost(
    module: nn.Module,
    *inputs: Tensor,
    backward: bool = False,
    repeats: int = 11,
) -> Cost:
    """Measure one call of a module.

    Parameters
    ----------
    module
        Called as ``module(*inputs)``, on the device it stands on.
    inputs
        Its arguments.
    backward
        False: evaluation mode, no gradients recorded. True: training mode,
        forward and then the gradient of the summed output for all
        parameters and all inputs that require one.
    repeats
        Timed calls, after two to warm up.

    Returns
    -------
    Cost
        Time depends on the machine, its load and
        ``torch.get_num_threads()``; the rest does not. To compare
        modules, time them with :func:`costs`.

    Raises
    ------
    ValueError
        If ``repeats`` is below one, or ``backward`` is asked for and
        nothing requires a gradient.

    Notes
    -----
    Afterwards the module has its modes, gradients and buffers back, and the
    random state is as before. The first measurement in a process is
    preceded by a few seconds of torch's own imports, outside the timed calls.

    A fused attention kernel counts with the multiply-adds of the plain
    products that it replaces; the fused kernels of ``nn.LSTM``, ``nn.GRU``
    and ``nn.RNN`` are not counted. On a CPU the memory is what torch's own
    allocator hands out; scratch space that a library asks of the system
    itself is not seen.
    """
    return costs(
        {"module": module}, *inputs, backward=backward, repeats=repeats
    )["module"]


def costs(
    modules: Mapping[str, nn.Module],
    *inputs: Tensor,
    backward: bool = False,
    repeats: int = 11,
    seconds: float = 0.0,
) -> dict[str, Cost]:
    """Measure several modules on the same inputs, like :func:`cost`.

    The timed calls are interleaved: each round calls every module once, so
    that a machine that slows down for a while slows all of them.

    Parameters
    ----------
    modules
        By the names under which their costs are returned.
    inputs, backward, repeats
        As for :func:`cost`.
    seconds
        Go on with rounds until so much time is spent, but for at most ten
        times ``repeats``: short calls vary more from one to the next.

    Raises
    ------
    ValueError
        As :func:`cost`.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    calls = {
        name: _call(module, inputs, backward)
        for name, module in modules.items()
    }
    device = _device(modules, inputs)
    with _undone(modules, inputs, backward, device):
        arithmetic = {
            name: _multiply_adds(_call(_as_written(module), inputs, backward))
            for name, module in modules.items()
        }
        for name, module in modules.items():
            if _as_written(module) is not module:
                calls[name]()  # compiles it
        peaks = {name: _peak_mib(calls[name], device) for name in calls}
        times = _milliseconds(calls, device, repeats, seconds)
    return {
        name: Cost(
            sum(p.numel() for p in module.parameters()),
            arithmetic[name],
            statistics.median(times[name]),
            min(times[name]),
            peaks[name],
        )
        for name, module in modules.items()
    }


def _as_written(module: nn.Module) -> nn.Module:
    """What ``torch.compile`` wrapped: there the products can be counted."""
    wrapped = getattr(module, "_orig_mod", module)
    return wrapped if isinstance(wrapped, nn.Module) else module


def _call(
    module: nn.Module, inputs: tuple[Tensor, ...], backward: bool
) -> Callable[[], object]:
    if not backward:
        return torch.no_grad()(lambda: module(*inputs))
    sources = _with_gradient(module, inputs)
    if not sources:
        raise ValueError(
            "backward=True needs a parameter or an input that requires a "
            "gradient, got none"
        )

    def forward_and_backward() -> None:
        outputs = [
            leaf.sum()
            for leaf in tree_leaves(module(*inputs))
            if isinstance(leaf, Tensor) and leaf.requires_grad
        ]
        torch.autograd.backward(outputs)
        for source in sources:
            source.grad = None

    return torch.enable_grad()(forward_and_backward)


def _with_gradient(
    module: nn.Module, inputs: tuple[Tensor, ...]
) -> list[Tensor]:
    tensors = (*module.parameters(), *inputs)
    return [tensor for tensor in tensors if tensor.requires_grad]


def _device(
    modules: Mapping[str, nn.Module], inputs: tuple[Tensor, ...]
) -> torch.device:
    parameters = (p for m in modules.values() for p in m.parameters())
    first = next(iter((*inputs, *parameters)), None)
    return torch.device("cpu") if first is None else first.device


@contextmanager
def _undone(
    modules: Mapping[str, nn.Module],
    inputs: tuple[Tensor, ...],
    backward: bool,
    device: torch.device,
) -> Iterator[None]:
    """Set the modes; afterwards put back all that a call may change."""
    every = nn.ModuleList(modules.values())
    modes = [(part, part.training) for part in every.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in every.buffers()]
    sources = _with_gradient(every, inputs)
    gradients = [source.grad for source in sources]
    cuda = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(cuda):
            for source in sources:
                source.grad = None
            every.train(backward)
            yield
    finally:
        for part, training in modes:
            part.training = training
        with torch.no_grad():
            for buffer, old in buffers:
                buffer.copy_(old)
        for source, gradient in zip(sources, gradients, strict=True):
            source.grad = gradient


def _multiply_adds(call: Callable[[], object]) -> int:
    """Count without the fused kernels that the counter cannot see into."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        counter = FlopCounterMode(display=False)
        with counter, sdpa_kernel(SDPBackend.MATH):
            call()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return int(counter.get_total_flops()) // 2


def _milliseconds(
    calls: Mapping[str, Callable[[], object]],
    device: torch.device,
    repeats: int,
    seconds: float,
) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    for turn in range(WARM_UP + 10 * repeats):
        if turn >= WARM_UP + repeats and time.perf_counter() > end:
            break
        for name, call in calls.items():
            _synchronise(device)
            start = time.perf_counter()
            call()
            _synchronise(device)
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: series[WARM_UP:] for name, series in times.items()}


def _synchronise(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def _peak_mib(call: Callable[[], object], device: torch.device) -> float:
    if device.type == "cpu":
        return _peak_on_cpu(call) / 2**20
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        torch.cuda.synchronize(device)
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    return float("nan")


def _peak_on_cpu(call: Callable[[], object]) -> int:
    """Follow every allocation and release that torch makes, in bytes.

    The profiler's library would log each start and stop on stderr.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    with torch.autograd.profiler.profile(
        use_kineto=False, profile_memory=True
    ) as profile:
        call()
    held = peak = 0
    events = profile.kineto_results.events()
    for event in sorted(events, key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak
