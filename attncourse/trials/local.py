"""Runs on this machine: worker processes with one torch thread each."""

from collections.abc import Callable, Iterable, Iterator
from math import isfinite
from time import perf_counter
from typing import NamedTuple

import torch
from joblib import Parallel, delayed

Run = Callable[[str, int], dict[str, float]]


class Outcome(NamedTuple):
    """What one run gave."""

    arm: str
    seed: int
    metrics: dict[str, float]
    seconds: float


def attempt(run: Run, arm: str, seed: int) -> Outcome:
    """Do one run on one torch thread; say which one failed, if it does."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    start = perf_counter()
    try:
        metrics = run(arm, seed)
        for name, value in metrics.items():
            if not isfinite(value):
                raise ValueError(f"metric {name!r} is {value}")
    except Exception as error:
        raise RuntimeError(
            f"arm {arm!r}, seed {seed} failed: {error}"
        ) from error
    finally:
        torch.set_num_threads(threads)
    return Outcome(arm, seed, metrics, perf_counter() - start)


def run_locally(
    run: Run, jobs: Iterable[tuple[str, int]], workers: int
) -> Iterator[Outcome]:
    """Yield the outcome of each job as it ends, in any order.

    One worker is this process itself.
    """
    pool = Parallel(
        n_jobs=workers,
        backend="loky",
        return_as="generator_unordered",
        batch_size=1,
    )
    yield from pool(delayed(attempt)(run, arm, seed) for arm, seed in jobs)
