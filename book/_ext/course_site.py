"""Sphinx extension: executed lessons, local MathJax, a silent console."""

import re
import shutil
from collections import defaultdict, deque
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import course_address
import course_bench
import course_claims
import course_execution
import course_html
import course_links
import course_notebooks
import course_pages
import course_practice
import course_tests
import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxRole

TIMINGS = "book/timings"
Context = dict[str, Any]


def lesson_of(env: BuildEnvironment, docname: str) -> Path | None:
    path = Path(env.doc2path(docname))
    return path if path.suffix == ".ipynb" else None


class Evaluated(SphinxRole):
    """`{eval}`: a value of the lesson's last execution, as text."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        values = waiting_values(self.env)
        if not values[self.text]:
            note = self.inliner.reporter.error(
                f"eval: {self.text!r} has no stored value on this page",
                line=self.lineno,
            )
            return [], [note]
        return [nodes.Text(values[self.text].popleft())], []


def waiting_values(env: BuildEnvironment) -> dict[str, deque[str]]:
    """Values of the page that is being read, by their expressions."""
    known = env.temp_data.get("course_values")
    if known is None:
        known = defaultdict(deque)
        lesson = lesson_of(env, env.docname)
        for expression, value in (
            course_execution.values(lesson) if lesson else ()
        ):
            known[expression].append(value)
        env.temp_data["course_values"] = known
    return known


def execute_lessons(app: Sphinx) -> None:
    lessons = course_execution.lessons()
    try:
        course_execution.execute_missing(lessons)
    except Exception as error:
        raise ExtensionError(str(error)) from error


def find_stale(
    app: Sphinx,
    env: BuildEnvironment,
    added: set[str],
    changed: set[str],
    removed: set[str],
) -> list[str]:
    """Read a lesson again when its outputs are others than were shown.

    The page of timings names every lesson, so it follows all of them.
    """
    before = getattr(env, "course_keys", {})
    lessons = {name: lesson_of(env, name) for name in env.found_docs}
    now = {n: course_execution.key(x) for n, x in lessons.items() if x}
    env.course_keys = now
    stale = [name for name in now if now[name] != before.get(name)]
    edited = set(now) & (added | changed)
    return [*stale, TIMINGS] if stale or edited or removed else []


def refresh_navigation(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Write every page again when what all pages show has changed.

    That is the names in the side bar and the notes of the glossary.
    """
    before = getattr(env, "course_shared", None)
    titles = {n: t.astext() for n, t in env.titles.items()}
    env.course_shared = titles, course_links.glossary_of(env)
    return list(env.titles) if env.course_shared != before else []


def show_outputs(app: Sphinx, docname: str, source: list[str]) -> None:
    lesson = lesson_of(app.env, docname)
    notebook = lesson and course_execution.stored(lesson)
    if notebook:
        source[0] = nbformat.writes(notebook)


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """One script and its fonts, of the 24 MB that the wheel carries."""
    if error or app.builder.format != "html":
        return
    spec = find_spec("sphinx-mathjax-offline")
    source = Path(spec.origin).parent / "static" / "mathjax"
    target = Path(app.outdir, "_static", "vendor", "mathjax")
    fonts = Path("output", "chtml", "fonts")
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source / "tex-chtml-full.js", target)
    shutil.copytree(source / fonts, target / fonts, dirs_exist_ok=True)


def remove_stale_pages(app: Sphinx, error: Exception | None) -> None:
    """A page whose source is gone must not stay in the book."""
    for folder in ("book", "lessons"):
        for page in Path(app.outdir, folder).glob("*.html"):
            if f"{folder}/{page.stem}" not in app.env.found_docs:
                page.unlink()


def silence_theme(app: Sphinx, error: Exception | None) -> None:
    """Take the theme's progress notes out; its warnings and errors stay."""
    if app.builder.format != "html":
        return
    note = re.compile(r"console\.(log|info|debug)\(")
    scripts = Path(app.outdir, "_static", "scripts").glob("*-theme.js")
    for script in [*scripts, Path(app.outdir, "search.html")]:
        code = script.read_text(encoding="utf8")
        script.write_text(note.sub("void(", code), encoding="utf8")


