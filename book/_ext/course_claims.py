"""The page of the claims on trial, from their files and records."""

import json
from html import escape

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from attncourse.metrics import Interval
from attncourse.trials import Claim, Prediction, Record, claim, claims, load
from attncourse.trials.claim import ERROR_RATE, claim_file, level
from attncourse.trials.record import recorded, results_folder
from attncourse.viz import seeds
from attncourse.viz.style import BLUE, VERMILLION
from attncourse.viz.trials import number_words

PAGE = "book/claims"
COLOURS = {
    "supported": BLUE,
    "refuted": VERMILLION,
    "not settled": "currentColor",
}


def tried() -> dict[str, Record]:
    """Every claim that has a record, with its record."""
    files = recorded(results_folder())
    return {name: load(name) for name in claims() if name in files}


class Claims(SphinxDirective):
    """A directive that shows something of every claim."""

    @property
    def repository(self) -> str:
        """Address of the sources, without its last slash."""
        url: str = self.config.html_theme_options["repository_url"]
        return f"{url.rstrip('/')}/blob/main"

    def code(self, name: str) -> str:
        path = f"attncourse/trials/claims/{claim_file(name).name}"
        return f"[code]({self.repository}/{path})"

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
        verdicts = [claim(n).verdict(record) for n, record in tried().items()]
        counts = ", ".join(f"{verdicts.count(v)} {v}" for v in COLOURS)
        fewest = min(len(record.seeds) for record in tried().values())
        text = (
            f"There are {len(claims())} claims, so each is decided by an "
            f"interval of {level():.2%}: the chance of even one wrong "
            f"verdict among all of them stays below {ERROR_RATE:.0%} "
            f"(Bonferroni). Every trial has at least {fewest} seeds. "
            f"The verdicts: {counts}."
        )
        return self.parse_text_to_nodes(text)


class Table(Claims):
    """One row for each claim."""

    def show(self) -> list[nodes.Node]:
        rows = [
            "| Claim | Verdict | Effect | Cost | Read on |",
            "|:--|:--|:--|:--|:--|",
        ]
        records = tried()
        for name in claims():
            case = claim(name)
            read = (
                f"[lesson](../lessons/{case.lesson}.ipynb), {self.code(name)}"
            )
            first = f"[{name}](#{name.lower()}). {case.statement}"
            if name not in records:
                rows.append(f"| {first} | not tried yet | | | {read} |")
                continue
            record = records[name]
            deciding = case.predictions[0]
            picture = effect(deciding, record)
            value = quantity(deciding, deciding.interval(record))
            rows.append(
                f"| {first} | **{case.verdict(record)}** | {picture}<br>"
                f"{value} | {cost(case, record)} | {read} |"
            )
        return self.parse_text_to_nodes("\n".join(rows))


