"""Plain notebooks: the lessons as any notebook viewer can show them.

A lesson's Markdown is rewritten block by block, as MyST's own parser finds
them: boxes become quotations, dropdowns become `<details>`, equations get
their numbers, expressions their values and links their full addresses.  The
outputs are those of the last execution.
"""

import hashlib
import json
import zipfile
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import course_address
import course_execution as execution
import course_markdown as markdown
import course_practice
import course_reading
import nbformat
from course_html import tag
from docutils import nodes
from markdown_it.token import Token
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxRole

from attncourse.exercises.exercise import find

FOLDER = "notebooks"
ARCHIVE = "attention-measured-notebooks.zip"
MADE = ".made.json"
BOXES = {"note": "Note", "tip": "Tip", "warning": "Warning"}
DROPPED = {"myst_line_comment", "myst_block_break", "attrs_block"}
FORBIDDEN = {"amsmath", "dl_open", "substitution_block"}
INSTALL = """\
try:
    import attncourse  # noqa: F401
except ModuleNotFoundError:
    %pip install -q "attncourse[pretrained] @ git+{address}"\
"""
MISSING = """\
try:
    import attncourse  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "The package attncourse is missing; the README of the course says "
        "how it is installed."
    ) from error"""


class PlainError(ValueError):
    """Something in a lesson that has no plain form."""


@dataclass
class Surroundings:
    """What the text of one lesson refers to."""

    equations: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, "deque[str]"] = field(default_factory=dict)
    site: str | None = None
    minutes: str = ""

    def value(self, expression: str) -> str:
        waiting = self.values.get(expression)
        if not waiting:
            raise PlainError(f"{{eval}}`{expression}` has no stored value")
        return escaped(waiting.popleft())

    def equation(self, label: str) -> str:
        if label not in self.equations:
            raise PlainError(f"there is no equation {label!r}")
        return self.equations[label]

    def link(self, target: str) -> str | None:
        """Where a link leads outside the book; None if nowhere."""
        if target.startswith(("http:", "https:", "mailto:", "#")):
            return target
        path, _, anchor = target.partition("#")
        if self.site is None:
            return path if path.endswith(".ipynb") else None
        page = (Path("/lessons") / path).resolve().with_suffix(".html")
        return f"{self.site}{page}" + (f"#{anchor}" if anchor else "")


def escaped(value: str) -> str:
    for sign in "\\`*_$<>|[]":
        value = value.replace(sign, f"\\{sign}")
    return value


def plain(text: str, around: Surroundings) -> str:
    """Markdown of a lesson in plain Markdown and HTML."""
    lines = text.split("\n")
    parts = [
        block(token, subtree, lines[first:last], around)
        for token, subtree, first, last in blocks(markdown.parse(text))
    ]
    return "\n\n".join(part for part in parts if part)


def blocks(
    tokens: Sequence[Token],
) -> Iterator[tuple[Token, list[Token], int, int]]:
    """Each block of the text itself, with its tokens and its lines."""
    opened: Token | None = None
    inside: list[Token] = []
    for token in tokens:
        inside.append(token)
        if token.level == 0 and token.nesting == 1:
            opened = token
        if token.level == 0 and token.nesting < 1:
            start = opened if token.nesting == -1 else token
            if start is not None and start.map:
                yield start, inside, start.map[0], start.map[1]
            inside, opened = [], None


def block(
    token: Token, inside: list[Token], lines: list[str], around: Surroundings
) -> str:
    found = markdown.directive(token)
    if found is not None:
        return box(found, around)
    if token.type in DROPPED:
        return ""
    if token.type in FORBIDDEN or any(
        markdown.directive(each) for each in inside
    ):
        raise PlainError(f"no plain form for: {lines[0]}")
    if token.type == "myst_target":
        return f'<a id="{token.content}"></a>'
    if token.type == "math_block_label":
        number = around.equation(token.info)
        return f"$$\n{token.content.strip()}\n\\tag{{{number}}}\n$$"
    if token.type in ("fence", "colon_fence", "code_block", "math_block"):
        return "\n".join(lines).rstrip()
    return inline("\n".join(lines).rstrip(), inside, around)


