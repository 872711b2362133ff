"""The page of the claims on trial, from their files and records."""

import json
import shutil
from collections.abc import Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from attncourse.trials import Claim, Prediction, Record, claim, claims, load
from attncourse.trials.claim import claim_file
from attncourse.trials.record import ERROR_RATE, recorded, results_folder
from attncourse.viz import seeds, table
from attncourse.viz.style import BLUE, VERMILLION

PAGE = "book/claims"
COPIES = "claims"
"""Folder of the built book with a copy of every claim file and record."""

COLOURS = {
    "supported": BLUE,
    "refuted": VERMILLION,
    "not settled": "currentColor",
}
COLUMNS = ("Claim", "Verdict", "Effect", "Cost", "Read on")


def tried() -> dict[str, Record]:
    """Every claim that has a record, with its record."""
    files = recorded(results_folder())
    return {name: load(name) for name in claims() if name in files}


def numbered() -> dict[str, str]:
    """Claims in the order of their lessons, each with a number such as 5.2."""
    ordered = sorted(claims(), key=lambda name: (claim(name).lesson, name))
    return {
        name: f"{int(lesson.split('_')[0])}.{place}"
        for lesson, names in groupby(ordered, lambda n: claim(n).lesson)
        for place, name in enumerate(names, start=1)
    }


class Claims(SphinxDirective):
    """A directive that shows something of every claim."""

    def run(self) -> list[nodes.Node]:
        for name in claims():
            self.env.note_dependency(str(claim_file(name)))
            self.env.note_dependency(str(results_folder() / f"{name}.json"))
        return self.show()

    def show(self) -> list[nodes.Node]:
        raise NotImplementedError


class Rule(Claims):
    """How many claims there are, and how that enters the verdicts."""

    def show(self) -> list[nodes.Node]:
        records = tried()
        verdicts = [claim(n).verdict(record) for n, record in records.items()]
        counts = ", ".join(f"{verdicts.count(v)} {v}" for v in COLOURS)
        fewest = min(len(record.seeds) for record in records.values())
        families = sorted({r.family for r in records.values()})
        levels = " or ".join(
            f"one of {family} claims, by an interval of "
            f"{1 - ERROR_RATE / family:.2%}"
            for family in families
        )
        text = (
            f"Each recorded trial was decided as {levels} (Bonferroni); its "
            f"record keeps both numbers, so that a claim added later moves "
            f"no verdict. If the differences between seeds are normal, and "
            f"for these test scenes alone, the chance of even one wrong "
            f"verdict stays below {ERROR_RATE:.0%}. Every trial has at least "
            f"{fewest} seeds. The verdicts: {counts}."
        )
        return self.parse_text_to_nodes(text)


