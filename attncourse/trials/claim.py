"""A claim: what is asked, how it is tried, and what would refute it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Protocol, runtime_checkable

from attncourse.measure import Interval, paired_bootstrap
from attncourse.trials import claims as folder
from attncourse.trials.record import Record
from attncourse.trials.runs import Arm, trial


@dataclass(frozen=True)
class Budget:
    """What one run may spend: scenes per epoch, epochs and so on."""

    scenes: int = 4000
    epochs: int = 6
    test_scenes: int = 2000
    batch_size: int = 64
    lr: float = 4e-3


@runtime_checkable
class BudgetedRun(Protocol):
    """One run of a claim."""

    def __call__(
        self, arm: str, seed: int, budget: Budget
    ) -> dict[str, float]:
        """Train one arm with one seed and return its metrics."""


@dataclass(frozen=True)
class Profile:
    """How large a trial is: the number of seeds and the budget of a run."""

    seeds: int
    budget: Budget


@dataclass(frozen=True)
class Prediction:
    """A statement that an interval can support or refute.

    The interval is that of `metric` of `arm`, or of its paired difference
    from `against`.
    """

    statement: str
    metric: str
    arm: str
    against: str | None
    above: float

    @property
    def rule(self) -> str:
        """What decides, in words."""
        quantity = f"{self.metric} of {self.arm}"
        if self.against is not None:
            quantity += f" minus {self.against}"
        return (
            f"supported if the whole 95 % interval of {quantity} is above "
            f"{self.above:g}, refuted if it is below, else not settled"
        )

    def interval(self, record: Record) -> Interval:
        """The interval that decides."""
        if self.against is not None:
            return record.difference(self.arm, self.metric, self.against)
        values = record.arms[self.arm].metrics[self.metric]
        return paired_bootstrap(values, [0.0] * len(values))

    def verdict(self, record: Record) -> str:
        """Return `supported`, `refuted` or `not settled`."""
        interval = self.interval(record)
        if interval.low > self.above:
            return "supported"
        if interval.high < self.above:
            return "refuted"
        return "not settled"


@dataclass(frozen=True)
class Claim:
    """One trial of the course; each stands in a file of its own.

    Attributes
    ----------
    question, source
        What is asked, and whose claim it is.
    arms, control
        What is compared, and with what.
    run
        Top-level function from arm, seed and budget to the metrics.
    example
        Shape of an input, for counting multiply-adds.
    metrics
        What the table shows, the primary metric first.
    predictions
        Written before the trial is run, and what would refute them.
    quick, full
        The two sizes.
    """

    question: str
    source: str
    arms: Mapping[str, Arm]
    control: str
    run: BudgetedRun
    example: tuple[int, ...]
    metrics: tuple[str, ...]
    predictions: tuple[Prediction, ...]
    quick: Profile
    full: Profile

    def profile(self, name: str) -> Profile:
        """Return one of the two sizes by its name."""
        profiles = {"quick": self.quick, "full": self.full}
        if name not in profiles:
            raise ValueError(f"profile must be quick or full, got {name!r}")
        return profiles[name]


def claims() -> list[str]:
    """Names of all claims: the files in `attncourse/trials/claims`."""
    return sorted(module.name for module in iter_modules(folder.__path__))


def claim(name: str) -> Claim:
    """Return a claim by the name of its file.

    Raises
    ------
    LookupError
        If there is none of that name.
    """
    if name not in claims():
        known = ", ".join(claims())
        raise LookupError(f"no claim named {name!r}; there are: {known}")
    found: Claim = import_module(f"{folder.__name__}.{name}").CLAIM
    return found


def run_claim(
    name: str,
    *,
    profile: str = "quick",
    seeds: int | None = None,
    workers: int | None = None,
    results: Path | None = None,
    progress: bool = True,
) -> Record:
    """Try a claim and write its record; see :func:`trial`."""
    case = claim(name)
    size = case.profile(profile)
    count = size.seeds if seeds is None else seeds
    return trial(
        name,
        partial(case.run, budget=size.budget),
        case.arms,
        question=case.question,
        control=case.control,
        seeds=range(count),
        example=case.example,
        command=(
            f"python -m attncourse trials run {name} "
            f"--profile {profile} --seeds {count}"
        ),
        profile=profile,
        settings=asdict(size.budget),
        workers=workers,
        results=results,
        progress=progress,
    )
