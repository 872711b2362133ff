"""Recorded trials in the prose and in figures."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from attncourse.viz.gluing import glue
from attncourse.viz.picture import Picture, figure
from attncourse.viz.style import INK, PALETTE, WIDTH, course_style

if TYPE_CHECKING:
    from attncourse.metrics import Interval
    from attncourse.trials import Record, Series


def glue_record(prefix: str, record: "Record") -> None:
    """Make every metric of a record usable in the prose.

    It glues ``<prefix>_<variant>_<metric>``, the mean and standard deviation
    over the seeds such as "0.950 ± 0.010", and the number of seeds as
    ``<prefix>_seeds``. Signs in the name of a variant become underscores:
    ``average+mlp`` is ``average_mlp``.
    """
    glue(f"{prefix}_seeds", len(record.seeds))
    for variant, result in record.variants.items():
        for metric, series in result.metrics.items():
            name = f"{prefix}_{_plain(variant)}_{metric}"
            glue(name, series.mean, spread(series))


def glue_difference(
    name: str,
    record: "Record",
    variant: str,
    against: str,
    metric: str = "accuracy",
) -> None:
    """Make a paired difference usable in the prose.

    The page quotes the mean over the seeds and its 95 % bootstrap interval,
    such as "+0.022 (+0.017 to +0.027)".
    """
    found = record.difference(variant, metric, against)
    glue(name, found.mean, signed(found))


def glue_verdicts(*names: str) -> None:
    """Make the verdicts on claims usable in the prose.

    For each id, such as ``close-looks``, it glues ``E18_verdict`` (supported,
    refuted or not settled), ``E18_statement``, and ``E18_effect``: the mean
    and the corrected interval that decided.
    """
    from attncourse.trials import claim, load

    for name in names:
        case, record = claim(name), load(name)
        deciding = case.predictions[0]
        glue(f"{name}_verdict", case.verdict(record))
        glue(f"{name}_statement", case.statement)
        effect = deciding.interval(record)
        text = number_words(effect, deciding.against is not None)
        glue(f"{name}_effect", effect.mean, text)


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
        f"One dot for each of {len(record.seeds)} seeds, a row for each variant. "
        f"{'; '.join(parts)}."
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
                f"variants must be of {sorted(record.variants)}, got {variant!r}"
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


def _plain(variant: str) -> str:
    return re.sub(r"[-+.]", "_", variant)


def _typeset(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}").replace(
        "-", "\N{MINUS SIGN}"
    )
