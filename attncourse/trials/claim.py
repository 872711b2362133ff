"""A claim: what is said, how it is tried, and what would refute it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from math import asin, atanh, pi, sin, sqrt, tanh
from pathlib import Path
from pkgutil import iter_modules
from typing import Protocol, runtime_checkable

import numpy as np

from attncourse.metrics import Interval, t_interval
from attncourse.trials import claims as folder
from attncourse.trials.budget import Budget
from attncourse.trials.record import OLD_SCHEMA, Record, read
from attncourse.trials.rule import Kind, Word, learning
from attncourse.trials.runs import Variant
from attncourse.trials.scores import Scores
from attncourse.trials.statements import Finding, Statement, seconds

ACCURACY = "share of the test scenes that are answered right"
MASS = "share of the map inside the ground-truth mask"
POINTING = "share of maps whose largest value lies inside the mask"
"""What the metrics of :func:`attncourse.trials.evaluate` are."""

ONE_POINT = 0.01
"""The unit of an effect that only had to be above zero."""

_SCALES: dict[Kind, tuple[Callable[[float], float], ...]] = {
    "number": (float, float),
    "correlation": (atanh, tanh),
    "share": (
        lambda share: asin(sqrt(share)),
        lambda turned: sin(min(max(turned, 0.0), pi / 2)) ** 2,
    ),
}
"""Where Student's interval is computed, and the way back."""


@runtime_checkable
class BudgetedRun(Protocol):
    """One run of a claim."""

    def __call__(
        self, variant: str, seed: int, budget: Budget
    ) -> Scores | dict[str, float]:
        """Train one variant with one seed and return its scores.

        Metrics alone are enough for a claim of the old form.
        """


@dataclass(frozen=True)
class Profile:
    """How large a trial is: the number of seeds and the budget of a run."""

    seeds: int
    budget: Budget


@dataclass(frozen=True)
class Prediction(Statement):
    """A statement under the rule of 21 November 2026.

    It goes when the last claim has moved to :class:`~.statements.Gain` and
    the others. The interval is Student's over the seeds alone, of the mean
    of `metric` of `variant` or of its paired difference from `against`, and
    has to lie above `above`. Where a variant stands alone, `kind` keeps the
    bounds of a correlation between -1 and 1 and those of a share between 0
    and 1: they are computed on Fisher's z (the inverse hyperbolic tangent)
    or on the arcsine of the root, and brought back.
    """

    statement: str
    metric: str
    variant: str
    against: str | None
    above: float
    kind: Kind = "number"

    def __post_init__(self) -> None:
        if self.kind != "number" and self.against is not None:
            raise ValueError(
                f"kind must be 'number' for a difference, got {self.kind!r}"
            )

    @property
    def variants(self) -> tuple[str, ...]:
        """The variant, and the one that it is compared with."""
        theirs = () if self.against is None else (self.against,)
        return self.variant, *theirs

    @property
    def metrics(self) -> tuple[str, ...]:
        """The one that is measured."""
        return (self.metric,)

    @property
    def quantity(self) -> str:
        """What is measured, in words."""
        return " minus ".join(
            (f"{self.metric} of {self.variant}", *self.variants[1:])
        )

    @property
    def needs(self) -> str:
        """How the interval has to lie, in words."""
        return f"above {self.above:g}"

    def find(self, record: Record, level: float | None = None) -> Finding:
        """Return what a record says, by default at its own level."""
        level = record.level if level is None else level
        interval = self._interval(record, level)
        word: Word = "not settled"
        if interval.low > self.above:
            word = "supported"
        elif interval.high < self.above:
            word = "refuted"
        values, *theirs = (
            np.array(record.variants[name].metrics[self.metric])
            for name in self.variants
        )
        return Finding(
            word=word,
            interval=interval,
            needed=self.above,
            margin=abs(self.above) or ONE_POINT,
            table=sum((-each for each in theirs), values)[:, None],
            signed=self.against is not None,
            level=level,
            seconds=seconds(record, self.variants),
        )

    def _interval(self, record: Record, level: float) -> Interval:
        values = record.variants[self.variant].metrics[self.metric]
        if self.against is not None:
            against = record.variants[self.against].metrics[self.metric]
            return t_interval(values, against, level=level)
        scale, back = _SCALES[self.kind]
        scaled = [scale(value) for value in values]
        zeros = [0.0] * len(values)
        _, low, high = t_interval(scaled, zeros, level=level)
        return Interval(values.mean, back(low), back(high))


def gain(
    statement: str, variant: str, against: str, above: float
) -> Prediction:
    """Predict a gain in accuracy."""
    return Prediction(
        statement,
        metric="accuracy",
        variant=variant,
        against=against,
        above=above,
    )


