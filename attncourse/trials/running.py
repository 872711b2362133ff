"""What runs claims: their pilots, and then their trials."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from attncourse.trials.budget import Budget
from attncourse.trials.claim import Claim, claim, claims, load
from attncourse.trials.local import Outcome
from attncourse.trials.networks import check_size, read_network, unpack
from attncourse.trials.pilots import (
    DOUBLINGS,
    FACTORS,
    FIRST_SEED,
    PILOT_SEEDS,
    Pilot,
    Values,
    best,
    means,
    plateau,
    read_pilot,
    save_pilot,
)
from attncourse.trials.provenance import code_digest, hardware, versions
from attncourse.trials.record import (
    Record,
    corrected,
    recorded,
    results_folder,
)
from attncourse.trials.runs import Job, Trial, carry_out, run_trials
from attncourse.trials.statements import All, Margin, Statement


def run_claims(
    names: Sequence[str],
    *,
    profile: str = "full",
    seeds: int | None = None,
    only_stale: bool = False,
    results: Path | None = None,
    **where: Any,
) -> list[Record]:
    """Try claims and write their records.

    The records of the quick profile do not replace those of the book: by
    default they go to `book/results/.quick`.

    Parameters
    ----------
    names
        Of the claims.
    profile
        ``"quick"``, or ``"full"``, which follows the pilot of the claim.
    seeds
        Number of seeds, where no pilot fixes it.
    only_stale
        Leave out those whose record is what a new run would write.
    results
        Folder of the records; by default `book/results`.
    where
        Where the runs happen; see :func:`run_trials`.

    Raises
    ------
    FileNotFoundError
        If a claim has no pilot.
    ValueError
        If its pilot is of other code or other variants, fixes the number of
        seeds that is asked for, or a network is too large to be kept.
    """
    folder = results_folder() if results is None else results
    quick = results is None and profile == "quick"
    records = folder / ".quick" if quick else folder
    trials = [_trial(name, profile, seeds, results) for name in names]
    if only_stale:
        trials = [each for each in trials if changed(each, records)]
    for trial in trials:
        _check_sizes(claim(trial.name))
    return run_trials(
        trials, results=records, parts=folder / ".partial", **where
    )


def stale(name: str, results: Path | None = None) -> str:
    """Say why the record of a claim is not what a new run would write.

    Empty if it is.
    """
    folder = results_folder() if results is None else results
    return changed(_trial(name, "full", None, results), folder)


def changed(trial: Trial, results: Path) -> str:
    """Say in which the record of a trial differs from what it would be."""
    if trial.name not in recorded(results):
        return "no record"
    record = load(trial.name, results)
    digest = trial.pilot and trial.pilot.digest
    same = {
        "code": record.code == code_digest(trial.run_of(trial.control)),
        "versions": record.versions == versions(),
        "settings": record.settings == dict(trial.settings),
        "variants": record.variants.keys() == trial.variants.keys(),
        "seeds": record.seeds == tuple(trial.seeds),
        "pilot": (record.pilot and record.pilot.digest) == digest,
    }
    return ", ".join(
        f"other {what}" for what, is_it in same.items() if not is_it
    )


def run_pilots(
    names: Sequence[str], *, results: Path | None = None, **where: Any
) -> list[Pilot]:
    """Run the pilots of claims, on validation scenes, and keep them.

    Each variant is trained at three learning rates with two seeds, and then
    at its best for twice and four times as many epochs, until doubling them
    gains less than a point for all variants. What is broken off goes on
    where it was.

    Parameters
    ----------
    names
        Of the claims.
    results
        Folder of the records; by default `book/results`.
    where
        Where the runs happen; see :func:`run_trials`.
    """
    folder = results_folder() if results is None else results
    return [_pilot(name, folder, where) for name in names]


def network(name: str, variant: str, results: Path | None = None) -> nn.Module:
    """Return the network that the recorded trial trained with its first seed.

    It is built anew and gets the kept weights: float32, ready to evaluate.

    Parameters
    ----------
    name
        Of the claim, such as ``"se-gain"``.
    variant
        Such as ``"se"``.
    results
        Folder of the records; by default those of the course.

    Raises
    ------
    LookupError
        If the record has no such variant, or kept no networks.
    ValueError
        If the file is missing, was altered, or belongs to another record or
        to another network than the variant builds; names it.
    """
    record = load(name, results)
    if variant not in record.variants:
        raise LookupError(
            f"variant must be one of {sorted(record.variants)}, got "
            f"{variant!r}"
        )
    digest = record.variants[variant].network
    if not digest:
        raise LookupError(f"the record of {name!r} kept no networks")
    folder = recorded(results)[name].parent
    data = read_network(name, variant, digest, folder)
    try:
        return unpack(claim(name).variants[variant].build(), data)
    except ValueError as error:
        raise ValueError(
            f"the network {name}/{variant}.safetensors cannot be used: {error}"
        ) from error


def _trial(
    name: str, profile: str, seeds: int | None, results: Path | None
) -> Trial:
    case = claim(name)
    size = case.profile(profile)
    budgets = dict.fromkeys(case.variants, size.budget)
    pilot = None
    numbers = range(size.seeds if seeds is None else seeds)
    if case.family is not None:
        numbers = range(FIRST_SEED, FIRST_SEED + len(numbers))
    if case.family is not None and profile == "full":
        if seeds is not None:
            raise ValueError(
                f"seeds of {name!r} are those of its pilot, got {seeds}"
            )
        pilot = _usable(read_pilot(name, results), case)
        numbers = pilot.trial_seeds
        budgets = {
            variant: replace(size.budget, lr=lr, epochs=pilot.epochs)
            for variant, lr in pilot.lr.items()
        }
    shown = {metric for each in case.predictions for metric in each.metrics}
    command = f"python -m attncourse trials run {name} --profile {profile}"
    return Trial(
        name=name,
        run={
            variant: partial(case.run, budget=budget)
            for variant, budget in budgets.items()
        },
        variants=case.variants,
        control=case.control,
        seeds=numbers,
        example=case.example,
        command=command if pilot else f"{command} --seeds {len(numbers)}",
        profile=profile,
        settings=_settings(size.budget),
        family=_family(case),
        own={
            variant: {"lr": budget.lr, "epochs": budget.epochs}
            for variant, budget in budgets.items()
        }
        if pilot
        else {},
        blocked=shown | case.metrics.keys(),
        pilot=pilot.table() if pilot else None,
    )


def _settings(budget: Budget) -> dict[str, int | float]:
    settings = asdict(budget)
    del settings["split"]
    return settings


def _check_sizes(case: Claim) -> None:
    """Refuse a network that would not be kept, before it is trained."""
    if case.family is not None:
        for name, variant in case.variants.items():
            check_size(name, variant.build())


def _family(case: Claim) -> int:
    return len(claims()) if case.family is None else case.family


def _usable(pilot: Pilot, case: Claim) -> Pilot:
    if pilot.code != code_digest(case.run):
        raise ValueError(
            f"the pilot of {pilot.name!r} was run with other code: python -m "
            f"attncourse trials pilot {pilot.name}"
        )
    if pilot.rates.keys() != case.variants.keys():
        raise ValueError(
            f"the pilot of {pilot.name!r} has the variants "
            f"{sorted(pilot.rates)}, the claim {sorted(case.variants)}"
        )
    return pilot


def _pilot(name: str, results: Path, where: Mapping[str, Any]) -> Pilot:
    case = claim(name)
    _check_sizes(case)
    metric = next(iter(case.metrics))
    base = replace(case.full.budget, split="validation")
    spent: list[float] = []

    def measured(budgets: Mapping[tuple[str, str], Budget]) -> Values:
        """Values of each variant at each setting."""
        jobs = {
            (variant, setting, seed): Job(
                partial(case.run, budget=budget), variant, seed
            )
            for (variant, setting), budget in budgets.items()
            for seed in PILOT_SEEDS
        }
        paths = {
            key: job.path(results / ".partial", {})
            for key, job in jobs.items()
        }
        done: dict[Path, Outcome] = {}
        for found in carry_out(
            {paths[key]: job for key, job in jobs.items()}, **where
        ):
            done |= found.outcomes
        spent.extend(each.seconds for each in done.values())
        values: Values = {}
        for variant, setting in budgets:
            values.setdefault(variant, {})[setting] = tuple(
                round(done[paths[variant, setting, seed]].metrics[metric], 5)
                for seed in PILOT_SEEDS
            )
        return values

    rates = measured(
        {
            (variant, repr(factor * base.lr)): replace(
                base, lr=factor * base.lr
            )
            for variant in case.variants
            for factor in FACTORS
        }
    )
    chosen = {variant: best(found) for variant, found in rates.items()}
    lengths: Values = {
        variant: {str(base.epochs): found[repr(chosen[variant])]}
        for variant, found in rates.items()
    }
    for doubling in range(1, DOUBLINGS + 1):
        epochs = base.epochs * 2**doubling
        longer = measured(
            {
                (variant, str(epochs)): replace(
                    base, lr=chosen[variant], epochs=epochs
                )
                for variant in case.variants
            }
        )
        for variant, found in longer.items():
            lengths[variant] |= found
        if plateau(means(lengths))[1]:
            break
    decider = case.predictions[0]
    ours, *theirs = decider.variants
    pilot = Pilot(
        name=name,
        metric=metric,
        seeds=PILOT_SEEDS,
        rates=rates,
        lengths=lengths,
        compared=tuple((ours, each) for each in theirs),
        margin=_margin(decider, lengths),
        level=corrected(_family(case)),
        settings=_settings(base),
        versions=versions(),
        code=code_digest(case.run),
        cpu=hardware()["cpu"],
        seconds=sum(spent),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    save_pilot(pilot, results)
    return pilot


def _margin(statement: Statement, lengths: Values) -> float | None:
    """The margin to plan for, with what doubling the width buys here."""
    if isinstance(statement, All):
        found = [_margin(each, lengths) for each in statement.members]
        return min((each for each in found if each is not None), default=None)
    margin = getattr(statement, "margin", None)
    if not isinstance(margin, Margin):
        return None
    if margin.doubling is None:
        return margin.at_least
    epochs = str(plateau(means(lengths))[0])
    single, double = (means(lengths)[name][epochs] for name in margin.doubling)
    return max(margin.at_least, double - single)
