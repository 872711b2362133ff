"""Runs on this machine: worker processes with one torch thread each."""

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from time import perf_counter, time
from typing import NamedTuple

import torch
from joblib import Parallel, delayed

from attncourse.trials.loop import training_on
from attncourse.trials.provenance import hardware

Run = Callable[[str, int], dict[str, float]]


class Outcome(NamedTuple):
    """What one run gave, when and where."""

    variant: str
    seed: int
    metrics: dict[str, float]
    seconds: float
    started: float
    worker: str
    cpu: str
    gpu: str


Task = Callable[[], Outcome]


def attempt(
    run: Run, variant: str, seed: int, device: str | None = None
) -> Outcome:
    """Do one run on one torch thread; say which one failed, if it does.

    With a `device` the networks are trained there.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    started, start = time(), perf_counter()
    try:
        with training_on(device):
            metrics = run(variant, seed)
        for name, value in metrics.items():
            if not isfinite(value):
                raise ValueError(f"metric {name!r} is {value}")
    except Exception as error:
        raise RuntimeError(
            f"variant {variant!r}, seed {seed} failed: {error}"
        ) from error
    finally:
        torch.set_num_threads(threads)
    return Outcome(
        variant=variant,
        seed=seed,
        metrics=metrics,
        seconds=perf_counter() - start,
        started=started,
        worker=f"{platform.node()}:{os.getpid()}",
        **hardware(),
    )


def run_locally(
    tasks: Sequence[Task], *, workers: int
) -> Iterator[tuple[int, Outcome]]:
    """Yield the number and the outcome of each task as it ends.

    One worker is this process itself.
    """
    pool = Parallel(
        n_jobs=workers,
        backend="loky",
        return_as="generator_unordered",
        batch_size=1,
    )
    yield from pool(
        delayed(_numbered)(number, task) for number, task in enumerate(tasks)
    )


def _numbered(number: int, task: Task) -> tuple[int, Outcome]:
    return number, task()