def search_text(app: Sphinx, error: Exception | None) -> None:
    """Let the search quote the text of a page, not its code."""
    if error or app.builder.format != "html":
        return
    script = Path(app.outdir, "_static", "searchtools.js")
    code = script.read_text(encoding="utf8")
    removed = '[".headerlink", "script", "style"'
    if f'{removed}, "pre"' not in code:
        if removed not in code:
            raise ExtensionError(
                "Sphinx's search has changed: see search_text"
            )
        code = code.replace(removed, f'{removed}, "pre", "[role=tooltip]"')
        script.write_text(code, encoding="utf8")


def describe_page(
    app: Sphinx, name: str, template: str, context: Context, tree: Any
) -> None:
    """Say in a line what a page is, for search engines and for previews."""
    if tree is None:
        return
    text = next(
        (
            " ".join(part.astext().split())
            for part in tree.findall(nodes.paragraph)
            if not isinstance(part.parent, nodes.list_item)
        ),
        "",
    )
    short = text if len(text) < 200 else text[:200].rsplit(" ", 1)[0] + " …"
    facts = {"og:title": context["title"], "og:description": short}
    facts |= {"og:type": "article", "og:site_name": app.config.project}
    if pages := course_address.pages():
        facts["og:url"] = f"{pages}/{name}.html"
        facts["og:image"] = f"{pages}/_static/preview.png"
    tags = [f'<meta name="description" content="{escape(short)}">']
    tags += [
        f'<meta property="{key}" content="{escape(value)}">'
        for key, value in facts.items()
    ]
    context["metatags"] = "\n".join([context.get("metatags", ""), *tags])


def chapter(env: BuildEnvironment, name: str) -> str:
    """Number of a page in the contents with a full stop, or nothing."""
    numbers = env.toc_secnumbers.get(name, {}).get("", ())
    return ".".join([*map(str, numbers), ""])


def numbered(body: str, prefix: str) -> str:
    """Number the captions of the figures that cells draw."""
    count = 0

    def number(match: re.Match[str]) -> str:
        nonlocal count
        count += 1
        name = f"Figure {prefix}{count}"
        return f'{match.group()}<span class="figure-number">{name}</span> '

    return re.sub(r"<figcaption[^>]*>", number, body)


def trim_page(
    app: Sphinx, name: str, template: str, context: Context, tree: Any
) -> None:
    """Take out what a page does not use, and roles that are out of date."""
    body = context.get("body", "").replace(' role="doc-biblioentry"', "")
    body = body.replace(' role="list" class="citation-list"', "")
    # The page closes the whole cell, so what is in it is open.
    body = body.replace(
        '<details class="folded">', '<details class="folded" open>'
    )
    if name.startswith("lessons/"):
        body = numbered(body, chapter(app.env, name))
    context["body"] = body
    if 'class="math' not in body:
        scripts = context["script_files"]
        unused = [s for s in scripts if "mathjax" in str(s).lower()]
        context["script_files"] = [s for s in scripts if s not in unused]


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", execute_lessons)
    app.connect("env-get-outdated", find_stale)
    app.connect("env-updated", refresh_navigation)
    app.connect("source-read", show_outputs)
    app.connect("html-page-context", trim_page, priority=900)
    app.connect("html-page-context", describe_page)
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", search_text)
    app.connect("build-finished", remove_stale_pages)
    app.connect("build-finished", silence_theme)
    app.add_role("eval", Evaluated(), override=True)
    course_address.setup(app)
    course_html.setup(app)
    course_links.setup(app)
    course_notebooks.setup(app)
    course_pages.setup(app)
    course_bench.setup(app)
    course_claims.setup(app)
    course_practice.setup(app)
    course_tests.setup(app)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