@dataclass(frozen=True)
class Claim:
    """One claim on trial; each stands in a file of its own.

    Attributes
    ----------
    statement
        What is claimed, in one sentence that can be wrong.
    source
        Who says it: papers, or articles in words.
    scene
        What the networks look at, in a sentence or two.
    variants, control
        What is compared, and with what.
    run
        Top-level function from variant, seed and budget to the metrics.
    example
        Shape of an input, for counting multiply-adds.
    metrics
        What the table shows, the primary metric first, and what each of them
        is, in a line.
    predictions
        Written before the trial is run. The first decides the verdict on
        the claim; the others are further statements of the same trial, which
        the correction for many claims does not count.
    family
        Number of claims that the interval is corrected for; None, as long as
        a claim has the form of November, for all there are.
    earlier
        The predictions of a record that was made under the rule of November;
        they go with that record.
    would_change
        Which result or setting would change the verdict.
    lesson
        File of the lesson that explains it, without its ending.
    quick, full
        The two sizes.
    """

    statement: str
    source: str
    scene: str
    variants: Mapping[str, Variant]
    control: str
    run: BudgetedRun
    example: tuple[int, ...]
    metrics: Mapping[str, str]
    predictions: tuple[Statement, ...]
    would_change: str
    lesson: str
    quick: Profile
    full: Profile
    family: int | None = None
    earlier: tuple[Prediction, ...] = ()

    def profile(self, name: str) -> Profile:
        """Return one of the two sizes by its name."""
        profiles = {"quick": self.quick, "full": self.full}
        if name not in profiles:
            raise ValueError(f"profile must be quick or full, got {name!r}")
        return profiles[name]

    def judged(self, record: Record) -> tuple[Statement, ...]:
        """Return the predictions that a record was made for."""
        if self.earlier and of_november(record):
            return self.earlier
        return self.predictions

    def decider(self, record: Record) -> Statement:
        """Return the prediction that decides a record."""
        return self.judged(record)[0]

    def headline(self, record: Record) -> str:
        """Return what a record was made to decide, in a sentence."""
        if self.judged(record) is self.predictions:
            return self.statement
        return self.decider(record).statement

    def find(self, record: Record) -> Finding:
        """Return what a record says of the claim.

        That is what it says of the prediction that decides, if the networks
        had learned what they could.
        """
        found = self.decider(record).find(record)
        plateau = None if record.pilot is None else record.pilot.plateau
        return replace(found, word=learning(plateau, found.word))

    def verdict(self, record: Record) -> Word:
        """Return the verdict on the claim."""
        return self.find(record).word


@dataclass(frozen=True)
class Verdict:
    """What a recorded trial says of a claim: the one interval that decides.

    Attributes
    ----------
    word
        One of the rule's, such as ``"supported"`` or ``"not settled"``.
    statement
        The prediction that decides.
    margin
        The smallest difference worth having; under the rule of November,
        what the whole interval had to be above.
    interval
        Mean and bounds at the corrected level.
    effect
        The same in words, such as +0.326 (+0.281 to +0.371).
    """

    word: Word
    statement: str
    margin: float
    interval: Interval
    effect: str


def verdict(name: str, results: Path | None = None) -> Verdict:
    """Return what the record of a claim says of it.

    Raises
    ------
    LookupError
        If there is no such claim.
    FileNotFoundError
        If it has no record.
    """
    case = claim(name)
    record = load(name, results)
    deciding = case.decider(record)
    found = case.find(record)
    old = isinstance(deciding, Prediction)
    return Verdict(
        word=found.word,
        statement=deciding.statement,
        margin=found.needed if old else found.margin,
        interval=found.interval,
        effect=found.effect,
    )


def of_november(record: Record) -> bool:
    """Whether a record was made under the rule of 21 November 2026."""
    return record.schema == OLD_SCHEMA


def claims() -> list[str]:
    """Names of all claims, such as ``attention-occlusion``."""
    return list(_files())


def claim(name: str) -> Claim:
    """Return a claim by its name, such as ``close-looks``.

    Raises
    ------
    LookupError
        If there is none of that name.
    """
    files = _files()
    if name not in files:
        known = ", ".join(files)
        raise LookupError(f"no claim named {name!r}; there are: {known}")
    found: Claim = import_module(f"{folder.__name__}.{files[name]}").CLAIM
    return found


def claim_file(name: str) -> Path:
    """Path of the file of a claim."""
    module = import_module(f"{folder.__name__}.{_files()[name]}")
    return Path(str(module.__file__))


def load(name: str, results: Path | None = None) -> Record:
    """Read the record of a trial from the checkout or the installed package.

    Its variants have the labels of the claim file.

    Raises
    ------
    FileNotFoundError
        If there is no such record.
    ValueError
        If the file is damaged or is not a record; names it and the reason.
    """
    record = read(name, results)
    known = claim(name).variants if name in _files() else {}
    return replace(
        record,
        variants={
            key: replace(variant, label=known[key].label)
            if key in known
            else variant
            for key, variant in record.variants.items()
        },
    )


def _files() -> dict[str, str]:
    """Modules in the folder of claims by their names."""
    names = sorted(module.name for module in iter_modules(folder.__path__))
    return {name.replace("_", "-"): name for name in names}
