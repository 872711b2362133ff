"""Bugs that people found in public attention code, each beside its fix.

`public_ten` and `tuning` are there to look at while the checkup is written.
`kept` is not: the share of it that the checkup finds is measured, and is
worth something only as long as nothing was fitted to it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Inputs = tuple[Tensor, ...]


@dataclass(frozen=True)
class Bug:
    """A wrong module and a right one of the same weights."""

    name: str
    #: The thread that reports it: owner/repository#number.
    thread: str
    #: What was wrong for people.
    people: str
    #: What the module is meant to be, in the words of ``--as``.
    kind: str
    wrong: Callable[[], nn.Module]
    right: Callable[[], nn.Module]
    inputs: Callable[[], Inputs]
    #: A number that is zero for the right module.
    number: Callable[[nn.Module], float]
    #: What that number comes to at least for the wrong one.
    at_least: float

    def built(self, which: str) -> nn.Module:
        """Return the "wrong" or the "right" module, in eval mode."""
        torch.manual_seed(0)
        build: Callable[[], nn.Module] = getattr(self, which)
        return build().eval()


def random(*shapes: tuple[int, ...]) -> Callable[[], Inputs]:
    """Return a function that makes normal numbers of these shapes."""

    def make() -> Inputs:
        generator = torch.Generator().manual_seed(1)
        return tuple(torch.randn(s, generator=generator) for s in shapes)

    return make


def largest(gap: Tensor) -> float:
    """Return the largest size in a tensor."""
    return float(gap.detach().abs().max())


def moved(
    module: nn.Module, inputs: Inputs, *where: int | slice
) -> Iterator[Tensor]:
    """Yield how far each output moves if input 0 changes somewhere."""
    changed = inputs[0].clone()
    changed[where] += 1
    with torch.no_grad():
        before = module(*inputs)
        after = module(changed, *inputs[1:])
    if isinstance(before, Tensor):
        before, after = (before,), (after,)
    for old, new in zip(before, after, strict=True):
        yield (new - old).abs()


def shuffled(x: Tensor, seed: int = 2) -> Tensor:
    """Return the positions of a map in another order, the same each time."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(x[0, 0].numel(), generator=generator)
    return x.flatten(2)[..., order].view_as(x)
