"""Runs on a Ray cluster, or on a Ray started on this machine."""

import logging
import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from importlib import import_module
from types import ModuleType
from typing import Any

from attncourse.trials.local import Outcome, Task, attempt
from attncourse.trials.provenance import code_digest, versions

_RETRIES = 10


def run_on_ray(
    tasks: Sequence[Task], *, address: str | None = None, gpus: float = 0.0
) -> Iterator[tuple[int, Outcome]]:
    """Yield the number and the outcome of each task as it ends.

    Each task has one processor and one torch thread. A task whose worker or
    node dies starts again elsewhere, up to ten times, and counts once. One
    that raises does not start again: its error stops all others.

    Parameters
    ----------
    tasks
        Each a `functools.partial` of `attempt`. The nodes import what it
        names, so they need the same versions as this process.
    address
        The cluster to join and leave running: `auto`, `host:port` or
        `ray://host:port`. By default that of the variable RAY_ADDRESS; where
        it is not set, Ray starts on this machine and is shut down at the
        end. A Ray that this process has already joined is used as it is.
    gpus
        Share of a GPU that Ray sets aside for each task: with 0.25 four
        tasks share one.

    Raises
    ------
    ImportError
        If Ray is not installed.
    ValueError
        If gpus is not from 0 to 1, or this machine's own Ray has fewer.
    RuntimeError
        If a task fails; names its variant and seed. If a node has another
        version of what numbers rest on, or another source of the run; names
        the node and both.
    """
    if not 0 <= gpus <= 1:
        raise ValueError(f"gpus must lie between 0 and 1, got {gpus}")
    return _outcomes(_ray(), tasks, address, gpus)


def _ray() -> ModuleType:
    try:
        return import_module("ray")
    except ImportError as error:
        raise ImportError(
            "trials on a cluster need Ray, which is not installed: "
            'pip install "attncourse[ray]"'
        ) from error


def _outcomes(
    ray: ModuleType, tasks: Sequence[Task], address: str | None, gpus: float
) -> Iterator[tuple[int, Outcome]]:
    if not tasks:
        return
    with _joined(ray, address, gpus):
        remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=_RETRIES)
        send = remote(_attempt).remote
        pending = {
            send(ray.cloudpickle.dumps(task), _facts(task)): number
            for number, task in enumerate(tasks)
        }
        try:
            while pending:
                (ended,), _ = ray.wait(list(pending))
                number = pending.pop(ended)
                yield number, _outcome(ray, ended, tasks[number])
        finally:
            for unfinished in pending:
                ray.cancel(unfinished, force=True)


@contextmanager
def _joined(
    ray: ModuleType, address: str | None, gpus: float
) -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    where = address or os.environ.get("RAY_ADDRESS") or "local"
    alone = where == "local"
    ray.init(
        where,
        log_to_driver=False,
        logging_level=logging.ERROR,
        **({"include_dashboard": False} if alone else {}),
    )
    try:
        found = ray.cluster_resources().get("GPU", 0)
        if alone and gpus > found:
            raise ValueError(
                f"gpus is {gpus} for each task, but Ray finds {found:g} on "
                f"this machine"
            )
        yield
    finally:
        ray.shutdown()


def _attempt(packed: bytes, expected: Mapping[str, str]) -> Outcome:
    """Do a task on a node, if the node has what the driver has."""
    _compare(versions(), expected)
    task: Task = pickle.loads(packed)
    _compare(_facts(task), expected)
    return task()


def _compare(here: Mapping[str, str], expected: Mapping[str, str]) -> None:
    differs = [name for name in here if here[name] != expected[name]]
    if differs:
        node = import_module("ray").util.get_node_ip_address()
        raise RuntimeError(
            f"node {node} has {_listed(here, differs)}, but the trial was "
            f"started with {_listed(expected, differs)}; install the same on "
            f"every node"
        )


def _listed(facts: Mapping[str, str], names: Iterable[str]) -> str:
    return ", ".join(f"{name} {facts[name]}" for name in names)


def _facts(task: Task) -> dict[str, str]:
    """What must be the same everywhere."""
    run, *_ = _arguments(task)
    while isinstance(run, partial):
        run = run.func
    return versions() | _source(run)


@cache
def _source(run: Callable[..., Any]) -> dict[str, str]:
    """The source of a run; that of a notebook or script is sent along."""
    if run.__module__ == "__main__":
        return {}
    return {"source of the run": code_digest(run)[:12]}


def _arguments(task: Task) -> tuple[Any, ...]:
    if not isinstance(task, partial) or task.func is not attempt:
        raise ValueError(f"tasks must be partials of attempt, got {task!r}")
    return task.args


def _outcome(ray: ModuleType, ended: Any, task: Task) -> Outcome:
    try:
        outcome: Outcome = ray.get(ended)
    except ray.exceptions.RayTaskError as error:
        raise RuntimeError(str(error.cause)) from error
    except ray.exceptions.RayError as error:
        _, variant, seed, *_ = _arguments(task)
        raise RuntimeError(
            f"variant {variant!r}, seed {seed} failed: {error}"
        ) from error
    return outcome
