"""Recorded trials in figures and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from attncourse.viz.picture import Picture, figure
from attncourse.viz.style import INK, PALETTE, WIDTH, course_style

if TYPE_CHECKING:
    from attncourse.metrics import Interval
    from attncourse.trials import Record, Series


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
