"""The record of a trial: what is kept, how it is read, and how it is shown."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from math import isclose
from pathlib import Path
from statistics import fmean, stdev
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

import attncourse
from attncourse.metrics import Interval, paired_bootstrap
from attncourse.trials.networks import keep, read_network

SCHEMA = 5
OLD_SCHEMA = 4
"""Of records without networks; it goes when the last claim has moved, and
with it every default of `VariantResult` and `Record` below."""
ERROR_RATE = 0.05
"""Chance that a family of intervals leaves out any of its true values."""
_PACKAGE = Path(attncourse.__file__).parent
_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class Series(tuple[float, ...]):
    """One metric of one variant: a number per seed, their mean and spread."""

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return fmean(self)

    @property
    def std(self) -> float:
        """Sample standard deviation over the seeds; 0 for one seed."""
        return stdev(self) if len(self) > 1 else 0.0


@dataclass(frozen=True)
class Curve:
    """What a training went through, one number per epoch."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    loss: tuple[float, ...]
    accuracy: tuple[float, ...]


Table = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class VariantResult:
    """What one variant cost and what it gave.

    Attributes
    ----------
    label
        That of the claim file, else the variant's name.
    parameters, multiply_adds
        What it costs.
    seconds
        Of each run, training and scoring on one thread.
    metrics
        A number for each seed.
    blocks
        Of some metrics, a row for each seed: the mean in each block of test
        images. A block is the same images in every run.
    curves
        Of the training of each seed, if it had one.
    settings
        In which it differs from the settings of the record: learning rate
        and epochs, as its pilot chose them.
    network
        Digest of the file of its network, trained with the first seed.
    """

    label: str = field(compare=False)
    parameters: int
    multiply_adds: int
    seconds: tuple[float, ...]
    metrics: dict[str, Series]
    blocks: dict[str, Table] = field(default_factory=dict)
    curves: tuple[Curve, ...] = ()
    settings: dict[str, int | float] = field(default_factory=dict)
    network: str = ""


@dataclass(frozen=True)
class PilotTable:
    """What a pilot saw on validation scenes, and what was taken from it.

    Attributes
    ----------
    digest
        SHA-256 of the file of the pilot.
    metric
        What its numbers are.
    seeds
        Of its runs; the numbers are means over them.
    rates, lengths
        For each variant, the metric at each learning rate, and then at each
        number of epochs.
    plateau
        Whether doubling the epochs of the trial once more gained less than a
        point for every variant.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    digest: str
    metric: str
    seeds: tuple[int, ...]
    rates: dict[str, dict[str, float]]
    lengths: dict[str, dict[str, float]]
    plateau: bool


@dataclass(frozen=True)
class Time:
    """Seconds spent.

    `runs` is summed over all runs of the record. `runs_reused` of them were
    kept from an earlier command, or shared with another claim; `wall` is
    the time from the start of the first of the others to the end of the
    last.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    runs: float
    wall: float
    runs_reused: int


