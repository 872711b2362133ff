"""The page of the claims on trial, from their files and records."""

import inspect
import json
import shutil
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from attncourse.trials import Claim, Record, claim, claims, load
from attncourse.trials.claim import claim_file, of_november
from attncourse.trials.record import recorded, results_folder
from attncourse.trials.rule import MOST_SEEDS, Price
from attncourse.trials.statements import (
    Above,
    All,
    Finding,
    Gain,
    NoLoss,
    Statement,
    typeset,
)
from attncourse.viz import seeds, table
from attncourse.viz.trials import curves, effect, effects, mark

PAGE = "book/claims"
COPIES = "claims"
"""Folder of the built book with a copy of every claim file and record."""

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
        for worded in (Claim, Price, Finding, effects):
            self.env.note_dependency(inspect.getfile(worded))
        return self.show()

    def show(self) -> list[nodes.Node]:
        raise NotImplementedError


class Rule(Claims):
    """How many claims there are, and what was found."""

    def show(self) -> list[nodes.Node]:
        records = tried()
        old = [name for name, record in records.items() if of_november(record)]
        words = [
            claim(name).verdict(record) for name, record in records.items()
        ]
        counts = ", ".join(
            f"{words.count(word)} {word}"
            for word in dict.fromkeys(sorted(words))
        )
        text = f"Verdicts of {len(records)} recorded trials: {counts}."
        if old:
            text += (
                f" Of these, {len(old)} were tried under the rule of 21 "
                f"November and are marked so."
            )
        return self.parse_text_to_nodes(text)


class Summary(Claims):
    """One picture of all effects."""

    def show(self) -> list[nodes.Node]:
        found = {
            name: claim(name).find(record) for name, record in tried().items()
        }
        picture = effects(
            found,
            caption=(
                "What every trial found, in units of its margin, and the "
                "interval that decided. The band is what is too small to be "
                "worth having, the short line what was needed. The scale is "
                "even up to two margins and logarithmic beyond; where an old "
                "claim needed only more than zero, the unit is one point."
            ),
        )
        return [nodes.raw("", picture.html, format="html")]


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
        title += nodes.Text(f"{number} {headline(case, record)[:-1]}")
        section += title
        self.state.document.note_explicit_target(section)
        parts = [f"**Said by.** {case.source}"]
        if record is None:
            parts += [to_come(case), "No record."]
            section += self.parse_text_to_nodes("\n\n".join(parts))
            return section
        if of_november(record):
            parts.append(outdated(case, record))
        parts.append(set_up(case, record))
        section += self.parse_text_to_nodes("\n\n".join(parts))
        found = case.find(record)
        picture = effect(
            found,
            plain(case.decider(record).quantity),
            caption=(
                "A small dot is one seed, the line the interval that decides, "
                "the dashed line what was needed"
                + (", the band the margin." if found.signed else ".")
            ),
        )
        section += nodes.raw("", picture.html, format="html")
        section += self.parse_text_to_nodes(judgement(case, record))
        section += self.parse_text_to_nodes(details(name, case, record))
        return section


def headline(case: Claim, record: Record | None) -> str:
    """What a record was made to decide, or what is to be tried."""
    return case.statement if record is None else case.headline(record)


