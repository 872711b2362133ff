"""Arms x seeds: run them all, lose none, and write the record."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter

import torch
from torch import nn
from tqdm.auto import tqdm

from attncourse.measure import Interval, cost, paired_bootstrap
from attncourse.trials.local import Outcome, Run, run_locally
from attncourse.trials.provenance import code_digest, hardware, versions
from attncourse.trials.record import (
    ArmResult,
    Record,
    Series,
    Time,
    results_folder,
    save,
    write,
)


@dataclass(frozen=True)
class Arm:
    """One way to do it: a label for people, and how its model is built."""

    label: str
    build: Callable[[], nn.Module]


def trial(
    name: str,
    run: Run,
    arms: Mapping[str, Arm],
    *,
    question: str,
    control: str,
    seeds: Sequence[int],
    example: Sequence[int],
    command: str,
    profile: str = "full",
    settings: Mapping[str, int | float] | None = None,
    workers: int | None = None,
    results: Path | None = None,
    progress: bool = True,
) -> Record:
    """Run every arm with every seed and write `<results>/<name>.json`.

    Each finished run is kept at once under `<results>/.partial`. The same
    call continues there after it was broken off, and does no run twice. A
    change of the code, the settings or a version starts afresh.

    Parameters
    ----------
    name
        Name of the record.
    run
        Function from the name of an arm and a seed to the metrics; it must
        depend on nothing else, and be defined at the top of its module or be
        a `functools.partial` of such a function.
    arms
        The arms by name.
    question, control, profile, settings, command
        Kept in the record: what is asked, the arm that all others are
        compared with, the size of the trial in words and in numbers, and the
        command that repeats it.
    seeds
        Every arm runs with each of them, so that differences are paired.
    example
        Shape of an input, for counting the multiply-adds of each arm.
    workers
        Number of processes, each with one torch thread; by default as many
        as there are processors.
    results
        Folder of the records; by default `book/results`.
    progress
        Show a bar.

    Raises
    ------
    ValueError
        If the control is not an arm, there are fewer than two seeds or one
        comes twice, or a name cannot be the name of a file.
    RuntimeError
        If a run fails or a metric is not finite; names its arm and seed.
    """
    count = workers or os.cpu_count() or 1
    _check(name, arms, control, seeds, count)
    start = perf_counter()
    folder = results_folder() if results is None else results
    settings = dict(settings or {})
    code = code_digest(run)
    parts = folder / ".partial" / name / _key(run, code, settings)
    jobs = [(arm, seed) for seed in seeds for arm in arms]
    done = {job: kept for job in jobs if (kept := _kept(parts, *job))}
    reused = len(done)
    bar = tqdm(
        total=len(jobs),
        initial=reused,
        desc=name,
        unit="run",
        disable=not progress,
    )
    missing = [job for job in jobs if job not in done]
    with bar:
        for outcome in run_locally(run, missing, count):
            _keep(parts, outcome)
            done[outcome.arm, outcome.seed] = outcome
            bar.update()
    outcomes = {arm: [done[arm, seed] for seed in seeds] for arm in arms}
    finished = {
        arm: _summary(arms[arm], example, outcomes[arm]) for arm in arms
    }
    record = Record(
        name=name,
        question=question,
        control=control,
        seeds=tuple(seeds),
        arms=finished,
        differences={
            arm: _differences(result, finished[control])
            for arm, result in finished.items()
            if arm != control
        },
        profile=profile,
        settings=settings,
        versions=versions(),
        code=code,
        hardware={
            **hardware(),
            "threads": 1,
            "workers": count,
        },
        command=command,
        time=Time(
            runs=sum(outcome.seconds for outcome in done.values()),
            wall=perf_counter() - start,
            runs_reused=reused,
        ),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    save(record, folder)
    return record


def _check(
    name: str,
    arms: Mapping[str, Arm],
    control: str,
    seeds: Sequence[int],
    workers: int,
) -> None:
    for word in name, *arms:
        if not re.fullmatch(r"[a-z0-9][a-z0-9_+.-]*", word):
            raise ValueError(
                f"the name {word!r} must be lower-case letters, digits and "
                f"any of _ + . -"
            )
    if control not in arms:
        raise ValueError(
            f"control must be one of the arms {sorted(arms)}, got {control!r}"
        )
    if len(seeds) < 2 or len(set(seeds)) != len(seeds):
        raise ValueError(
            f"seeds must be two or more, all different, got {list(seeds)}"
        )
    if workers < 1:
        raise ValueError(f"workers must be positive, got {workers}")


def _key(run: Run, code: str, settings: Mapping[str, int | float]) -> str:
    """A name for everything on which the outcome of a run depends."""
    bound = []
    while isinstance(run, partial):
        bound.append(repr((run.args, sorted(run.keywords.items()))))
        run = run.func
    where = f"{run.__module__}.{run.__qualname__}"
    facts = json.dumps([where, bound, code, dict(settings), versions()])
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def _part(parts: Path, arm: str, seed: int) -> Path:
    return parts / f"{arm}-{seed}.json"


def _keep(parts: Path, outcome: Outcome) -> None:
    path = _part(parts, outcome.arm, outcome.seed)
    write(path, json.dumps(outcome._asdict(), allow_nan=False))


def _kept(parts: Path, arm: str, seed: int) -> Outcome | None:
    try:
        return Outcome(**json.loads(_part(parts, arm, seed).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _summary(
    arm: Arm, example: Sequence[int], outcomes: Sequence[Outcome]
) -> ArmResult:
    with torch.random.fork_rng([]):
        spent = cost(arm.build(), torch.zeros(*example), repeats=1)
    return ArmResult(
        label=arm.label,
        parameters=spent.parameters,
        multiply_adds=spent.multiply_adds,
        seconds=tuple(outcome.seconds for outcome in outcomes),
        metrics={
            metric: Series(outcome.metrics[metric] for outcome in outcomes)
            for metric in outcomes[0].metrics
        },
    )


def _differences(ours: ArmResult, control: ArmResult) -> dict[str, Interval]:
    return {
        metric: paired_bootstrap(series, control.metrics[metric])
        for metric, series in ours.metrics.items()
        if metric in control.metrics
    }
