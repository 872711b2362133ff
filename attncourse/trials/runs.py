"""Variants x seeds: run them all, lose none, and write the records."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch
from torch import nn
from tqdm.auto import tqdm

from attncourse.metrics import Interval, cost, paired_bootstrap
from attncourse.trials.local import (
    Outcome,
    Run,
    Task,
    attempt,
    run_locally,
)
from attncourse.trials.loop import Loss, classification
from attncourse.trials.provenance import code_digest, versions
from attncourse.trials.record import (
    Record,
    Series,
    Time,
    VariantResult,
    corrected,
    results_folder,
    save,
    write,
)


def nothing_more(*_: object) -> dict[str, float]:
    """Score nothing beyond what every variant of a trial has."""
    return {}


@dataclass(frozen=True)
class Variant:
    """One way to do it, and all in which it differs from the others.

    Attributes
    ----------
    label
        For people.
    build
        Builds its network.
    loss
        What it is trained by; cross-entropy unless said otherwise.
    score
        Metrics that this variant has and others have not; its arguments are
        those that the run of the trial hands it.
    """

    label: str
    build: Callable[..., nn.Module]
    loss: Loss = classification
    score: Callable[..., dict[str, float]] = nothing_more


@dataclass(frozen=True)
class Trial:
    """What is run, each variant with each seed, and what is kept of it.

    Attributes
    ----------
    name
        Name of the record.
    run
        Function from the name of a variant and a seed to the metrics; it must
        depend on nothing else, and be defined at the top of its module or be
        a `functools.partial` of such a function.
    variants
        The variants by name.
    control, profile, settings, command
        Kept in the record: the variant that all others are compared with,
        the size of the trial in words and in numbers, and the command that
        repeats it.
    family
        Number of claims that this one is judged with.
    seeds
        Every variant runs with each of them, so that differences are paired.
    example
        Shape of an input, for counting the multiply-adds of each variant.

    Raises
    ------
    ValueError
        If the control is not a variant, there are fewer than two seeds or one
        comes twice, or a name cannot be the name of a file.
    """

    name: str
    run: Run
    variants: Mapping[str, Variant]
    control: str
    seeds: Sequence[int]
    example: Sequence[int]
    command: str
    profile: str = "full"
    settings: Mapping[str, int | float] = field(default_factory=dict)
    family: int = 1

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_+.-]*", self.name):
            raise ValueError(
                f"the name {self.name!r} must be letters, digits and any of "
                f"_ + . -"
            )
        for variant in self.variants:
            if not re.fullmatch(r"[a-z0-9][a-z0-9_+.-]*", variant):
                raise ValueError(
                    f"the name {variant!r} of a variant must be lower-case "
                    f"letters, digits and any of _ + . -"
                )
        if self.control not in self.variants:
            raise ValueError(
                f"control must be one of the variants "
                f"{sorted(self.variants)}, got {self.control!r}"
            )
        seeds = list(self.seeds)
        if len(seeds) < 2 or len(set(seeds)) != len(seeds):
            raise ValueError(
                f"seeds must be two or more, all different, got {seeds}"
            )

    @property
    def jobs(self) -> list[tuple[str, int]]:
        """Every variant with every seed."""
        return [
            (variant, seed) for seed in self.seeds for variant in self.variants
        ]


def run_trials(
    trials: Sequence[Trial],
    *,
    results: Path | None = None,
    parts: Path | None = None,
    progress: bool = True,
    workers: int | None = None,
    backend: str = "local",
    address: str | None = None,
    gpus: float = 0.0,
) -> list[Record]:
    """Run every variant of every trial with every seed and write the records.

    Each finished run is kept at once under `parts`. The same call continues
    there after it was broken off, and does no run twice; two trials with the
    same run function and settings share their runs. A change of the code,
    the settings or a version starts afresh. The record of a trial,
    `<results>/<name>.json`, is written with its last run.

    Parameters
    ----------
    trials
        What to run, in this order.
    results
        Folder of the records; by default `book/results`.
    parts
        Folder of the finished runs; by default `<results>/.partial`.
    progress
        Show a bar.
    workers
        Processes on this machine, each with one torch thread; by default as
        many as there are processors.
    backend
        ``"local"``, or ``"ray"`` for a Ray cluster.
    address, gpus
        Of the cluster, and the share of a GPU that each run takes there;
        see :func:`attncourse.trials.cluster.run_on_ray`.

    Raises
    ------
    ValueError
        If the backend is unknown or an option is not one of its own.
    RuntimeError
        If a run fails or a metric is not finite; names its variant and seed.
    """
    execute = _backend(backend, workers, address, gpus)
    folder = results_folder() if results is None else results
    kept = folder / ".partial" if parts is None else parts
    needed = {trial.name: _paths(trial, kept) for trial in trials}
    jobs = {
        path: (trial.run, *job)
        for trial in trials
        for job, path in needed[trial.name].items()
    }
    done = {path: old for path in jobs if (old := _kept(path)) is not None}
    reused = set(done)
    missing = [path for path in jobs if path not in done]
    records: dict[str, Record] = {}

    def finish() -> None:
        for trial in trials:
            paths = needed[trial.name].values()
            if trial.name not in records and all(p in done for p in paths):
                outcomes = [done[path] for path in paths]
                fresh = [done[path] for path in paths if path not in reused]
                record = _record(trial, outcomes, fresh, backend)
                save(record, folder)
                records[trial.name] = record

    device = "cuda" if gpus else None
    tasks = [partial(attempt, *jobs[path], device) for path in missing]
    bar = tqdm(
        total=len(jobs), initial=len(reused), unit="run", disable=not progress
    )
    with bar:
        finish()
        for number, outcome in execute(tasks):
            path = missing[number]
            write(path, json.dumps(outcome._asdict(), allow_nan=False))
            done[path] = outcome
            finish()
            bar.update()
    return [records[trial.name] for trial in trials]


def _backend(
    backend: str, workers: int | None, address: str | None, gpus: float
) -> Callable[[Sequence[Task]], Iterator[tuple[int, Outcome]]]:
    if backend == "local":
        if address is not None or gpus:
            raise ValueError("address and gpus need the backend ray")
        count = (os.cpu_count() or 1) if workers is None else workers
        if count < 1:
            raise ValueError(f"workers must be positive, got {workers}")
        return partial(run_locally, workers=count)
    if backend == "ray":
        if workers is not None:
            raise ValueError("workers are those of the cluster with ray")
        if not 0 <= gpus <= 1:
            raise ValueError(f"gpus must lie between 0 and 1, got {gpus}")
        from attncourse.trials.cluster import run_on_ray

        return partial(run_on_ray, address=address, gpus=gpus)
    raise ValueError(f"backend must be local or ray, got {backend!r}")


def _paths(trial: Trial, parts: Path) -> dict[tuple[str, int], Path]:
    """Where each job of a trial is kept.

    The folder is named after everything on which the outcome depends.
    """
    run: Callable[..., object] = trial.run
    bound = []
    while isinstance(run, partial):
        bound.append(repr((run.args, sorted(run.keywords.items()))))
        run = run.func
    where = f"{run.__module__}.{run.__qualname__}"
    code = code_digest(run)
    facts = json.dumps([where, bound, code, dict(trial.settings), versions()])
    key = hashlib.sha256(facts.encode()).hexdigest()[:16]
    return {
        (variant, seed): parts / key / f"{variant}-{seed}.json"
        for seed in trial.seeds
        for variant in trial.variants
    }


def _kept(path: Path) -> Outcome | None:
    try:
        return Outcome(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _record(
    trial: Trial,
    outcomes: Sequence[Outcome],
    fresh: Sequence[Outcome],
    backend: str,
) -> Record:
    found = {(each.variant, each.seed): each for each in outcomes}
    variants = {
        name: _summary(
            variant, trial.example, [found[name, s] for s in trial.seeds]
        )
        for name, variant in trial.variants.items()
    }
    ends = [each.started + each.seconds for each in fresh]
    return Record(
        name=trial.name,
        control=trial.control,
        level=corrected(trial.family),
        family=trial.family,
        seeds=tuple(trial.seeds),
        variants=variants,
        differences={
            name: _differences(result, variants[trial.control])
            for name, result in variants.items()
            if name != trial.control
        },
        profile=trial.profile,
        settings=dict(trial.settings),
        versions=versions(),
        code=code_digest(trial.run),
        hardware={
            "cpu": "; ".join(sorted({each.cpu for each in outcomes})),
            "gpu": "; ".join(sorted({each.gpu for each in outcomes})),
            "threads": 1,
            "workers": len({each.worker for each in fresh}),
            "backend": backend,
        },
        command=trial.command,
        time=Time(
            runs=sum(each.seconds for each in outcomes),
            wall=max(ends) - min(e.started for e in fresh) if fresh else 0.0,
            runs_reused=len(outcomes) - len(fresh),
        ),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _summary(
    variant: Variant, example: Sequence[int], outcomes: Sequence[Outcome]
) -> VariantResult:
    with torch.random.fork_rng([]):
        spent = cost(variant.build(), torch.zeros(*example), repeats=1)
    return VariantResult(
        label=variant.label,
        parameters=spent.parameters,
        multiply_adds=spent.multiply_adds,
        seconds=tuple(outcome.seconds for outcome in outcomes),
        metrics={
            metric: Series(outcome.metrics[metric] for outcome in outcomes)
            for metric in outcomes[0].metrics
        },
    )


def _differences(
    ours: VariantResult, control: VariantResult
) -> dict[str, Interval]:
    return {
        metric: paired_bootstrap(series, control.metrics[metric])
        for metric, series in ours.metrics.items()
        if metric in control.metrics
    }
