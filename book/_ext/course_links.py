"""Links that the book makes of plain text: citations, terms, names of code.

A lesson holds links to papers, plain words and inline code, which read well
in any notebook.  In the book a link to a paper of the list of references
becomes a citation, the first use of a term on a page leads to the glossary,
and the name of something public leads to its description.  Citations and
terms carry a note that is shown on hover and on focus.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from course_html import Tag, tag
from docutils import nodes
from pybtex.database import Entry, parse_file
from pybtex.plugin import find_plugin
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

REFERENCES, GLOSSARY, API = "book/references", "book/glossary", "book/api"
PLAIN_PAGES = (REFERENCES, GLOSSARY, "book/credits", "book/mutants")
CLOSED = (
    Tag,
    addnodes.desc,
    nodes.Admonition,
    nodes.caption,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    nodes.reference,
    nodes.rubric,
    nodes.term,
    nodes.title,
)
"""Where no term is linked: links, names, equations and boxes."""
COMMON = {"check", "evaluate", "fit", "hint", "solution", "watch"}
"""Names of the API that are linked although they are plain words."""


@dataclass(frozen=True)
class Citation:
    """An entry of the list of references."""

    key: str
    authors: tuple[str, ...]
    year: str
    entry: Entry = field(compare=False, repr=False)

    @cached_property
    def text(self) -> str:
        """The reference in full, without its address."""
        style = find_plugin("pybtex.style.formatting", "unsrt")()
        backend = find_plugin("pybtex.backends", "plaintext")()
        shown = style.format_entry(self.key, self.entry).text.render(backend)
        return re.sub(r"\s*URL: \S+", "", " ".join(shown.split()))


@cache
def citations(bibliography: Path) -> dict[str, Citation]:
    """The entries of a bibliography by their addresses."""
    entries = parse_file(str(bibliography), "bibtex").entries
    return {
        address(entry.fields["url"]): cited(key, entry)
        for key, entry in entries.items()
        if "url" in entry.fields
    }


def cited(key: str, entry: Entry) -> Citation:
    families = tuple(
        " ".join(map(str, [*p.rich_prelast_names, *p.rich_last_names]))
        for p in entry.persons.get("author", [])
    )
    return Citation(key, families, entry.fields["year"], entry)


def address(url: str) -> str:
    return url.rstrip("/")


def link(text: nodes.Node, uri: str, note: str, kind: str, name: str) -> Tag:
    """A link with a note beside it, shown on hover and on focus."""
    anchor = tag(
        "a",
        text,
        classes=f"reference internal {kind}",
        href=uri,
        aria_describedby=name,
    )
    tip = tag("span", nodes.Text(note), classes="tip", role="tooltip")
    tip["ids"] = [name]
    return tag("span", anchor, tip, classes="tipped")


class Linker:
    """Adds the links of one page."""

    def __init__(self, app: Sphinx, tree: nodes.document, page: str) -> None:
        self.app, self.tree, self.page = app, tree, page
        self.count = 0

    def uri(self, page: str, anchor: str) -> str:
        return f"{self.app.builder.get_relative_uri(self.page, page)}#{anchor}"

    def note_name(self) -> str:
        self.count += 1
        return f"note-{self.count}"

    def citations(self) -> None:
        known = citations(Path(self.app.srcdir) / "book" / "references.bib")
        keyed = {f"ref-{each.key}": each for each in known.values()}
        for node in list(self.tree.findall(nodes.reference)):
            target = node.get("refuri", "")
            found = known.get(address(target)) or keyed.get(
                target.partition("#")[2]
            )
            if found is None:
                continue
            new = link(
                nodes.Text(node.astext()),
                self.uri(REFERENCES, f"ref-{found.key}"),
                found.text,
                "cite-link",
                self.note_name(),
            )
            node.parent.replace(node, new)

    def terms(self) -> None:
        glossary = glossary_of(self.app.env)
        if not glossary:
            return
        pattern = re.compile(
            rf"(?<![\w-])({'|'.join(map(re.escape, by_length(glossary)))})"
            r"(?![\w-])",
            re.IGNORECASE,
        )
        left = {term.term for term in glossary.values()}
        for node in list(self.tree.findall(nodes.Text)):
            if not left or closed(node):
                continue
            parts = list(self.linked(node, pattern, glossary, left))
            if len(parts) > 1:
                node.parent.replace(node, parts)

    def linked(
        self,
        node: nodes.Text,
        pattern: re.Pattern[str],
        glossary: "dict[str, Term]",
        left: set[str],
    ) -> Iterator[nodes.Node]:
        text, done = node.astext(), 0
        for match in pattern.finditer(text):
            word = match.group()
            term = glossary.get(word) or glossary.get(word.lower())
            if term is None or term.term not in left:
                continue
            left.remove(term.term)
            yield nodes.Text(text[done : match.start()])
            done = match.end()
            yield link(
                nodes.Text(word),
                self.uri(GLOSSARY, term.anchor),
                term.definition,
                "gloss",
                self.note_name(),
            )
        yield nodes.Text(text[done:])

    def names(self) -> None:
        known = public_names(self.app.env)
        for node in list(self.tree.findall(nodes.literal)):
            found = known.get(re.sub(r"\(.*\)$", "", node.astext()))
            if found is None or isinstance(node.parent, CLOSED):
                continue
            page, anchor = found
            new = tag(
                "a",
                node.deepcopy(),
                classes="reference internal",
                href=self.uri(page, anchor),
            )
            node.parent.replace(node, new)


@dataclass(frozen=True)
class Term:
    """An entry of the glossary."""

    term: str
    anchor: str
    definition: str


def closed(node: nodes.Text) -> bool:
    here = node.parent
    while here is not None:
        if isinstance(here, CLOSED):
            return True
        here = here.parent
    return False


def by_length(words: dict[str, Term]) -> list[str]:
    return sorted(words, key=lambda word: (-len(word), word))


def glossary_of(env: BuildEnvironment) -> dict[str, Term]:
    """Terms by the words that stand for them, plurals included."""
    if not hasattr(env, "course_glossary"):
        env.course_glossary = dict(read_glossary(env))
    return env.course_glossary


def read_glossary(env: BuildEnvironment) -> Iterator[tuple[str, Term]]:
    if GLOSSARY not in env.found_docs:
        return
    tree = env.get_doctree(GLOSSARY)
    for item in tree.findall(nodes.definition_list_item):
        (definition,) = item.findall(nodes.definition)
        sentence = " ".join(definition[0].astext().split())
        for term in item.findall(nodes.term):
            name = term.astext()
            entry = Term(name, term["ids"][0], sentence)
            for word in forms(name):
                yield word, entry


def forms(term: str) -> list[str]:
    """The term as it may stand in a sentence; abbreviations as written."""
    words = [term, f"{term}s"]
    if term.endswith("y"):
        words.append(f"{term[:-1]}ies")
    if term.endswith(("s", "x", "ch")):
        words.append(f"{term}es")
    if term.isupper():
        return words[:2]
    return [word.lower() for word in words]


def public_names(env: BuildEnvironment) -> dict[str, tuple[str, str]]:
    """Page and anchor of everything public, by each name that is clear.

    ``attncourse.viz.figure`` is also ``viz.figure``; the last part alone
    does where it cannot be a common word.
    """
    found: dict[str, set[tuple[str, str]]] = {}
    for full, entry in env.get_domain("py").objects.items():
        if not full.startswith("attncourse.") or entry.objtype == "module":
            continue
        parts = full.split(".")[1:]
        names = [full, ".".join(parts)]
        last = parts[-1]
        if last[0].isupper() or "_" in last or last in COMMON:
            names.append(last)
        for name in names:
            found.setdefault(name, set()).add((entry.docname, entry.node_id))
    return {n: next(iter(e)) for n, e in found.items() if len(e) == 1}


def forget_glossary(app: Sphinx, env: BuildEnvironment, page: str) -> None:
    if page == GLOSSARY and hasattr(env, "course_glossary"):
        del env.course_glossary


def add_links(app: Sphinx, tree: nodes.document, page: str) -> None:
    if app.builder.format != "html" or page.startswith(API):
        return
    linker = Linker(app, tree, page)
    if page != REFERENCES:
        linker.citations()
    if page not in PLAIN_PAGES:
        linker.terms()
        linker.names()


def setup(app: Sphinx) -> None:
    app.connect("env-purge-doc", forget_glossary)
    app.connect("doctree-resolved", add_links, priority=900)
