"""What a claim predicts, in the forms that the rule can decide."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np

from attncourse.metrics import Interval, crossed_interval, t_interval
from attncourse.trials.record import Record
from attncourse.trials.rule import (
    Kind,
    Price,
    Word,
    gain_word,
    no_loss_word,
    on_scale,
    price,
    refuted,
    smallest,
    threshold_word,
    widened,
    word_of_all,
)


@dataclass(frozen=True)
class Finding:
    """What a record says of a statement.

    Attributes
    ----------
    word
        The verdict.
    interval
        Mean and bounds of what was measured.
    needed
        What the whole interval had to be above.
    margin
        The smallest difference worth having.
    table
        What the interval is of, (seeds, blocks of test images); differences
        are those from the strongest baseline.
    signed
        Whether it is a difference.
    level
        Of the interval.
    seconds
        That a seed took, for all variants compared.
    """

    word: Word
    interval: Interval
    needed: float
    margin: float
    table: np.ndarray
    signed: bool
    level: float
    seconds: float

    @property
    def effect(self) -> str:
        """The interval in words, such as +0.326 (+0.281 to +0.371)."""
        form = "+.3f" if self.signed else ".3f"
        mean, low, high = (format(x, form) for x in self.interval)
        return typeset(f"{mean} ({low} to {high})")

    @property
    def nothing(self) -> float:
        """The value without any effect."""
        return 0.0 if self.signed else self.needed - self.margin

    def in_margins(self, value: float) -> float:
        """Return how many margins a value is from no effect."""
        return (value - self.nothing) / self.margin

    def to_spare(self, end: str = "mean") -> float:
        """Mean or an end of the interval above what is needed, in margins."""
        return (getattr(self.interval, end) - self.needed) / self.margin

    @property
    def per_seed(self) -> list[float]:
        """The value, or paired difference, of every seed."""
        return [float(value) for value in self.table.mean(1)]

    @property
    def price(self) -> Price:
        """What it would take to settle it."""
        return price(
            self.table,
            abs(float(self.table.mean()) - self.needed),
            level=self.level,
            seconds=self.seconds,
        )


class Statement(ABC):
    """What is predicted, and how a record decides it."""

    statement: str

    @property
    @abstractmethod
    def variants(self) -> tuple[str, ...]:
        """The variants compared, the one on trial first."""

    @property
    @abstractmethod
    def metrics(self) -> tuple[str, ...]:
        """What is measured."""

    @property
    @abstractmethod
    def quantity(self) -> str:
        """What decides, in words."""

    @property
    @abstractmethod
    def needs(self) -> str:
        """How the interval has to lie, in words."""

    @property
    def rule(self) -> str:
        """What decides, in words."""
        return (
            f"supported if the whole interval of {self.quantity} is "
            f"{self.needs}, refuted if it is below, else not settled"
        )

    @abstractmethod
    def find(self, record: Record, level: float | None = None) -> Finding:
        """Return what a record says, by default at its own level."""

    def interval(self, record: Record) -> Interval:
        """Return what was measured."""
        return self.find(record).interval

    def effect(self, record: Record) -> str:
        """Return what was measured, in words."""
        return self.find(record).effect

    def verdict(self, record: Record) -> Word:
        """Return the verdict in a word."""
        return self.find(record).word


@dataclass(frozen=True)
class Margin:
    """The smallest difference worth having.

    Attributes
    ----------
    because
        Why it is that one, in a sentence.
    at_least
        The margin, or the least that it can be.
    doubling
        A baseline and the same of twice the width: the margin is what the
        doubling buys in the trial, if that is more.
    """

    because: str
    at_least: float = 0.01
    doubling: tuple[str, str] | None = None

    def of(self, record: Record, metric: str) -> float:
        """Return the margin in a trial."""
        if self.doubling is None:
            return self.at_least
        single, double = (
            record.variants[name].metrics[metric].mean
            for name in self.doubling
        )
        return max(self.at_least, double - single)


def default_margin(plain: str, double: str) -> Margin:
    """Return the margin of a gain in accuracy that has no reason of its own.

    Parameters
    ----------
    plain, double
        Variants: the baseline, and the same of twice the width.
    """
    return Margin(
        "A mechanism has to buy more than one point of accuracy, and more "
        "than a network of twice the width does.",
        doubling=(plain, double),
    )


@dataclass(frozen=True)
class _Difference(Statement):
    """A difference from the strongest of some baselines."""

    statement: str
    variant: str
    against: tuple[str, ...]
    margin: Margin
    metric: str = "accuracy"

    @property
    def variants(self) -> tuple[str, ...]:
        return self.variant, *self.against

    @property
    def metrics(self) -> tuple[str, ...]:
        return (self.metric,)

    @property
    def quantity(self) -> str:
        theirs = ", ".join(self.against)
        if len(self.against) > 1:
            theirs = f"the best of {theirs}"
        return f"{self.metric} of {self.variant} minus {theirs}"

    def find(self, record: Record, level: float | None = None) -> Finding:
        level = record.level if level is None else level
        tables = [self._table(record, each) for each in self.against]
        wide = widened(level, len(tables))
        interval = smallest(
            [_interval(table, level) for table in tables],
            [_interval(table, wide) for table in tables],
        )
        margin = self.margin.of(record, self.metric)
        return Finding(
            word=self.word(interval, margin),
            interval=interval,
            needed=self.needed(margin),
            margin=margin,
            table=min(tables, key=lambda table: float(table.mean())),
            signed=True,
            level=level,
            seconds=seconds(record, self.variants),
        )

    @abstractmethod
    def word(self, interval: Interval, margin: float) -> Word:
        """Return the word for an interval."""

    @abstractmethod
    def needed(self, margin: float) -> float:
        """Return what the interval has to be above."""

    def _table(self, record: Record, against: str) -> np.ndarray:
        ours = _values(record, self.variant, self.metric)
        return ours - _values(record, against, self.metric)


class Gain(_Difference):
    """A gain worth having, over the strongest of the baselines named.

    Attributes
    ----------
    statement
        The prediction, no wider than what follows.
    variant, against
        The variant on trial, and the baselines.
    margin
        The smallest difference worth having.
    metric
        What is compared; more of it is better.
    """

    @property
    def needs(self) -> str:
        return "above the margin"

    @property
    def rule(self) -> str:
        return (
            f"{super().rule}, unless it is above zero and holds the margin: "
            f"real, perhaps small"
        )

    def word(self, interval: Interval, margin: float) -> Word:
        return gain_word(interval, margin)

    def needed(self, margin: float) -> float:
        return margin


class NoLoss(_Difference):
    """At most the margin is lost, against the strongest of the baselines.

    Its attributes are those of :class:`Gain`.
    """

    @property
    def needs(self) -> str:
        return "above minus the margin"

    def word(self, interval: Interval, margin: float) -> Word:
        return no_loss_word(interval, margin)

    def needed(self, margin: float) -> float:
        return -margin


@dataclass(frozen=True)
class Above(Statement):
    """A metric of one variant lies above a threshold.

    Attributes
    ----------
    statement
        The prediction.
    variant, metric
        What is measured.
    threshold, because
        What it has to be above, and why, in a sentence.
    kind
        Whether it is a correlation or a share, which stay in their range.
    nothing
        The value without any effect, such as 0 for a correlation.
    cases
        Of a share: the number of test scenes of a seed.
    """

    statement: str
    variant: str
    metric: str
    threshold: float
    because: str
    kind: Kind = "number"
    nothing: float | None = None
    cases: int | None = None

    def __post_init__(self) -> None:
        if self.kind == "share" and self.cases is None:
            raise ValueError(
                "cases must be the test scenes of a seed, got None"
            )

    @property
    def variants(self) -> tuple[str, ...]:
        return (self.variant,)

    @property
    def metrics(self) -> tuple[str, ...]:
        return (self.metric,)

    @property
    def quantity(self) -> str:
        return f"{self.metric} of {self.variant}"

    @property
    def needs(self) -> str:
        return f"above {self.threshold:g}"

    def find(self, record: Record, level: float | None = None) -> Finding:
        level = record.level if level is None else level
        table = _values(record, self.variant, self.metric)
        interval = on_scale(
            _interval(table, level), self.kind, level=level, cases=self.cases
        )
        return Finding(
            word=threshold_word(interval, self.threshold, self.nothing),
            interval=interval,
            needed=self.threshold,
            margin=self.threshold - (self.nothing or 0.0),
            table=table,
            signed=False,
            level=level,
            seconds=seconds(record, self.variants),
        )


@dataclass(frozen=True)
class All(Statement):
    """Several statements at once: a claim of all is decided by all.

    What is shown of it is its weakest member: that with least to spare, in
    units of its margin.

    Attributes
    ----------
    statement
        The prediction.
    members
        What it says, one by one.
    """

    statement: str
    members: tuple[Statement, ...]

    @property
    def variants(self) -> tuple[str, ...]:
        found = (name for each in self.members for name in each.variants)
        return tuple(dict.fromkeys(found))

    @property
    def metrics(self) -> tuple[str, ...]:
        found = (name for each in self.members for name in each.metrics)
        return tuple(dict.fromkeys(found))

    @property
    def quantity(self) -> str:
        return "; ".join(each.quantity for each in self.members)

    @property
    def needs(self) -> str:
        return "; ".join(each.needs for each in self.members)

    @property
    def rule(self) -> str:
        each = "; ".join(each.rule for each in self.members)
        return (
            f"supported if each of these is, refuted if one is by a wider "
            f"interval, else not settled: {each}"
        )

    def find(self, record: Record, level: float | None = None) -> Finding:
        level = record.level if level is None else level
        wide = widened(level, len(self.members))
        found = [each.find(record, level) for each in self.members]
        wider = [each.find(record, wide).word for each in self.members]
        word = word_of_all([each.word for each in found], wider)
        end = "high" if refuted(word) else "low"
        weakest = min(found, key=lambda each: each.to_spare(end))
        return replace(weakest, word=word)


def typeset(text: str) -> str:
    """Minus signs; no special spaces, which Jupyter shows as `\\xa0`."""
    return text.replace("-", "\N{MINUS SIGN}")


def _values(record: Record, variant: str, metric: str) -> np.ndarray:
    """Values of a metric, (seeds, blocks), or (seeds, 1) without blocks."""
    result = record.variants[variant]
    values = result.blocks.get(metric) or result.metrics[metric]
    return np.array(values, float).reshape(len(record.seeds), -1)


def _interval(table: np.ndarray, level: float) -> Interval:
    if table.shape[1] > 1:
        return crossed_interval(table, level=level)
    return t_interval(table[:, 0], np.zeros(len(table)), level=level)


def seconds(record: Record, variants: tuple[str, ...]) -> float:
    """Return what a seed of these variants took."""
    spent = [record.variants[name].seconds for name in variants]
    return sum(sum(each) / len(each) for each in spent)