def box(found: markdown.Directive, around: Surroundings) -> str:
    title = plain(found.argument, around)
    if found.name == "dropdown":
        return details(title, plain(found.body, around))
    if found.name == "table":
        return f"**{title}**\n\n{plain(found.body, around)}"
    if found.name not in (*BOXES, "admonition"):
        raise PlainError(f"no plain form for the directive {found.name}")
    title = title or BOXES[found.name]
    name = found.options.get("name")
    anchor = f'<a id="{name}"></a>' if name else ""
    parts = [quoted(f"{anchor}**{title}**")]
    body = found.body
    if "exercise" in found.classes and "name" in found.options:
        exercise = find(found.options["name"])
        hints = course_practice.hints_as_markdown(exercise.hints)
        body = f"{body}\n\n{hints}"
    if "goals" in found.classes and around.minutes:
        body = f"{body}\n\n**Time** {around.minutes}"
    lines = body.split("\n")
    for token, inside, first, last in blocks(markdown.parse(body)):
        text = block(token, inside, lines[first:last], around)
        inner = markdown.directive(token)
        if inner is not None and inner.name == "dropdown":
            parts.append(text)
        elif parts[-1].startswith(">"):
            parts[-1] += f"\n>\n{quoted(text)}"
        else:
            parts.append(quoted(text))
    return "\n\n".join(parts)


def details(title: str, body: str) -> str:
    summary = markdown.parser().renderInline(title)
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"


def quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def inline(text: str, tokens: list[Token], around: Surroundings) -> str:
    """Replace roles and links, in the order in which the parser saw them."""
    done: list[str] = []

    def replace(raw: str, new: str) -> None:
        nonlocal text
        before, found, text = text.partition(raw)
        if not found:
            raise PlainError(f"{raw} was not found where it was parsed")
        done.append(before + new)

    for token in tokens:
        for child in token.children or ():
            if child.type == "myst_role":
                replace(*role(child, around))
            elif child.type == "link_open":
                target = str(child.attrs["href"])
                replace("](", "](")
                new = around.link(target)
                if new is None:
                    unlink(done)
                    replace(f"{target})", "")
                else:
                    replace(target, new)
            elif child.type in ("footnote_ref", "footnote_anchor"):
                label = child.meta["label"]
                replace(f"[^{label}]", f"<sup>{label}</sup>")
    return "".join(done) + text


def unlink(done: list[str]) -> None:
    """Take the brackets of a link away that leads nowhere."""
    before = "".join(done).removesuffix("](")
    opened = before.rindex("[")
    done[:] = [before[:opened] + before[opened + 1 :]]


def role(child: Token, around: Surroundings) -> tuple[str, str]:
    """The role as it stands in the source, and its plain form."""
    name, content = child.meta["name"], child.content
    raw = f"{{{name}}}`{content}`"
    forms: dict[str, Callable[[str], str]] = {
        "eval": around.value,
        "eq": lambda label: f"({around.equation(label)})",
    }
    if name not in forms:
        raise PlainError(f"no plain form for the role {raw}")
    return raw, forms[name](content)


def notebook(lesson: Path, around: Surroundings) -> NotebookNode:
    """The lesson in plain form with its stored outputs."""
    found = execution.stored(lesson)
    if found is None:
        raise PlainError(f"{lesson.name} has not been executed")
    for number, cell in enumerate(found.cells):
        if cell.cell_type == "code":
            settle(cell)
            continue
        try:
            cell.source = plain(cell.source, around)
        except PlainError as error:
            raise PlainError(
                f"{lesson.name}, cell {number}: {error}"
            ) from error
    address = course_address.repository()
    code = INSTALL.format(address=address) if address else MISSING
    install = nbformat.v4.new_code_cell(f"# @title Install the course\n{code}")
    install.id = "install"
    install.metadata = collapsed()
    found.cells.insert(1, install)
    return found


def collapsed() -> NotebookNode:
    return nbformat.from_dict(
        {"cellView": "form", "jupyter": {"source_hidden": True}}
    )