class Sections(Claims):
    """A section for each claim."""

    def show(self) -> list[nodes.Node]:
        records = tried()
        return [self.section(name, records.get(name)) for name in claims()]

    def section(self, name: str, record: Record | None) -> nodes.section:
        case = claim(name)
        section = nodes.section(names=[name.lower()])
        title = nodes.title()
        title += self.parse_inline(f"{name}: {case.statement[:-1]}")[0]
        section += title
        self.state.document.note_explicit_target(section)
        if record is None:
            section += self.parse_text_to_nodes("Not tried yet.")
            return section
        shown = dict.fromkeys([case.predictions[0].metric, *case.metrics])
        picture = seeds(record, list(shown)[:2])
        section += self.parse_text_to_nodes(
            f"{case.source}\n\n{set_up(case, record)}"
        )
        section += nodes.raw("", picture.html, format="html")
        section += self.parse_text_to_nodes(self.judgement(name, case, record))
        return section

    def judgement(self, name: str, case: Claim, record: Record) -> str:
        """Verdict, further statements, and how to repeat the trial."""
        deciding = case.predictions[0]
        verdict = case.verdict(record)
        value = quantity(deciding, deciding.interval(record))
        lines = [
            f"**{verdict.capitalize()}.** {deciding.statement} Measured: "
            f"{said(deciding)} is {value}; it had to be above "
            f"{deciding.above:g}.",
            f"**What would change it.** {case.would_change}",
            "```{dropdown} Every variant, further statements, how to repeat it",
            record.table(case.metrics).replace("---", ":--", 1),
            "",
            "Mean ± standard deviation over the seeds; seconds for one run, "
            "training and scoring, on one thread.",
            "",
        ]
        if len(case.predictions) > 1:
            lines += [
                "| Further statement | Interval | Needed | Verdict |",
                "|:--|--:|--:|:--|",
            ]
            for each in case.predictions[1:]:
                interval = quantity(each, each.interval(record))
                lines.append(
                    f"| {each.statement} | {interval} | {each.above:g} "
                    f"| {each.verdict(record)} |"
                )
        lines += [
            "",
            f"Rows of the sources: {case.origin}. {self.code(name)}; "
            f"[record]({self.repository}/book/results/{name}.json) of "
            f"{record.date[:10]}, {record.hardware['cpu']}, "
            f"{record.time.runs / 60:.0f} minutes on one thread; "
            f"`{record.command}`",
            "```",
        ]
        return "\n\n".join(lines[:2]) + "\n\n" + "\n".join(lines[2:])


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
        f"- **Variants.** {variants}. Differences are paired by seed and order of "
        f"the data.\n"
        f"- **Budget.** {len(record.seeds)} seeds for each variant; {trained}."
    )


def said(prediction: Prediction) -> str:
    words = f"{prediction.metric.replace('_', ' ')} of *{prediction.variant}*"
    if prediction.against is not None:
        words += f" minus that of *{prediction.against}*"
    return words


def quantity(prediction: Prediction, interval: Interval) -> str:
    return number_words(interval, prediction.against is not None)


def cost(case: Claim, record: Record) -> str:
    """What the variant on trial costs, as multiples of what it is held against."""
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


def effect(prediction: Prediction, record: Record) -> str:
    """A small picture: what was needed in the middle, and the interval.

    The thick line is the 95 % bootstrap interval of a difference, the thin
    one the corrected interval that decides.
    """
    wide = prediction.interval(record)
    bounds = [*wide]
    narrow = None
    if prediction.against is not None:
        narrow = record.difference(
            prediction.variant, prediction.metric, prediction.against
        )
        bounds += [*narrow]
    reach = 1.1 * max(abs(x - prediction.above) for x in bounds) or 1.0

    def at(value: float) -> float:
        return 70 + 66 * (value - prediction.above) / reach

    colour = COLOURS[prediction.verdict(record)]
    words = f"{quantity(prediction, wide)}, needed: above {prediction.above:g}"
    thick = (
        ""
        if narrow is None
        else f'<line x1="{at(narrow.low):.1f}" x2="{at(narrow.high):.1f}" '
        f'y1="10" y2="10" stroke="{colour}" stroke-width="5"/>'
    )
    return (
        f'<svg role="img" aria-label="{escape(words)}" width="140" '
        f'height="20" viewBox="0 0 140 20">'
        f'<line x1="70" x2="70" y1="0" y2="20" stroke="currentColor" '
        f'stroke-dasharray="3 2"/>'
        f'<line x1="{at(wide.low):.1f}" x2="{at(wide.high):.1f}" y1="10" '
        f'y2="10" stroke="{colour}" stroke-width="1.5"/>{thick}'
        f'<circle cx="{at(wide.mean):.1f}" cy="10" r="4.5" fill="{colour}"/>'
        f"</svg>"
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
    ids = {name.lower() for name in claims()}
    for section in doctree.findall(nodes.section):
        for name in ids.intersection(section["names"]):
            slugs[name] = (section.line, name, section[0].astext())


def setup(app: Sphinx) -> None:
    app.add_directive("claims-rule", Rule)
    app.add_directive("claims-table", Table)
    app.add_directive("claims-sections", Sections)
    app.connect("doctree-read", anchors)
    app.connect("env-get-outdated", changed)
