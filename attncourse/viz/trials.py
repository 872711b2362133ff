"""Recorded trials in figures and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from attncourse.viz.picture import Picture, figure
from attncourse.viz.style import (
    BLUE,
    GREEN,
    INK,
    PALETTE,
    VERMILLION,
    WIDTH,
    course_style,
)

if TYPE_CHECKING:
    from attncourse.metrics import Interval
    from attncourse.trials import Record, Series
    from attncourse.trials.statements import Finding

GREY = "#6b6b6b"
BAND = "#e8e8e8"
"""Fill of what lies within a margin of no effect."""


def spread(series: "Series") -> str:
    """Mean and standard deviation in words that do not break."""
    return _typeset(f"{series.mean:.3f} ± {series.std:.3f}")


def signed(interval: "Interval") -> str:
    """Mean and interval of a difference, with their signs."""
    return number_words(interval, signs=True)


def number_words(interval: "Interval", signs: bool) -> str:
    """Mean and interval, with signs for differences."""
    form = "+.3f" if signs else ".3f"
    mean, low, high = (_typeset(format(x, form)) for x in interval)
    return f"{mean} ({low} to {high})"


def seeds(
    record: "Record",
    metrics: Sequence[str] = ("accuracy",),
    *,
    variants: Sequence[str] | None = None,
    lines: Mapping[str, float] | None = None,
    caption: str | None = "One dot for each seed.",
) -> Picture:
    """Show every seed of every variant: a panel per metric, a row per variant.

    Parameters
    ----------
    record
        A recorded trial.
    metrics
        A panel for each.
    variants
        Rows from top to bottom; by default all that have a metric.
    lines
        Values to compare with, by metric: a dashed line in its panel.
    caption
        Text below the figure.

    Raises
    ------
    ValueError
        If a variant or a metric is not in the record.
    """
    return figure(
        draw_seeds(record, metrics, variants=variants, lines=lines),
        alt=seeds_in_words(record, metrics, variants=variants),
        caption=caption,
    )


def draw_seeds(
    record: "Record",
    metrics: Sequence[str],
    *,
    variants: Sequence[str] | None = None,
    lines: Mapping[str, float] | None = None,
) -> Figure:
    """Draw the figure of :func:`seeds`."""
    shown = _rows(record, metrics, variants)
    height = 0.7 + 0.24 * len(shown)
    with course_style():
        drawn, panels = plt.subplots(
            1,
            len(metrics),
            sharey=True,
            squeeze=False,
            figsize=(WIDTH, height),
        )
        for axis, metric in zip(panels[0], metrics, strict=True):
            for row, variant in enumerate(shown):
                series = record.variants[variant].metrics.get(metric, ())
                colour = PALETTE[row % len(PALETTE)]
                axis.plot(
                    series,
                    [row] * len(series),
                    "o",
                    alpha=0.6,
                    ms=5,
                    color=colour,
                )
                if series:
                    axis.plot(
                        [sum(series) / len(series)] * 2,
                        [row - 0.35, row + 0.35],
                        color=colour,
                    )
            if lines is not None and metric in lines:
                axis.axvline(lines[metric], color=INK, ls="--", lw=1)
            axis.set_title(metric.replace("_", " "))
            axis.grid(axis="x")
            axis.locator_params(axis="x", nbins=4)
        panels[0][0].set_yticks(range(len(shown)), shown)
        panels[0][0].set_ylim(len(shown) - 0.5, -0.5)
    return drawn


def seeds_in_words(
    record: "Record",
    metrics: Sequence[str],
    *,
    variants: Sequence[str] | None = None,
) -> str:
    """Say what the figure of :func:`seeds` shows."""
    parts = []
    for variant in _rows(record, metrics, variants):
        known = record.variants[variant].metrics
        ranges = ", ".join(
            f"{metric.replace('_', ' ')} {min(known[metric]):.3f} to "
            f"{max(known[metric]):.3f}"
            for metric in metrics
            if metric in known
        )
        parts.append(f"{variant}: {ranges}")
    return (
        f"One dot for each of {len(record.seeds)} seeds, a row for each "
        "variant. "
        f"{'; '.join(parts)}."
    )


MARKS = {
    "supported": (BLUE, "o"),
    "real, perhaps small": (GREEN, "D"),
    "not settled": (GREY, "s"),
    "refuted": (VERMILLION, "X"),
    "no verdict": (GREY, "v"),
}
"""Colour and marker of a verdict; all refutations share theirs."""


def mark(word: str) -> tuple[str, str]:
    """Colour and marker of a verdict."""
    return MARKS[_kind(word)]


def effects(
    findings: "Mapping[str, Finding]", *, caption: str | None = None
) -> Picture:
    """Show what many claims found, in units of their margins.

    Parameters
    ----------
    findings
        What was found, by the name of the claim.
    caption
        Text below the figure.
    """
    return figure(
        draw_effects(findings),
        alt=effects_in_words(findings),
        caption=caption,
    )


def draw_effects(findings: "Mapping[str, Finding]") -> Figure:
    """Draw the figure of :func:`effects`."""
    rows = _sorted(findings)
    with course_style():
        drawn, axis = plt.subplots(figsize=(WIDTH, 0.9 + 0.24 * len(rows)))
        axis.axvspan(-1, 1, color=BAND, lw=0)
        axis.axvline(0, color=INK, lw=1)
        for row, (_, found) in enumerate(rows):
            colour, marker = mark(found.word)
            mean, low, high = map(found.in_margins, found.interval)
            axis.plot([low, high], [row, row], color=colour)
            axis.plot(mean, row, marker, color=colour, ms=6)
            needed = found.in_margins(found.needed)
            axis.plot([needed] * 2, [row - 0.36, row + 0.36], color=INK, lw=1)
        axis.set_xscale("symlog", linthresh=2, linscale=1.2)
        ticks = [-30, -10, -3, -1, 0, 1, 3, 10, 30]
        low, high = axis.get_xlim()
        axis.set_xticks(
            [tick for tick in ticks if low <= tick <= high], minor=False
        )
        axis.xaxis.set_major_formatter(lambda x, _: _typeset(f"{x:g}"))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_xlim(low, high)
        axis.set_yticks(range(len(rows)), [name for name, _ in rows])
        axis.set_ylim(len(rows) - 0.4, -0.6)
        axis.set_xlabel("effect in units of its margin")
        words = {_kind(found.word) for found in findings.values()}
        handles = [
            Line2D([], [], color=colour, marker=marker, ms=6, label=word)
            for word, (colour, marker) in MARKS.items()
            if word in words
        ]
        drawn.legend(
            handles=handles,
            loc="outside upper left",
            ncols=2,
            handlelength=1.6,
        )
    return drawn


def effects_in_words(findings: "Mapping[str, Finding]") -> str:
    """Say what the figure of :func:`effects` shows."""
    parts = []
    for name, found in _sorted(findings):
        mean, low, high = map(found.in_margins, found.interval)
        parts.append(
            f"{name}: {found.word}, {mean:.1f} ({low:.1f} to {high:.1f})"
        )
    return (
        f"Effects of {len(parts)} claims in units of their margins, with "
        f"their intervals. {'; '.join(parts)}."
    )


def effect(
    found: "Finding", quantity: str, *, caption: str | None = None
) -> Picture:
    """Show what decides a claim: seeds, interval and what was needed.

    Parameters
    ----------
    found
        What a record says.
    quantity
        What is measured, in words: the label of the axis.
    caption
        Text below the figure.
    """
    return figure(
        draw_effect(found, quantity),
        alt=effect_in_words(found, quantity),
        caption=caption,
    )


def draw_effect(found: "Finding", quantity: str) -> Figure:
    """Draw the figure of :func:`effect`."""
    values, colour = found.per_seed, mark(found.word)[0]
    last = len(values)
    with course_style():
        drawn, axis = plt.subplots(figsize=(WIDTH, 2.1))
        if found.signed:
            band = -found.margin, found.margin
            axis.axvspan(*band, color=BAND, lw=0)
            axis.axvline(0, color=INK, lw=1)
        axis.axvline(found.needed, color=INK, lw=1.2, ls="--")
        axis.plot(values, range(last), "o", ms=4, color=colour, alpha=0.6)
        mean, low, high = found.interval
        axis.plot([low, high], [last + 1] * 2, color=colour, lw=3)
        axis.plot(mean, last + 1, mark(found.word)[1], color=colour, ms=8)
        axis.set_yticks(
            [0, last - 1, last + 1], ["first seed", "last seed", "interval"]
        )
        axis.set_ylim(last + 2, -1)
        axis.locator_params(axis="x", nbins=6)
        axis.set_xlabel(quantity)
    return drawn


def effect_in_words(found: "Finding", quantity: str) -> str:
    """Say what the figure of :func:`effect` shows."""
    values = ", ".join(f"{value:.3f}" for value in found.per_seed)
    mean, low, high = found.interval
    needed = f"needed: above {found.needed:.3f}"
    if found.signed:
        needed += f"; the margin is {found.margin:.3f}"
    return (
        f"{quantity}, seed by seed: {values}. Interval of the mean: "
        f"{mean:.3f} ({low:.3f} to {high:.3f}); {needed}. {found.word}."
    )


def curves(
    record: "Record", variants: Sequence[str], *, caption: str | None = None
) -> Picture:
    """Show how the networks of some variants were trained.

    Parameters
    ----------
    record
        A record that keeps the curves of its trainings.
    variants
        A colour for each.
    caption
        Text below the figure.

    Raises
    ------
    ValueError
        If a variant has no curves.
    """
    for name in variants:
        if not record.variants[name].curves:
            raise ValueError(f"variants must have curves, {name!r} has none")
    ends = []
    for name in variants:
        last = [each.accuracy[-1] for each in record.variants[name].curves]
        ends.append(f"{name} ends at {min(last):.3f} to {max(last):.3f}")
    return figure(
        draw_curves(record, variants),
        alt=(
            f"Accuracy on the training scenes by epoch, a line for each of "
            f"{len(record.seeds)} seeds: {'; '.join(ends)}."
        ),
        caption=caption,
    )


def draw_curves(record: "Record", variants: Sequence[str]) -> Figure:
    """Draw the figure of :func:`curves`."""
    with course_style():
        drawn, axis = plt.subplots(figsize=(WIDTH, 2.4))
        for row, name in enumerate(variants):
            colour = PALETTE[row % len(PALETTE)]
            for number, each in enumerate(record.variants[name].curves):
                epochs = range(1, len(each.accuracy) + 1)
                label = None if number else name
                axis.plot(
                    epochs,
                    each.accuracy,
                    color=colour,
                    lw=0.9,
                    alpha=0.7,
                    label=label,
                )
        axis.set_xlabel("epoch")
        axis.set_ylabel("training accuracy")
        drawn.legend(loc="outside right upper")
    return drawn


def _sorted(
    findings: "Mapping[str, Finding]",
) -> "list[tuple[str, Finding]]":
    """Largest effect first."""
    return sorted(
        findings.items(),
        key=lambda item: -item[1].in_margins(item[1].interval.mean),
    )


def _kind(word: str) -> str:
    return word.partition(":")[0]


@dataclass(frozen=True)
class Table:
    """A recorded trial as a table."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str | None

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {
            "text/html": self.html,
            "text/markdown": self.markdown,
            "text/plain": self.markdown,
        }

    @property
    def html(self) -> str:
        """The table; on a narrow page each row becomes a block."""
        head = "".join(
            f'<th scope="col">{escape(name)}</th>' for name in self.columns
        )
        body = "".join(
            f'<tr><th scope="row">{escape(label)}</th>'
            + "".join(
                f'<td data-label="{escape(name)}">{escape(cell)}</td>'
                for name, cell in zip(self.columns[1:], cells, strict=True)
            )
            + "</tr>"
            for label, *cells in self.rows
        )
        text = escape(self.caption or "")
        title = f"<caption>{text}</caption>" if text else ""
        return (
            '<table class="table stacked trial-table">'
            f"{title}<thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )

    @property
    def markdown(self) -> str:
        """The table as text."""
        rule = ("---", *["---:"] * (len(self.columns) - 1))
        lines = [
            f"| {' | '.join(row)} |"
            for row in (self.columns, rule, *self.rows)
        ]
        below = ["", self.caption] if self.caption else []
        return "\n".join([*lines, *below])


def table(
    record: "Record",
    metrics: Sequence[str] = ("accuracy",),
    *,
    variants: Sequence[str] | None = None,
    caption: str | None = "Mean ± standard deviation over {seeds} seeds.",
) -> Table:
    """Show what each variant of a record cost and what it reached.

    Parameters
    ----------
    record
        A recorded trial.
    metrics
        A column for each, after label, parameters and multiply-adds.
    variants
        Rows from top to bottom; by default all that have a metric.
    caption
        Text of the table; ``{seeds}`` becomes the number of seeds.

    Raises
    ------
    ValueError
        If a variant or a metric is not in the record.
    """
    rows = []
    for name in _rows(record, metrics, variants):
        variant = record.variants[name]
        rows.append(
            (
                variant.label,
                f"{variant.parameters:,}",
                f"{variant.multiply_adds:,}",
                *(
                    spread(variant.metrics[metric])
                    if metric in variant.metrics
                    else ""
                    for metric in metrics
                ),
            )
        )
    names = [metric.replace("_", " ") for metric in metrics]
    return Table(
        ("variant", "parameters", "multiply-adds", *names),
        tuple(rows),
        caption and caption.replace("{seeds}", str(len(record.seeds))),
    )


def _rows(
    record: "Record", metrics: Sequence[str], variants: Sequence[str] | None
) -> list[str]:
    known = {
        m for variant in record.variants.values() for m in variant.metrics
    }
    for metric in metrics:
        if metric not in known:
            raise ValueError(
                f"metrics must be of {sorted(known)}, got {metric!r}"
            )
    for variant in variants or ():
        if variant not in record.variants:
            raise ValueError(
                f"variants must be of {sorted(record.variants)}, "
                f"got {variant!r}"
            )
    return (
        list(variants)
        if variants is not None
        else [
            name
            for name, variant in record.variants.items()
            if any(metric in variant.metrics for metric in metrics)
        ]
    )


def _typeset(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}").replace(
        "-", "\N{MINUS SIGN}"
    )
