"""What becomes of attention while a network is trained."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from attncourse.checkup.finding import Finding, Report
from attncourse.checkup.network import Stack

HALF = torch.finfo(torch.float16).max
CLOSED = 0.01  # a factor below is a gate that passes nothing


@dataclass
class Seen:
    """What one layer did in the last call, and the worst of all calls."""

    calls: int = 0
    entropy: float = math.nan  # of the last maps, as a share of the largest
    keys: int = 0
    empty_rows: int = 0
    largest_score: float = 0.0
    closed: float = 0.0  # share of gates below `CLOSED` in the last call
    gates: int = 0


@dataclass
class Watched:
    """Filled while watching; ``report`` is there at the end."""

    layers: dict[str, Seen] = field(default_factory=dict)
    report: Report = field(default_factory=lambda: Report("", ()))


@contextmanager
def watch(model: nn.Module) -> Iterator[Watched]:
    """Look at every softmax and every gate during some steps of training.

    Examples
    --------
    >>> with watch(model) as seen:  # doctest: +SKIP
    ...     for _ in range(10):
    ...         train_step(model)
    >>> print(seen.report)  # doctest: +SKIP
    """
    watched = Watched()

    def told(path: str, name: str, args: tuple[Any, ...], out: Any) -> None:
        seen = watched.layers.setdefault(path, Seen())
        if name.startswith("_scaled_dot_product"):
            query, key = args[:2]
            key = key.repeat_interleave(
                max(query.shape[-3] // key.shape[-3], 1), -3
            )
            scores = query @ key.mT / query.shape[-1] ** 0.5
            _maps(seen, scores, scores.softmax(-1), -1)
        elif "softmax" in name:
            dim = args[1] if len(args) > 1 else -1
            _maps(seen, args[0], out, dim)
        else:
            _gates(seen, out)

    before = {k: v.detach().clone() for k, v in model.named_parameters()}
    with Stack(model, told):
        yield watched
    watched.report = Report(
        type(model).__name__,
        tuple(_findings(model, watched, before)),
        "training",
    )


@torch.no_grad()
def _maps(seen: Seen, scores: Tensor, weights: Tensor, dim: int) -> None:
    seen.calls += 1
    weights = weights.detach().float()
    seen.keys = weights.shape[dim] if weights.ndim else 1
    if seen.keys > 1:
        terms = torch.special.entr(weights).sum(dim)
        seen.entropy = float(terms.nanmean()) / math.log(seen.keys)
    finite = scores.isfinite()
    seen.empty_rows += int((~finite.any(dim)).sum())
    if finite.any():
        largest = float(scores[finite & (scores.abs() < 1e8)].abs().max())
        seen.largest_score = max(seen.largest_score, largest)


@torch.no_grad()
def _gates(seen: Seen, values: Tensor) -> None:
    seen.calls += 1
    seen.gates = values.numel()
    seen.closed = float((values < CLOSED).double().mean())


def _findings(
    model: nn.Module, watched: Watched, before: dict[str, Tensor]
) -> Iterator[Finding]:
    for path, seen in watched.layers.items():
        yield from _layer(path, seen)
    now = dict(model.named_parameters())
    moved = {
        name
        for name, value in now.items()
        if name in before and not torch.equal(value, before[name])
    }
    if not moved:
        return
    for name, value in now.items():
        if value.numel() == 1 and name in before and name not in moved:
            yield Finding(
                "warning",
                "training",
                f"{name} stayed at {float(value.detach()):.3g} while "
                f"{len(moved)} other parameters moved",
                "the optimiser does not have it, or the graph to it is cut",
                "hand it to the optimiser; see whether it gets a gradient",
                path=name.rpartition(".")[0],
            )


def _layer(path: str, seen: Seen) -> Iterator[Finding]:
    if seen.empty_rows:
        yield Finding(
            "error",
            "training",
            f"{seen.empty_rows} rows had nothing to attend in {seen.calls} "
            "calls",
            "their softmax is 0/0, and one NaN makes all gradients NaN",
            "let every row see one position",
            path=path,
        )
    if seen.largest_score > HALF:
        yield Finding(
            "warning",
            "training",
            f"scores reached {seen.largest_score:.3g}, beyond {HALF:.0f}",
            "in float16 they are inf",
            "divide by the root of the width, normalise queries and keys, "
            "or take scores in float32",
            path=path,
        )
    if seen.entropy < 0.01:
        yield Finding(
            "warning",
            "training",
            f"the maps have {seen.entropy:.1%} of the largest entropy of "
            f"{seen.keys} keys: each row looks at one position",
            "the scores have grown, and hardly any gradient is left",
            "scale or normalise the scores, or lower the learning rate",
            path=path,
        )
    if seen.gates and seen.closed > 0.95:
        yield Finding(
            "warning",
            "training",
            f"{seen.closed:.0%} of {seen.gates} gates are below {CLOSED}",
            "what they gate is lost, and their sigmoids have no slope left",
            "start with open gates, or lower the learning rate",
            path=path,
        )
    if not math.isnan(seen.entropy) and seen.entropy >= 0.01:
        yield Finding(
            "passed",
            "training",
            f"{seen.calls} calls, {seen.entropy:.0%} of the largest entropy",
            path=path,
        )