@dataclass(frozen=True)
class Record:
    """Everything that is known of a finished trial.

    Its intervals decide at `level`, which was corrected for the `family` of
    claims when the record was made. The labels of the variants are those of
    the claim file, and are not part of what is stored.
    """

    name: str
    control: str
    level: float
    family: int
    seeds: tuple[int, ...]
    variants: dict[str, VariantResult]
    differences: dict[str, dict[str, Interval]]
    profile: str
    settings: dict[str, int | float]
    versions: dict[str, str]
    code: str
    hardware: dict[str, str | int]
    command: str
    time: Time
    date: str
    pilot: PilotTable | None = None

    @property
    def schema(self) -> int:
        """Number of the form in which it is stored."""
        kept = any(variant.network for variant in self.variants.values())
        return SCHEMA if kept else OLD_SCHEMA

    def difference(
        self, variant: str, metric: str, against: str | None = None
    ) -> Interval:
        """Paired difference of a variant and another, by default the control.

        Returns the mean over the seeds and its 95 % bootstrap interval.
        """
        if against in (None, self.control) and variant != self.control:
            return self.differences[variant][metric]
        other = self.control if against is None else against
        return paired_bootstrap(
            self.variants[variant].metrics[metric],
            self.variants[other].metrics[metric],
        )

    def table(self, metrics: Iterable[str]) -> str:
        """Return a Markdown table: a row a variant, mean ± std a metric."""
        metrics = list(metrics)
        rows = [
            ["variant", "parameters", "multiply-adds", "seconds", *metrics],
            ["---", *["---:"] * (3 + len(metrics))],
        ]
        for variant in self.variants.values():
            cells = [
                f"{variant.metrics[metric].mean:.3f} ± "
                f"{variant.metrics[metric].std:.3f}"
                if metric in variant.metrics
                else ""
                for metric in metrics
            ]
            costs = (
                f"{variant.parameters:,}",
                f"{variant.multiply_adds:,}",
                f"{fmean(variant.seconds):.1f}",
            )
            rows.append([variant.label, *costs, *cells])
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def to_json(self) -> str:
        """Return the text that is kept in a file."""
        variants = {
            name: {
                "parameters": variant.parameters,
                "multiply_adds": variant.multiply_adds,
                "seconds": list(variant.seconds),
                "metrics": {
                    metric: {
                        "per_seed": list(series),
                        "mean": series.mean,
                        "std": series.std,
                    }
                    for metric, series in variant.metrics.items()
                },
                **(_more(variant) if self.schema == SCHEMA else {}),
            }
            for name, variant in self.variants.items()
        }
        differences = {
            variant: {
                metric: {
                    "mean": float(value.mean),
                    "low": float(value.low),
                    "high": float(value.high),
                }
                for metric, value in metrics.items()
            }
            for variant, metrics in self.differences.items()
        }
        data = {
            "schema": self.schema,
            "name": self.name,
            "control": self.control,
            "level": self.level,
            "family": self.family,
            "seeds": self.seeds,
            "variants": variants,
            "differences": differences,
            "profile": {"name": self.profile, "settings": self.settings},
            "versions": self.versions,
            "code": self.code,
            "hardware": self.hardware,
            "command": self.command,
            "time": asdict(self.time),
            "date": self.date,
        }
        if self.schema == SCHEMA:
            data["pilot"] = None if self.pilot is None else asdict(self.pilot)
            return in_lines(data)
        text = json.dumps(data, indent=1, allow_nan=False, ensure_ascii=False)
        return text + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Record":
        """Read the text of a record.

        Raises
        ------
        ValueError
            If the text is not a record or contradicts itself.
        """
        try:
            kept = _Kept.model_validate_json(text)
        except ValidationError as error:
            raise ValueError(_said(error)) from error
        parts = vars(kept) | {
            "variants": {
                name: VariantResult(label=name, **vars(variant))
                for name, variant in kept.variants.items()
            },
            "profile": kept.profile.name,
            "settings": kept.profile.settings,
            "hardware": vars(kept.hardware),
        }
        number = parts.pop("number")
        record = cls(**parts)
        if record.schema != number:
            raise ValueError(
                f"record: schema is {number}, but its networks are those of "
                f"{record.schema}"
            )
        return record


class _Part(BaseModel):
    """A part of the file."""

    model_config = _STRICT


class _Series(_Part):
    per_seed: list[float]
    mean: float
    std: float

    def checked(self) -> Series:
        series = Series(self.per_seed)
        for name in ("mean", "std"):
            kept, value = getattr(self, name), getattr(series, name)
            if not isclose(kept, value, abs_tol=1e-9):
                raise ValueError(
                    f"{name} is {kept}, but its seeds give {value}"
                )
        return series


class _Variant(_Part):
    parameters: int
    multiply_adds: int
    seconds: tuple[float, ...]
    metrics: dict[str, Annotated[_Series, AfterValidator(_Series.checked)]]
    blocks: dict[str, Table] = {}
    curves: tuple[Curve, ...] = ()
    settings: dict[str, int | float] = {}
    network: str = ""


class _Profile(_Part):
    name: str
    settings: dict[str, int | float]


class _Hardware(_Part):
    cpu: str
    gpu: str
    threads: int
    workers: int
    backend: str


class _Kept(_Part):
    number: Literal[4, 5] = Field(alias="schema")
    name: str
    control: str
    level: float
    family: int
    seeds: tuple[int, ...]
    variants: dict[str, _Variant]
    differences: dict[str, dict[str, Interval]]
    profile: _Profile
    versions: dict[str, str]
    code: str
    hardware: _Hardware
    command: str
    time: Time
    date: str
    pilot: PilotTable | None = None

    @model_validator(mode="after")
    def _agree(self) -> "_Kept":
        """Refuse a record whose parts contradict each other."""
        family, level = self.family, self.level
        if family < 1 or not isclose(level, corrected(family), abs_tol=1e-12):
            raise ValueError(
                f"level is {level}, but that of one of {family} claims is "
                f"another: 1 - {ERROR_RATE} / family"
            )
        variants, seeds = self.variants, self.seeds
        if self.control not in variants:
            raise ValueError(
                f"control {self.control!r} is not one of the variants"
            )
        if len(seeds) < 2 or len(set(seeds)) != len(seeds):
            raise ValueError(
                f"seeds must be two or more, distinct, got {seeds}"
            )
        for name, variant in variants.items():
            lists: dict[str, Any] = {"seconds": variant.seconds}
            lists |= variant.metrics
            lists |= {
                f"blocks.{m}": rows for m, rows in variant.blocks.items()
            }
            if variant.curves:
                lists["curves"] = variant.curves
            for metric, values in lists.items():
                if len(values) != len(seeds):
                    raise ValueError(
                        f"variants.{name}.{metric} has {len(values)} values "
                        f"for {len(seeds)} seeds"
                    )
        self._whole()
        shared = variants[self.control].metrics.keys()
        needed = {
            name: shared & variant.metrics.keys()
            for name, variant in variants.items()
            if name != self.control
        }
        if needed != {n: part.keys() for n, part in self.differences.items()}:
            raise ValueError(
                "differences must be those of every other variant and the "
                "control"
            )
        for name, part in self.differences.items():
            for metric, (mean, low, high) in part.items():
                slack = 1e-9 * max(1, abs(mean))
                if not low - slack <= mean <= high + slack:
                    raise ValueError(
                        f"differences.{name}.{metric} does not lie in its "
                        f"interval"
                    )
        return self

    def _whole(self) -> None:
        """Refuse blocks that differ in number, and a missing network."""
        kept = [bool(variant.network) for variant in self.variants.values()]
        if any(kept) and not all(kept):
            raise ValueError("every variant must have a network, or none")
        sizes = {
            len(row)
            for variant in self.variants.values()
            for rows in variant.blocks.values()
            for row in rows
        }
        if len(sizes) > 1:
            raise ValueError(
                f"blocks must be equally many everywhere, got {sorted(sizes)}"
            )