def settle(cell: NotebookNode) -> None:
    """Show figures as pictures, and say what a collapsed cell is for."""
    for output in cell.outputs:
        data = output.get("data", {})
        moves = "data-explore" in "".join(data.get("text/html", ""))
        if "image/png" in data and not moves:
            data.pop("text/html", None)
    tags = cell.metadata.pop("tags", [])
    cell.metadata.pop("mystnb", None)
    if "hide-cell" in tags:
        cell.source = f"# @title Solution\n{cell.source}"
    elif "hide-input" in tags:
        drawn = any("image/png" in o.get("data", {}) for o in cell.outputs)
        name = "The code of the figure" if drawn else "Imports"
        cell.source = f"# @title {name}\n{cell.source}"


def surroundings(env: BuildEnvironment, lesson: Path) -> Surroundings:
    page = f"lessons/{lesson.stem}"
    numbers = env.toc_fignumbers.get(page, {}).get("displaymath", {})
    equations = {
        label: ".".join(map(str, numbers[f"equation-{label}"]))
        for label, (where, _) in env.domaindata["math"]["objects"].items()
        if where == page and f"equation-{label}" in numbers
    }
    values: dict[str, deque[str]] = defaultdict(deque)
    for expression, value in execution.values(lesson):
        values[expression].append(value)
    effort = course_reading.effort(lesson)
    return Surroundings(
        equations, values, course_address.pages(), effort.sentence
    )


def fingerprint(lesson: Path, around: Surroundings) -> str:
    """Digest of all that a plain notebook is made from."""
    hints = [
        find(box.options["name"]).hints
        for cell in execution.text_cells(nbformat.read(lesson, as_version=4))
        for _, box in markdown.walk(cell.source)
        if box is not None
        and "exercise" in box.classes
        and "name" in box.options
    ]
    address = course_address.repository()
    facts = [execution.key(lesson), repr(around), repr(hints), address]
    content = lesson.read_bytes() + Path(__file__).read_bytes()
    return hashlib.sha256(content + repr(facts).encode()).hexdigest()


def write_notebooks(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    folder = Path(app.outdir, FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / MADE
    before = json.loads(note.read_text("utf8")) if note.exists() else {}
    made = {}
    for lesson in execution.lessons():
        around = surroundings(app.env, lesson)
        made[lesson.name] = fingerprint(lesson, around)
        file = folder / lesson.name
        if file.exists() and before.get(file.name) == made[file.name]:
            continue
        found = notebook(lesson, around)
        nbformat.validate(found)
        nbformat.write(found, file)
    for file in folder.glob("*.ipynb"):
        if file.name not in made:
            file.unlink()
    if made == before and (folder / ARCHIVE).exists():
        return
    note.write_text(json.dumps(made), encoding="utf8")
    with zipfile.ZipFile(folder / ARCHIVE, "w", zipfile.ZIP_DEFLATED) as all_:
        for file in sorted(folder.glob("*.ipynb")):
            entry = zipfile.ZipInfo(file.name, (2026, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            all_.writestr(entry, file.read_bytes())


class DownloadAll(SphinxRole):
    """A link to the archive of all plain notebooks."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        up = "../" * self.env.docname.count("/")
        target = f"{up}{FOLDER}/{ARCHIVE}"
        link = tag("a", nodes.Text(self.text), href=target, download="")
        return [link], []


def set_buttons(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any
) -> None:
    """Let the buttons of a lesson open and download its plain notebook."""
    if not page.startswith("lessons/"):
        return
    name = page.removeprefix("lessons/")
    buttons = context.get("header_buttons", [])
    for group in buttons:
        for button in group.get("buttons", [group]):
            if str(button.get("url", "")).endswith(".ipynb"):
                button["url"] = f"../{FOLDER}/{name}.ipynb"
                button["text"] = "Notebook"
    launch = [
        {
            "type": "link",
            "text": service,
            "tooltip": f"Open this lesson on {service}",
            "icon": f"_static/images/logo_{service.lower()}"
            + (".png" if service == "Colab" else ".svg"),
            "url": address,
        }
        for service, address in course_address.notebook(name).items()
    ]
    if launch:
        group = {
            "type": "group",
            "tooltip": "Open this lesson elsewhere",
            "icon": "fas fa-rocket",
            "buttons": launch,
            "label": "launch-buttons",
        }
        buttons.insert(0, group)


def setup(app: Sphinx) -> None:
    app.add_role("download-notebooks", DownloadAll())
    app.connect("html-page-context", set_buttons, priority=950)
    app.connect("build-finished", write_notebooks)