def row(name: str, number: str, record: Record | None) -> str:
    """One row of the table of claims."""
    case = claim(name)
    lesson = f'<a href="../lessons/{case.lesson}.html">lesson</a>'
    said = escape(headline(case, record))
    first = f'<a href="#{name}">{number} {name}</a>. {said}'
    if record is None:
        cells = [first, "no record", "", "", f"{lesson}, {code(name)}"]
    else:
        found = case.find(record)
        word = f"<strong>{found.word}</strong>"
        if of_november(record):
            word += "<br>rule of 21 November"
        if found.word == "not settled":
            word += f"<br>{to_settle(found.price)}"
        cells = [
            first,
            word,
            f"{strip(found)}<br>{found.effect}",
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


def plain(words: str) -> str:
    """Names of metrics as words."""
    return words.replace("_", " ")


def to_settle(price: Price) -> str:
    """What it would cost to settle a statement, in words."""
    if price.seeds is not None and price.minutes is not None:
        return (
            f"to settle: about {price.seeds} seeds, {duration(price.minutes)}"
        )
    if price.images:
        return "to settle: more test images"
    return f"to settle: more than {MOST_SEEDS:,} seeds"


def duration(minutes: float) -> str:
    """Minutes, or hours where they are many."""
    if minutes < 90:
        return f"{max(minutes, 1):.0f} minutes"
    return f"{minutes / 60:.0f} hours"


def to_come(case: Claim) -> str:
    """What is to be decided, and how."""
    deciding = decided_by(case.predictions[0])
    return f"**To be tried.** {case.statement} {deciding}"


def decided_by(statement: Statement) -> str:
    """The rule of a statement, its margins and their reasons."""
    text = f"What decides: {plain(statement.rule)}."
    for reason in dict.fromkeys(reasons(statement)):
        text += f" {reason}"
    return text


def reasons(statement: Statement) -> list[str]:
    """Why a statement has the margins, or the threshold, that it has."""
    match statement:
        case All():
            return [why for each in statement.members for why in reasons(each)]
        case Gain() | NoLoss():
            margin = statement.margin
            size = f"The margin is {margin.at_least:g}"
            if margin.doubling is not None:
                single, double = margin.doubling
                size += (
                    f", or what *{double}* gains over *{single}* in the same "
                    f"trial if that is more"
                )
            return [f"{size}. {margin.because}"]
        case Above():
            return [statement.because]
    return []


def outdated(case: Claim, record: Record) -> str:
    """The mark of a record made under the old rule."""
    text = (
        f"**Tried under the rule of 21 November** (record of "
        f"{record.date[:10]}), to be run anew under [the present "
        f"one](rule.md)."
    )
    if case.earlier:
        text += f" Then this will be tried: {case.statement} "
        text += decided_by(case.predictions[0])
    return text


def set_up(case: Claim, record: Record) -> str:
    """The set-up in four lines."""
    variants = ", ".join(
        f"*{name}* ({variant.label})"
        for name, variant in record.variants.items()
    )
    compared = record.variants[case.decider(record).variants[0]]
    size = {**record.settings, **compared.settings}
    trained = (
        f"{size['epochs']} times {size['scenes']:,} scenes, tested on "
        f"{size['test_scenes']:,}"
        if {"epochs", "scenes", "test_scenes"} <= set(size)
        else f"settings {json.dumps(size)}"
    )
    meanings = "; ".join(
        f"*{plain(metric)}*, {case.metrics[metric]}"
        for metric in measured(case, record)
    )
    return (
        f"- **Scene.** {case.scene}\n"
        f"- **Variants.** {variants}.\n"
        f"- **Measured.** {meanings}.\n"
        f"- **Budget.** {len(record.seeds)} seeds for each variant; {trained}."
    )


def measured(case: Claim, record: Record) -> list[str]:
    """Metrics that a page shows: those of the claim that the record has."""
    known = {m for v in record.variants.values() for m in v.metrics}
    return [metric for metric in case.metrics if metric in known]


def judgement(case: Claim, record: Record) -> str:
    """Verdict, what decided, and what the pilot saw."""
    deciding, found = case.decider(record), case.find(record)
    needed = f"it had to be above {found.needed:.3g}"
    if found.signed and not of_november(record):
        needed = f"the margin is {found.margin:.3g}, and {needed}"
    lines = [
        f"**{found.word.capitalize()}.** {deciding.statement} Measured: "
        f"{plain(deciding.quantity)} is {found.effect}; {needed}."
    ]
    if isinstance(deciding, All):
        lines.append(further(deciding.members, record, "One of all"))
    if not of_november(record):
        lines += reasons(deciding)
    if found.word == "not settled":
        lines.append(f"**Price.** {settling(found.price)}")
    if (pilot := pilot_table(case, record)) is not None:
        lines.append(pilot)
    lines.append(f"**What would change it.** {case.would_change}")
    return "\n\n".join(lines)


def settling(price: Price) -> str:
    """What it would take to settle a statement, in a sentence."""
    if price.seeds is not None and price.minutes is not None:
        return (
            f"If difference and spread are as recorded, a new trial with "
            f"{price.seeds} seeds of the variants compared would settle it in "
            f"four cases of five: about {duration(price.minutes)} on one "
            f"thread."
        )
    if price.images:
        return (
            "More seeds alone would not settle it: there are too few test "
            "images."
        )
    return (
        f"The difference is so near to what was needed that {MOST_SEEDS:,} "
        f"seeds would not settle it."
    )


def pilot_table(case: Claim, record: Record) -> str | None:
    """What was seen before the trial, and chosen from it."""
    pilot = record.pilot
    if pilot is None:
        return None
    rows = []
    for name, lengths in pilot.lengths.items():
        own = {**record.settings, **record.variants[name].settings}
        rates = pilot.rates[name]
        rows.append(
            (
                name,
                f"{own['lr']:g}",
                pairs_in_words(rates),
                pairs_in_words(lengths),
            )
        )
    seen = " and ".join(map(str, pilot.seeds))
    reached = (
        "Twice the epochs gained less than a point for every variant."
        if pilot.plateau
        else "Twice the epochs still gained a point or more for some variant, "
        "so that there is no verdict."
    )
    metric = plain(pilot.metric)
    columns = "Variant", "Rate chosen", f"{metric} by rate", "by epochs"
    return (
        f"**What the pilot saw**, {metric} on validation scenes with seeds "
        f"{seen}, which no trial uses. {reached}\n\n"
    ) + grid(columns, rows)


def pairs_in_words(values: Mapping[str, float]) -> str:
    """A number for each setting."""
    return ", ".join(f"{key}: {value:.3f}" for key, value in values.items())


def details(name: str, case: Claim, record: Record) -> str:
    """Every variant, further statements, and how to repeat the trial."""
    deciding = case.decider(record)
    lines = [
        "````{dropdown} Every variant, further statements, how to repeat it",
        table(record, measured(case, record)).html,
    ]
    if all(record.variants[v].curves for v in deciding.variants):
        caption = "Training of the variants compared, a line for each seed."
        lines.append(curves(record, deciding.variants, caption=caption).html)
    else:
        shown = dict.fromkeys([deciding.metrics[0], *measured(case, record)])
        lines.append(seeds(record, list(shown)[:2]).html)
    if others := case.judged(record)[1:]:
        lines.append(further(others, record, "Further statement"))
    networks = [
        f'<a href="../{COPIES}/networks/{name}/{each}.safetensors">{each}</a>'
        for each, result in record.variants.items()
        if result.network
    ]
    if networks:
        lines.append(
            f"Networks of the first seed, in half precision: "
            f"{', '.join(networks)}."
        )
    lines.append(
        f"The {code(name)} of the claim and its {kept(name)} of "
        f"{record.date[:10]}: {record.hardware['cpu']}, "
        f"{record.time.runs / 60:.0f} minutes on one thread; "
        f"`{record.command}`"
    )
    return "\n\n".join([*lines, "````"])


def further(
    statements: Sequence[Statement], record: Record, title: str
) -> str:
    """Several statements as a table."""
    rows = []
    for each in statements:
        found = each.find(record)
        rows.append(
            (
                escape(each.statement),
                found.effect,
                typeset(f"{found.needed:.3g}"),
                found.word,
            )
        )
    return grid((title, "Interval", "Needed above", "Verdict"), rows)


def grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose rows become blocks on a phone."""
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-label="{column}">{cell}</td>'
            for column, cell in zip(columns, cells, strict=True)
        )
        + "</tr>"
        for cells in rows
    )
    return (
        f'<table class="table stacked"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def cost(case: Claim, record: Record) -> str:
    """What the variant on trial costs, as multiples of its rival."""
    variant, *rivals = case.decider(record).variants
    ours = record.variants[variant]
    theirs = record.variants[rivals[0] if rivals else record.control]
    parts = [
        ("parameters", ours.parameters, theirs.parameters),
        ("work", ours.multiply_adds, theirs.multiply_adds),
        ("time", sum(ours.seconds), sum(theirs.seconds)),
    ]
    return "<br>".join(
        f"{what} {mine / other:.2f}" for what, mine, other in parts if other
    )


def strip(found: Finding) -> str:
    """A small picture: seeds, interval, and what was needed, dashed."""
    interval, values = found.interval, found.per_seed
    width, height = 140, 20
    middle, half = width / 2, height / 2
    bounds = [*interval, *values, found.nothing]
    reach = 1.1 * max(abs(x - found.needed) for x in bounds) or 1.0

    def at(value: float) -> str:
        away = (middle - 4) * (value - found.needed) / reach
        return f"{min(max(middle + away, 0), width):.1f}"

    colour = mark(found.word)[0]
    words = (
        f"{found.effect}, needed: above {found.needed:.3g}; "
        f"{len(values)} seeds from {min(values):.3f} to {max(values):.3f}"
    )
    dots = "".join(
        f'<circle cx="{at(value)}" cy="{half:g}" r="2" '
        f'fill="{colour}" fill-opacity="0.35"/>'
        for value in values
    )
    band = ""
    if found.signed:
        low, high = at(-found.margin), at(found.margin)
        band = (
            f'<rect x="{low}" width="{float(high) - float(low):.1f}" y="0" '
            f'height="{height}" fill="currentColor" fill-opacity="0.12"/>'
        )
    return (
        f'<svg role="img" aria-label="{escape(words)}" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}" '
        f'style="max-width: 100%; height: auto">{band}'
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
    """Put claim files, records and networks beside the pages.

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
            networks = files[name].parent / "networks" / name
            if networks.is_dir():
                copies = folder / "networks" / name
                shutil.copytree(networks, copies, dirs_exist_ok=True)


def setup(app: Sphinx) -> None:
    app.add_directive("claims-rule", Rule)
    app.add_directive("claims-summary", Summary)
    app.add_directive("claims-table", Table)
    app.add_directive("claims-sections", Sections)
    app.connect("doctree-read", anchors)
    app.connect("env-get-outdated", changed)
    app.connect("build-finished", copy)
