"""A claim: what is said, how it is tried, and what would refute it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib import import_module
from math import asin, atanh, pi, sin, sqrt, tanh
from pathlib import Path
from pkgutil import iter_modules
from typing import Literal, Protocol, runtime_checkable

from attncourse.metrics import Interval, t_interval
from attncourse.trials import claims as folder
from attncourse.trials.budget import Budget
from attncourse.trials.record import Record, read, results_folder
from attncourse.trials.runs import Trial, Variant, run_trials

ACCURACY = "share of the test scenes that are answered right"
MASS = "share of the map inside the ground-truth mask"
POINTING = "share of maps whose largest value lies inside the mask"
"""What the metrics of :func:`attncourse.trials.evaluate` are."""

Kind = Literal["number", "correlation", "share"]
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
    ) -> dict[str, float]:
        """Train one variant with one seed and return its metrics."""


@dataclass(frozen=True)
class Profile:
    """How large a trial is: the number of seeds and the budget of a run."""

    seeds: int
    budget: Budget


@dataclass(frozen=True)
class Prediction:
    """A statement that an interval can support or refute.

    The interval is that of the mean of `metric` of `variant` over the seeds,
    or of its paired difference from `against`. Where a variant stands alone,
    `kind` keeps the bounds of a correlation between -1 and 1 and those of a
    share between 0 and 1: they are computed on Fisher's z (the inverse
    hyperbolic tangent) or on the arcsine of the root, and brought back.
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
    def quantity(self) -> str:
        """What is measured, in words."""
        quantity = f"{self.metric} of {self.variant}"
        if self.against is not None:
            quantity += f" minus {self.against}"
        return quantity

    @property
    def rule(self) -> str:
        """What decides, in words."""
        return (
            f"supported if the whole corrected interval of {self.quantity} "
            f"is above {self.above:g}, refuted if it is below, else not "
            f"settled"
        )

    def interval(self, record: Record) -> Interval:
        """The interval that decides: Student's, at the level of the record."""
        values = record.variants[self.variant].metrics[self.metric]
        if self.against is not None:
            against = record.variants[self.against].metrics[self.metric]
            return t_interval(values, against, level=record.level)
        scale, back = _SCALES[self.kind]
        scaled = [scale(value) for value in values]
        zeros = [0.0] * len(values)
        _, low, high = t_interval(scaled, zeros, level=record.level)
        return Interval(values.mean, back(low), back(high))

    def effect(self, record: Record) -> str:
        """The interval in words, such as +0.326 (+0.281 to +0.371)."""
        form = ".3f" if self.against is None else "+.3f"
        mean, low, high = (format(x, form) for x in self.interval(record))
        text = f"{mean} ({low} to {high})"
        return text.replace(" ", "\N{NO-BREAK SPACE}").replace(
            "-", "\N{MINUS SIGN}"
        )

    def verdict(self, record: Record) -> str:
        """Return `supported`, `refuted` or `not settled`."""
        interval = self.interval(record)
        if interval.low > self.above:
            return "supported"
        if interval.high < self.above:
            return "refuted"
        return "not settled"


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
    predictions: tuple[Prediction, ...]
    would_change: str
    lesson: str
    quick: Profile
    full: Profile

    def profile(self, name: str) -> Profile:
        """Return one of the two sizes by its name."""
        profiles = {"quick": self.quick, "full": self.full}
        if name not in profiles:
            raise ValueError(f"profile must be quick or full, got {name!r}")
        return profiles[name]

    def verdict(self, record: Record) -> str:
        """Return the verdict on the claim, that of its first prediction."""
        return self.predictions[0].verdict(record)


@dataclass(frozen=True)
class Verdict:
    """What a recorded trial says of a claim: the one interval that decides.

    Attributes
    ----------
    word
        ``"supported"``, ``"refuted"`` or ``"not settled"``.
    statement
        The prediction that decides.
    margin
        What the whole interval has to be above.
    interval
        Mean and bounds at the corrected level.
    effect
        The same in words, such as +0.326 (+0.281 to +0.371).
    """

    word: str
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
    deciding = case.predictions[0]
    return Verdict(
        word=case.verdict(record),
        statement=deciding.statement,
        margin=deciding.above,
        interval=deciding.interval(record),
        effect=deciding.effect(record),
    )


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


def run_claims(
    names: Sequence[str],
    *,
    profile: str = "full",
    seeds: int | None = None,
    results: Path | None = None,
    progress: bool = True,
    workers: int | None = None,
    backend: str = "local",
    address: str | None = None,
    gpus: float = 0.0,
) -> list[Record]:
    """Try claims and write their records; see :func:`run_trials`.

    The records of the quick profile do not replace those of the book: by
    default they go to `book/results/.quick`.
    """
    folder = results_folder() if results is None else results
    quick = results is None and profile == "quick"
    return run_trials(
        [_trial(name, profile, seeds) for name in names],
        results=folder / ".quick" if quick else folder,
        parts=folder / ".partial",
        progress=progress,
        workers=workers,
        backend=backend,
        address=address,
        gpus=gpus,
    )


def _trial(name: str, profile: str, seeds: int | None) -> Trial:
    case = claim(name)
    size = case.profile(profile)
    count = size.seeds if seeds is None else seeds
    return Trial(
        name=name,
        run=partial(case.run, budget=size.budget),
        variants=case.variants,
        control=case.control,
        seeds=range(count),
        example=case.example,
        command=(
            f"python -m attncourse trials run {name} "
            f"--profile {profile} --seeds {count}"
        ),
        profile=profile,
        settings=asdict(size.budget),
        family=len(_files()),
    )


def _files() -> dict[str, str]:
    """Modules in the folder of claims by their names."""
    names = sorted(module.name for module in iter_modules(folder.__path__))
    return {name.replace("_", "-"): name for name in names}
