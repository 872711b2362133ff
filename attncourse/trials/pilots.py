"""A pilot: what every variant is given, fixed before the trial is run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import sqrt
from pathlib import Path
from statistics import fmean, variance
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from attncourse.trials.networks import sha256
from attncourse.trials.record import (
    PilotTable,
    in_lines,
    result_folders,
    write,
)

PILOT_SEEDS = (900, 901)
FIRST_SEED = 1000
"""Of a trial; the seeds of pilots, and of all trials before 2027, lie
below."""
FACTORS = (1.0, 0.5, 2.0)
"""Of the learning rate of the claim; it wins a tie."""
DOUBLINGS = 2
"""How often the length of the training is doubled at most."""
POINT = 0.01
"""What a plateau may still rise by when the training is twice as long."""
LEAST_SEEDS, MOST_SEEDS = 10, 20

Values = dict[str, dict[str, tuple[float, ...]]]
"""For each variant and each setting, a number for each seed."""


@dataclass(frozen=True)
class Pilot:
    """What a few runs on validation scenes gave.

    Attributes
    ----------
    name
        Of the claim.
    metric
        What its numbers are.
    seeds
        Of its runs.
    rates
        The metric of each variant at each learning rate, with the epochs of
        the claim.
    lengths
        The same at its best rate, for each number of epochs.
    compared
        Pairs of variants whose difference decides the claim.
    margin
        The difference that the trial is planned to see, or None where the
        claim is not one of a difference.
    level
        Of the interval that decides.
    settings, versions, code, cpu, seconds, date
        Where the numbers come from; `seconds` are those of all runs.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        strict=True, extra="forbid", allow_inf_nan=False
    )

    name: str
    metric: str
    seeds: tuple[int, ...]
    rates: Values
    lengths: Values
    compared: tuple[tuple[str, str], ...]
    margin: float | None
    level: float
    settings: dict[str, int | float]
    versions: dict[str, str]
    code: str
    cpu: str
    seconds: float
    date: str

    @property
    def lr(self) -> dict[str, float]:
        """The best learning rate of each variant."""
        return {name: best(found) for name, found in self.rates.items()}

    @property
    def epochs(self) -> int:
        """Length of the training, the same for all variants."""
        return plateau(means(self.lengths))[0]

    @property
    def plateau(self) -> bool:
        """Whether that is a plateau for all of them."""
        return plateau(means(self.lengths))[1]

    @property
    def spread(self) -> float:
        """Standard deviation over the seeds of what decides."""
        at = {
            name: found[str(self.epochs)]
            for name, found in self.lengths.items()
        }
        pairs = [
            [a - b for a, b in zip(at[ours], at[theirs], strict=True)]
            for ours, theirs in self.compared
        ]
        return sqrt(fmean(variance(each) for each in pairs)) if pairs else 0.0

    @property
    def needed(self) -> int:
        """Seeds that the margin asks for, if there were no limit."""
        if self.margin is None:
            return LEAST_SEEDS
        return seeds_for(self.spread, self.margin, self.level)

    @property
    def trial_seeds(self) -> range:
        """Seeds of the trial."""
        count = min(max(self.needed, LEAST_SEEDS), MOST_SEEDS)
        return range(FIRST_SEED, FIRST_SEED + count)

    def to_json(self) -> str:
        """Return the text that is kept in a file."""
        return in_lines({**asdict(self), "chosen": self._chosen()})

    @classmethod
    def from_json(cls, text: str) -> "Pilot":
        """Read the text of a pilot.

        Raises
        ------
        ValueError
            If the text is not a pilot, or what was chosen does not follow.
        """
        try:
            data = json.loads(text)
            chosen = data.pop("chosen")
            pilot = _ADAPTER.validate_json(json.dumps(data))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ValueError(f"{place}: {first['msg']}") from error
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError("it has no choice") from error
        if json.loads(json.dumps(pilot._chosen())) != chosen:
            raise ValueError(f"from its runs follows {pilot._chosen()}")
        return pilot

    def table(self) -> PilotTable:
        """Return what is kept of it in the record of the trial."""
        return PilotTable(
            digest=sha256(self.to_json().encode()),
            metric=self.metric,
            seeds=self.seeds,
            rates=means(self.rates),
            lengths=means(self.lengths),
            plateau=self.plateau,
        )

    def _chosen(self) -> dict[str, Any]:
        return {
            "lr": self.lr,
            "epochs": self.epochs,
            "plateau": self.plateau,
            "spread": self.spread,
            "needed": self.needed,
            "seeds": len(self.trial_seeds),
        }


_ADAPTER = TypeAdapter(Pilot)


def best(rates: Mapping[str, Sequence[float]]) -> float:
    """The learning rate with the highest mean, the first of equals."""
    return float(max(rates, key=lambda rate: fmean(rates[rate])))


def plateau(
    lengths: Mapping[str, Mapping[str, float]], point: float = POINT
) -> tuple[int, bool]:
    """The shortest training that is long enough, and whether it is.

    Long enough is the first number of epochs whose doubling gains less than
    a point for every variant. If none is, it is the largest number tried.
    """
    tried = sorted(
        {int(epochs) for each in lengths.values() for epochs in each}
    )
    for short, long in pairwise(tried):
        gains = (
            each[str(long)] - each[str(short)] for each in lengths.values()
        )
        if max(gains) < point:
            return short, True
    return tried[-1], False


def seeds_for(spread: float, margin: float, level: float) -> int:
    r"""Number of seeds whose interval is expected to be within the margin.

    The smallest n with :math:`t_{n-1} \, s / \sqrt n \le m`, for the spread
    s of a difference and the margin m: a true difference of zero is then
    expected to be seen to be none worth having, and one of twice the margin
    to be worth having. A thousand if it takes more.
    """
    from scipy.special import stdtrit

    for count in range(2, 1000):
        quantile = stdtrit(count - 1, (1 + level) / 2)
        if quantile * spread <= margin * sqrt(count):
            return count
    return 1000


def pilot_file(name: str, results: Path | None = None) -> Path:
    """Where the pilot of a claim is kept: the checkout's, else the package's.

    Or in a folder of results of one's own.
    """
    folders = result_folders() if results is None else [results]
    paths = [folder / "pilots" / f"{name}.json" for folder in folders]
    return next((path for path in paths if path.is_file()), paths[0])


def save_pilot(pilot: Pilot, results: Path) -> Path:
    """Write a pilot beside its place, then put it there in one step."""
    path = pilot_file(pilot.name, results)
    write(path, pilot.to_json())
    return path


def read_pilot(name: str, results: Path | None = None) -> Pilot:
    """Read the pilot of a claim.

    Raises
    ------
    FileNotFoundError
        If there is none; says how it is run.
    ValueError
        If the file is damaged or is that of another claim; names it.
    """
    path = pilot_file(name, results)
    if not path.is_file():
        raise FileNotFoundError(
            f"{name!r} has no pilot, which fixes learning rates, epochs and "
            f"seeds: python -m attncourse trials pilot {name}"
        )
    try:
        pilot = Pilot.from_json(path.read_text("utf-8"))
        if pilot.name != name:
            raise ValueError(f"it is the pilot of {pilot.name!r}")
    except ValueError as error:
        raise ValueError(
            f"pilots/{path.name} cannot be used as a pilot: {error}"
        ) from error
    return pilot


def means(values: Values) -> dict[str, dict[str, float]]:
    """Mean over the seeds, of each variant at each setting."""
    return {
        name: {
            setting: round(fmean(each), 5) for setting, each in found.items()
        }
        for name, found in values.items()
    }
