"""How time and memory of attention grow with the number of tokens."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from attncourse import attention
from attncourse.bench.peers import Function
from attncourse.metrics.cost import cost

COUNTS = (256, 512, 1024, 2048, 4096)
WIDTH = 64


@dataclass(frozen=True)
class Growth:
    """Cost of one call for several numbers N of tokens.

    ``theory`` is the power of N by which time must grow in the end, and
    ``memory_theory`` that of the memory.
    """

    mechanism: str
    theory: int
    memory_theory: int
    counts: tuple[int, ...]
    milliseconds: tuple[float, ...]
    peak_mib: tuple[float, ...]

    @property
    def time_slope(self) -> float:
        """Measured power of N, from the two largest counts."""
        return _slope(self.counts, self.milliseconds)

    @property
    def memory_slope(self) -> float:
        """The same for the memory."""
        return _slope(self.counts, self.peak_mib)


@dataclass(frozen=True)
class Curve:
    """A mechanism, how its tokens are made, and what theory says."""

    mechanism: str
    build: Callable[[], nn.Module]
    inputs: Callable[[int], tuple[Tensor, ...]]
    theory: int
    memory_theory: int
    most: int = COUNTS[-1]


def measure_growth(
    *, device: str = "cpu", repeats: int = 5, counts: tuple[int, ...] = COUNTS
) -> tuple[Growth, ...]:
    """Measure every curve, forward only, for one sample and one head."""
    return tuple(
        _measure(curve, torch.device(device), repeats, counts)
        for curve in curves()
    )


def curves() -> list[Curve]:
    """What is measured."""
    return [
        Curve("written out", partial(Function, _written_out), _heads, 2, 2),
        Curve("with weights", partial(Function, _with_weights), _heads, 2, 2),
        Curve(
            "without weights",
            partial(Function, attention.scaled_dot_product_attention),
            _heads,
            2,
            1,
        ),
        Curve(
            "additive",
            partial(attention.AdditiveAttention, WIDTH, WIDTH, WIDTH),
            _tokens,
            2,
            2,
            most=2048,
        ),
        Curve(
            "non-local",
            partial(attention.NonLocal2d, WIDTH, 1),
            _map,
            2,
            1,
        ),
        Curve(
            "non-local, no softmax",
            partial(attention.NonLocal2d, WIDTH, 1, softmax=False),
            _map,
            1,
            1,
        ),
    ]


def _measure(
    curve: Curve,
    device: torch.device,
    repeats: int,
    counts: tuple[int, ...],
) -> Growth:
    torch.manual_seed(0)
    module = curve.build().to(device)
    chosen = tuple(count for count in counts if count <= curve.most)
    found = [
        cost(
            module,
            *(tensor.to(device) for tensor in curve.inputs(count)),
            repeats=repeats,
        )
        for count in chosen
    ]
    return Growth(
        curve.mechanism,
        curve.theory,
        curve.memory_theory,
        chosen,
        tuple(each.fastest for each in found),
        tuple(each.peak_mib for each in found),
    )


def _written_out(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    scores = query @ key.mT / query.shape[-1] ** 0.5
    return scores.softmax(-1) @ value


def _with_weights(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return attention.attention_weights(query, key) @ value


def _heads(count: int) -> tuple[Tensor, ...]:
    return tuple(torch.randn(3, 1, 1, count, WIDTH))


def _tokens(count: int) -> tuple[Tensor, ...]:
    return tuple(torch.randn(3, 1, count, WIDTH))


def _map(count: int) -> tuple[Tensor, ...]:
    """A map of as many positions, at most twice as wide as it is high."""
    rows = 2 ** (int(math.log2(count)) // 2)
    return (torch.randn(1, WIDTH, rows, count // rows),)


def _slope(counts: tuple[int, ...], values: tuple[float, ...]) -> float:
    more = math.log(counts[-1] / counts[-2])
    return math.log(values[-1] / values[-2]) / more