class Table(Claims):
    """One row for each claim."""

    def show(self) -> list[nodes.Node]:
        records = tried()
        rows = [
            row(name, number, records.get(name))
            for name, number in numbered().items()
        ]
        head = "".join(f'<th scope="col">{column}</th>' for column in COLUMNS)
        html = (
            f'<table class="table stacked claims-table"><thead><tr>{head}'
            f"</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        )
        return [nodes.raw("", html, format="html")]


class Sections(Claims):
    """A section for each claim."""

    def show(self) -> list[nodes.Node]:
        records = tried()
        return [
            self.section(name, number, records.get(name))
            for name, number in numbered().items()
        ]

    def section(
        self, name: str, number: str, record: Record | None
    ) -> nodes.section:
        case = claim(name)
        section = nodes.section(names=[name])
        title = nodes.title()
        title += nodes.Text(f"{number} {case.statement[:-1]}")
        section += title
        self.state.document.note_explicit_target(section)
        if record is None:
            section += self.parse_text_to_nodes("No record.")
            return section
        deciding = case.predictions[0]
        shown = dict.fromkeys([deciding.metric, *case.metrics])
        picture = seeds(record, list(shown)[:2])
        section += self.parse_text_to_nodes(
            f"**Said by.** {case.source}\n\n{set_up(case, record)}"
        )
        section += nodes.raw("", picture.html, format="html")
        section += nodes.raw("", decision(deciding, record), format="html")
        section += self.parse_text_to_nodes(judgement(name, case, record))
        return section


def row(name: str, number: str, record: Record | None) -> str:
    """One row of the table of claims."""
    case = claim(name)
    lesson = f'<a href="../lessons/{case.lesson}.html">lesson</a>'
    first = f'<a href="#{name}">{number} {name}</a>. {escape(case.statement)}'
    if record is None:
        cells = [first, "no record", "", "", f"{lesson}, {code(name)}"]
    else:
        deciding = case.predictions[0]
        cells = [
            first,
            f"<strong>{case.verdict(record)}</strong>",
            f"{effect(deciding, record)}<br>{deciding.effect(record)}",
            cost(case, record),
            f"{lesson}, {code(name)}, {kept(name)}",
        ]
    return (
        "<tr>"
        + "".join(
            f'<td data-label="{column}">{cell}</td>'
            for column, cell in zip(COLUMNS, cells, strict=True)
        )
        + "</tr>"
    )


def code(name: str) -> str:
    """Link to the book's own copy of a claim file."""
    return f'<a href="../{COPIES}/{name}.py">code</a>'


def kept(name: str) -> str:
    """Link to the book's own copy of a record."""
    return f'<a href="../{COPIES}/{name}.json">record</a>'


def set_up(case: Claim, record: Record) -> str:
    """The set-up in three lines."""
    variants = ", ".join(
        f"*{name}* ({variant.label})"
        for name, variant in case.variants.items()
    )
    size = record.settings
    trained = (
        f"{size['epochs']} times {size['scenes']:,} scenes, tested on "
        f"{size['test_scenes']:,}"
        if {"epochs", "scenes", "test_scenes"} <= set(size)
        else f"settings {json.dumps(size)}"
    )
    return (
        f"- **Scene.** {case.scene}\n"
        f"- **Variants.** {variants}. Differences are paired by seed and "
        f"order of the data.\n"
        f"- **Budget.** {len(record.seeds)} seeds for each variant; {trained}."
    )


def decision(deciding: Prediction, record: Record) -> str:
    """What decides, as a picture with a dot for each seed."""
    dots = (
        "value" if deciding.against is None else "difference between the two"
    )
    return (
        f'<figure class="claim-effect">{effect(deciding, record, wide=True)}'
        f"<figcaption>What decides: {said(deciding, html=True)}. A small dot "
        f"is the {dots} in one seed, the line the corrected interval of the "
        f"mean, the dashed line what was needed.</figcaption></figure>"
    )


def judgement(name: str, case: Claim, record: Record) -> str:
    """Verdict, further statements, and how to repeat the trial."""
    deciding = case.predictions[0]
    verdict = case.verdict(record)
    meanings = "\n".join(
        f"- *{metric.replace('_', ' ')}*: {meaning}."
        for metric, meaning in case.metrics.items()
    )
    known = {m for v in record.variants.values() for m in v.metrics}
    shown = [metric for metric in case.metrics if metric in known]
    lines = [
        f"**{verdict.capitalize()}.** {deciding.statement} Measured: "
        f"{said(deciding)} is {deciding.effect(record)}; it had to be above "
        f"{deciding.above:g}.",
        f"**What would change it.** {case.would_change}",
        "````{dropdown} Every variant, further statements, how to repeat it",
        table(record, shown).html,
        meanings,
    ]
    if len(case.predictions) > 1:
        lines.append(further(case.predictions[1:], record))
    lines.append(
        f"The {code(name)} of the claim and its {kept(name)} of "
        f"{record.date[:10]}: {record.hardware['cpu']}, "
        f"{record.time.runs / 60:.0f} minutes on one thread; "
        f"`{record.command}`"
    )
    return "\n\n".join([*lines, "````"])


def further(predictions: Sequence[Prediction], record: Record) -> str:
    """The statements that do not decide, as a table."""
    columns = ("Further statement", "Interval", "Needed above", "Verdict")
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    body = ""
    for each in predictions:
        cells = (
            escape(each.statement),
            each.effect(record),
            f"{each.above:g}",
            each.verdict(record),
        )
        body += "<tr>" + "".join(
            f'<td data-label="{column}">{cell}</td>'
            for column, cell in zip(columns, cells, strict=True)
        )
        body += "</tr>"
    return (
        f'<table class="table stacked"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def said(prediction: Prediction, *, html: bool = False) -> str:
    """The quantity of a prediction, with the variants emphasised."""
    start, end = ("<em>", "</em>") if html else ("*", "*")
    metric = prediction.metric.replace("_", " ")
    words = f"{metric} of {start}{prediction.variant}{end}"
    if prediction.against is not None:
        words += f" minus that of {start}{prediction.against}{end}"
    return words


def cost(case: Claim, record: Record) -> str:
    """What the variant on trial costs, as multiples of its rival."""
    deciding = case.predictions[0]
    ours = record.variants[deciding.variant]
    theirs = record.variants[deciding.against or case.control]
    parts = [
        ("parameters", ours.parameters, theirs.parameters),
        ("work", ours.multiply_adds, theirs.multiply_adds),
        ("time", sum(ours.seconds), sum(theirs.seconds)),
    ]
    return "<br>".join(
        f"{what} {mine / other:.2f}" for what, mine, other in parts if other
    )


def effect(
    prediction: Prediction, record: Record, *, wide: bool = False
) -> str:
    """A small picture: what was needed in the middle, seeds and interval.

    The dots are those of the seeds, paired differences where these decide;
    the line is the corrected interval.
    """
    interval = prediction.interval(record)
    values = list(
        record.variants[prediction.variant].metrics[prediction.metric]
    )
    if prediction.against is not None:
        against = record.variants[prediction.against]
        values = [
            ours - theirs
            for ours, theirs in zip(
                values, against.metrics[prediction.metric], strict=True
            )
        ]
    width, height = (560, 44) if wide else (140, 20)
    middle, half = width / 2, height / 2
    bounds = [*interval, *values]
    reach = 1.1 * max(abs(x - prediction.above) for x in bounds) or 1.0

    def at(value: float) -> str:
        away = (middle - 4) * (value - prediction.above) / reach
        return f"{middle + away:.1f}"

    colour = COLOURS[prediction.verdict(record)]
    words = (
        f"{prediction.effect(record)}, needed: above {prediction.above:g}; "
        f"{len(values)} seeds from {min(values):.3f} to {max(values):.3f}"
    )
    dots = "".join(
        f'<circle cx="{at(value)}" cy="{half:g}" r="{3 if wide else 2}" '
        f'fill="{colour}" fill-opacity="0.35"/>'
        for value in values
    )
    return (
        f'<svg role="img" aria-label="{escape(words)}" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}" '
        f'style="max-width: 100%; height: auto">'
        f'<line x1="{middle:g}" x2="{middle:g}" y1="0" y2="{height}" '
        f'stroke="currentColor" stroke-dasharray="3 2"/>'
        f'<line x1="{at(interval.low)}" x2="{at(interval.high)}" '
        f'y1="{half:g}" y2="{half:g}" stroke="{colour}" stroke-width="2"/>'
        f'{dots}<circle cx="{at(interval.mean)}" cy="{half:g}" r="4.5" '
        f'fill="{colour}"/></svg>'
    )


def changed(
    app: Sphinx,
    env: BuildEnvironment,
    added: set[str],
    changed: set[str],
    removed: set[str],
) -> list[str]:
    """Read the page again when a claim or a record came or went."""
    now = [claims(), sorted(tried())]
    before = getattr(env, "course_claims", now)
    env.course_claims = now  # type: ignore[attr-defined]
    return [PAGE] if before != now and PAGE in env.found_docs else []


def anchors(app: Sphinx, doctree: nodes.document) -> None:
    """Let other pages link to a claim: MyST knows only written headings."""
    if app.env.docname != PAGE:
        return
    slugs = app.env.metadata[PAGE].setdefault("myst_slugs", {})
    ids = set(claims())
    for section in doctree.findall(nodes.section):
        for name in ids.intersection(section["names"]):
            slugs[name] = (section.line, name, section[0].astext())


def copy(app: Sphinx, error: Exception | None) -> None:
    """Put claim files and records beside the pages.

    Each claim can then be audited from the built book alone.
    """
    if error is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir, COPIES)
    folder.mkdir(exist_ok=True)
    files = recorded(results_folder())
    for name in claims():
        shutil.copyfile(claim_file(name), folder / f"{name}.py")
        if name in files:
            shutil.copyfile(files[name], folder / f"{name}.json")


def setup(app: Sphinx) -> None:
    app.add_directive("claims-rule", Rule)
    app.add_directive("claims-table", Table)
    app.add_directive("claims-sections", Sections)
    app.connect("doctree-read", anchors)
    app.connect("env-get-outdated", changed)
    app.connect("build-finished", copy)