def _more(variant: VariantResult) -> dict[str, Any]:
    """What a variant has beside what it had in the old form."""
    return {
        "blocks": variant.blocks,
        "curves": [asdict(curve) for curve in variant.curves],
        "settings": variant.settings,
        "network": variant.network,
    }


def in_lines(data: object) -> str:
    """JSON with every list of numbers on one line."""
    text = json.dumps(data, indent=1, allow_nan=False, ensure_ascii=False)
    numbers = re.compile(r"\[[-+.0-9e,\s]+\]")
    return numbers.sub(lambda found: " ".join(found[0].split()), text) + "\n"


def _said(error: ValidationError) -> str:
    """The first thing that is wrong: where, what, and what came."""
    first = error.errors()[0]
    place = ".".join(map(str, ("record", *first["loc"])))
    text = first["msg"].removeprefix("Value error, ")
    if first["type"] in ("missing", "value_error", "json_invalid"):
        return f"{place}: {text}"
    return f"{place}: {text}, got {str(first['input'])[:40]!r}"


def corrected(family: int) -> float:
    r"""Level of an interval that decides one of a family of claims.

    With :math:`m` claims it is :math:`1 - 0.05 / m` (Bonferroni).
    """
    return 1 - ERROR_RATE / family


def results_folder() -> Path:
    """Where records are written: the checkout's, else `book/results` here."""
    checkout = _PACKAGE.parent / "book" / "results"
    return checkout if checkout.is_dir() else Path("book", "results")


def result_folders() -> list[Path]:
    """Where records are read: that of :func:`results_folder`, the package."""
    return [results_folder(), _PACKAGE / "results"]


def save(
    record: Record,
    results: Path | None = None,
    networks: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a record beside its place, then put it there in one step.

    Its networks, by variant, come to lie in the folder `networks` beside it.

    Raises
    ------
    ValueError
        If it could not be read again; then nothing is written.
    """
    folder = results_folder() if results is None else results
    path = folder / f"{record.name}.json"
    text = record.to_json()
    Record.from_json(text)
    if networks:
        keep(record.name, networks, folder)
    write(path, text)
    return path


def write(path: Path, text: str) -> None:
    """Write a file so that a reader finds the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    beside.write_text(text, "utf-8")
    beside.replace(path)


def recorded(results: Path | None = None) -> dict[str, Path]:
    """Return the files of all records, by name."""
    folders = result_folders() if results is None else [results]
    return {
        path.stem: path
        for folder in reversed(folders)
        for path in sorted(folder.glob("*.json"))
    }


def read(name: str, results: Path | None = None) -> Record:
    """Read a record as it stands, its variants labelled by their names.

    The networks that it names must lie beside it.

    Raises
    ------
    FileNotFoundError
        If there is no such record.
    ValueError
        If the file is damaged or is not a record; names it and the reason.
    """
    files = recorded(results)
    if name not in files:
        known = ", ".join(files) or "none"
        raise FileNotFoundError(
            f"no record of a trial named {name!r}; there are: {known}"
        )
    path = files[name]
    try:
        record = Record.from_json(path.read_text("utf-8"))
        if record.name != name:
            raise ValueError(f"it is the record of {record.name!r}")
        for variant, result in record.variants.items():
            if result.network:
                read_network(name, variant, result.network, path.parent)
    except ValueError as error:
        raise ValueError(
            f"{path.name} cannot be used as a record: {error}"
        ) from error
    return record
