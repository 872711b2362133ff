"""Runs on this machine: worker processes with one torch thread each."""

import os
import platform
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from time import perf_counter, time
from typing import NamedTuple

import torch
from joblib import Parallel, delayed

from attncourse.trials.loop import training_on
from attncourse.trials.networks import packed
from attncourse.trials.provenance import hardware
from attncourse.trials.scores import Scores

Run = Callable[[str, int], Scores | dict[str, float]]


class Outcome(NamedTuple):
    """What one run gave, when and where.

    The `network` is base64 of its file, empty if the run has none, and None
    if none was asked for.
    """

    variant: str
    seed: int
    metrics: dict[str, float]
    seconds: float
    started: float
    worker: str
    cpu: str
    gpu: str
    blocks: dict[str, list[float]]
    curve: dict[str, list[float]]
    network: str | None


Task = Callable[[], Outcome]


def attempt(
    run: Run,
    variant: str,
    seed: int,
    device: str | None = None,
    keep: bool = False,
) -> Outcome:
    """Do one run on one torch thread; say which one failed, if it does.

    With a `device` the networks are trained there; `keep` asks for the
    trained network, if the run hands one over.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    started, start = time(), perf_counter()
    try:
        with training_on(device):
            scores = run(variant, seed)
        if not isinstance(scores, Scores):
            scores = Scores(scores)
        for name, value in scores.metrics.items():
            if not isfinite(value):
                raise ValueError(f"metric {name!r} is {value}")
        seconds = perf_counter() - start
        network = b""
        if keep and scores.network is not None:
            network = packed(scores.network)
    except Exception as error:
        raise RuntimeError(
            f"variant {variant!r}, seed {seed} failed: {error}"
        ) from error
    finally:
        torch.set_num_threads(threads)
    history = scores.history
    return Outcome(
        variant=variant,
        seed=seed,
        metrics=scores.metrics,
        seconds=seconds,
        started=started,
        worker=f"{platform.node()}:{os.getpid()}",
        **hardware(),
        blocks=scores.blocks,
        curve={"loss": [*history.loss], "accuracy": [*history.accuracy]}
        if history is not None
        else {},
        network=b64encode(network).decode() if keep else None,
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
