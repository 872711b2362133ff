"""Variants x seeds: run them all, lose none, and write the records."""

import hashlib
import json
import os
import re
from base64 import b64decode
from collections.abc import (
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

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
from attncourse.trials.networks import sha256
from attncourse.trials.provenance import code_digest, versions
from attncourse.trials.record import (
    Curve,
    PilotTable,
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
        Function from the name of a variant and a seed to its
        :class:`Scores`, or to its metrics alone; it must depend on nothing
        else, and be defined at the top of its module or be a
        `functools.partial` of such a function. Or such a function for each
        variant.
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
    own
        In which the settings of a variant differ, kept in the record.
    blocked
        Metrics whose blocks are kept; all of them by default.
    pilot
        What it was planned by.

    Raises
    ------
    ValueError
        If the control is not a variant, there are fewer than two seeds or one
        comes twice, or a name cannot be the name of a file.
    """

    name: str
    run: Run | Mapping[str, Run]
    variants: Mapping[str, Variant]
    control: str
    seeds: Sequence[int]
    example: Sequence[int]
    command: str
    profile: str = "full"
    settings: Mapping[str, int | float] = field(default_factory=dict)
    family: int = 1
    own: Mapping[str, Mapping[str, int | float]] = field(default_factory=dict)
    blocked: Collection[str] | None = None
    pilot: PilotTable | None = None

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

    def run_of(self, variant: str) -> Run:
        """Return what runs a variant."""
        if isinstance(self.run, Mapping):
            return self.run[variant]
        return self.run


class Job(NamedTuple):
    """One run to be done; `keep` asks for the trained network."""

    run: Run
    variant: str
    seed: int
    keep: bool = False

    def path(self, parts: Path, settings: Mapping[str, int | float]) -> Path:
        """Where its outcome is kept.

        The folder is named after everything on which the outcome depends.
        """
        run: Callable[..., object] = self.run
        bound = []
        while isinstance(run, partial):
            bound.append(repr((run.args, sorted(run.keywords.items()))))
            run = run.func
        where = f"{run.__module__}.{run.__qualname__}"
        code = code_digest(run)
        facts = json.dumps([where, bound, code, dict(settings), versions()])
        key = hashlib.sha256(facts.encode()).hexdigest()[:16]
        return parts / key / f"{self.variant}-{self.seed}.json"


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
    device: str | None = None,
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
    device
        Where the networks are trained on this machine, such as ``"cuda"``.

    Raises
    ------
    ValueError
        If the backend is unknown or an option is not one of its own.
    RuntimeError
        If a run fails or a metric is not finite; names its variant and seed.
    """
    folder = results_folder() if results is None else results
    kept = folder / ".partial" if parts is None else parts
    needed = {trial.name: _jobs(trial, kept) for trial in trials}
    jobs: dict[Path, Job] = {}
    for trial in trials:
        for path, job in needed[trial.name].items():
            keep = job.keep or (path in jobs and jobs[path].keep)
            jobs[path] = job._replace(keep=keep)
    done: dict[Path, Outcome] = {}
    fresh: set[Path] = set()
    records: dict[str, Record] = {}
    for found in carry_out(
        jobs,
        progress=progress,
        workers=workers,
        backend=backend,
        address=address,
        gpus=gpus,
        device=device,
    ):
        done |= found.outcomes
        if found.fresh:
            fresh |= found.outcomes.keys()
        for trial in trials:
            paths = needed[trial.name]
            if trial.name not in records and paths.keys() <= done.keys():
                outcomes = [done[path] for path in paths]
                new = [done[path] for path in paths if path in fresh]
                record = _record(trial, outcomes, new, backend)
                save(record, folder, _networks(trial, outcomes))
                records[trial.name] = record
    return [records[trial.name] for trial in trials]


class Found(NamedTuple):
    """Outcomes, by the files in which they are kept."""

    outcomes: dict[Path, Outcome]
    fresh: bool


def carry_out(
    jobs: Mapping[Path, Job],
    *,
    progress: bool = True,
    workers: int | None = None,
    backend: str = "local",
    address: str | None = None,
    gpus: float = 0.0,
    device: str | None = None,
) -> Iterator[Found]:
    """Do jobs and keep each outcome in its file.

    First come the outcomes that were kept earlier, all at once, then each
    new one as it is done.
    """
    execute = _backend(backend, workers, address, gpus, device)
    done = {
        path: old
        for path, job in jobs.items()
        if (old := _kept(path, job)) is not None
    }
    yield Found(done, fresh=False)
    missing = [path for path in jobs if path not in done]
    where = "cuda" if gpus else device
    tasks: list[Task] = [
        partial(attempt, job.run, job.variant, job.seed, where, job.keep)
        for job in (jobs[path] for path in missing)
    ]
    bar = tqdm(
        total=len(jobs), initial=len(done), unit="run", disable=not progress
    )
    with bar:
        for number, outcome in execute(tasks):
            path = missing[number]
            write(path, json.dumps(outcome._asdict(), allow_nan=False))
            bar.update()
            yield Found({path: outcome}, fresh=True)


def _backend(
    backend: str,
    workers: int | None,
    address: str | None,
    gpus: float,
    device: str | None,
) -> Callable[[Sequence[Task]], Iterator[tuple[int, Outcome]]]:
    if backend == "local":
        if address is not None or gpus:
            raise ValueError("address and gpus need the backend ray")
        count = (os.cpu_count() or 1) if workers is None else workers
        if count < 1:
            raise ValueError(f"workers must be positive, got {workers}")
        return partial(run_locally, workers=count)
    if backend == "ray":
        if device is not None:
            raise ValueError("device is for this machine; gpus with ray")
        if workers is not None:
            raise ValueError("workers are those of the cluster with ray")
        if not 0 <= gpus <= 1:
            raise ValueError(f"gpus must lie between 0 and 1, got {gpus}")
        from attncourse.trials.cluster import run_on_ray

        return partial(run_on_ray, address=address, gpus=gpus)
    raise ValueError(f"backend must be local or ray, got {backend!r}")


def _jobs(trial: Trial, parts: Path) -> dict[Path, Job]:
    """Every job of a trial by the file in which its outcome is kept."""
    first = trial.seeds[0]
    jobs = [
        Job(trial.run_of(variant), variant, seed, keep=seed == first)
        for variant, seed in trial.jobs
    ]
    return {job.path(parts, trial.settings): job for job in jobs}


def _kept(path: Path, job: Job) -> Outcome | None:
    """Return an outcome that is whole, with its network if asked for."""
    try:
        kept = Outcome(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return None if job.keep and kept.network is None else kept


def _networks(trial: Trial, outcomes: Sequence[Outcome]) -> dict[str, bytes]:
    """Networks of the first seed, by variant."""
    return {
        each.variant: b64decode(each.network)
        for each in outcomes
        if each.seed == trial.seeds[0] and each.network
    }


def _record(
    trial: Trial,
    outcomes: Sequence[Outcome],
    fresh: Sequence[Outcome],
    backend: str,
) -> Record:
    found = {(each.variant, each.seed): each for each in outcomes}
    variants = {
        name: _summary(trial, name, [found[name, s] for s in trial.seeds])
        for name in trial.variants
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
        code=code_digest(trial.run_of(trial.control)),
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
        pilot=trial.pilot,
    )


def _summary(
    trial: Trial, name: str, outcomes: Sequence[Outcome]
) -> VariantResult:
    variant = trial.variants[name]
    with torch.random.fork_rng([]):
        spent = cost(variant.build(), torch.zeros(*trial.example), repeats=1)
    network = _networks(trial, outcomes).get(name)
    return VariantResult(
        label=variant.label,
        parameters=spent.parameters,
        multiply_adds=spent.multiply_adds,
        seconds=tuple(outcome.seconds for outcome in outcomes),
        metrics={
            metric: Series(outcome.metrics[metric] for outcome in outcomes)
            for metric in outcomes[0].metrics
        },
        blocks={
            metric: tuple(
                _rounded(outcome.blocks[metric]) for outcome in outcomes
            )
            for metric in outcomes[0].blocks
            if trial.blocked is None or metric in trial.blocked
        },
        curves=tuple(
            Curve(*map(_rounded, outcome.curve.values()))
            for outcome in outcomes
            if outcome.curve
        ),
        settings=dict(trial.own.get(name, {})),
        network="" if network is None else sha256(network),
    )


def _rounded(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(round(value, 4) for value in values)


def _differences(
    ours: VariantResult, control: VariantResult
) -> dict[str, Interval]:
    return {
        metric: paired_bootstrap(series, control.metrics[metric])
        for metric, series in ours.metrics.items()
        if metric in control.metrics
    }
