"""Sphinx extension: executed lessons, local MathJax, a silent console."""

import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import course_bench
import course_claims
import course_execution
import course_pages
import course_practice
import course_tests
import nbformat
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

TIMINGS = "book/timings"
Context = dict[str, Any]


def lesson_of(env: BuildEnvironment, docname: str) -> Path | None:
    path = Path(env.doc2path(docname))
    return path if path.suffix == ".ipynb" else None


def point_at_fork(app: Sphinx, config: Config) -> None:
    """Let the launch buttons of a fork's book open the fork's notebooks."""
    repository = os.environ.get("GITHUB_REPOSITORY")
    if repository:
        url = f"https://github.com/{repository}"
        config.html_theme_options["repository_url"] = url


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
    """Write every page again when the names in the side bar change."""
    before = getattr(env, "course_titles", None)
    env.course_titles = {n: t.astext() for n, t in env.titles.items()}
    return list(env.titles) if env.course_titles != before else []


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
    note = re.compile(r"console\.(log|info|debug)\(")
    scripts = Path(app.outdir, "_static", "scripts").glob("*-theme.js")
    for script in [*scripts, Path(app.outdir, "search.html")]:
        code = script.read_text(encoding="utf8")
        script.write_text(note.sub("void(", code), encoding="utf8")


def trim_page(
    app: Sphinx, name: str, template: str, context: Context, tree: Any
) -> None:
    """Take out what a page does not use, and roles that are out of date."""
    body = context.get("body", "").replace(' role="doc-biblioentry"', "")
    body = body.replace(' role="list" class="citation-list"', "")
    context["body"] = body
    if 'class="math' not in body:
        scripts = context["script_files"]
        unused = [s for s in scripts if "mathjax" in str(s).lower()]
        context["script_files"] = [s for s in scripts if s not in unused]


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", point_at_fork)
    app.connect("builder-inited", execute_lessons)
    app.connect("env-get-outdated", find_stale)
    app.connect("env-updated", refresh_navigation)
    app.connect("source-read", show_outputs)
    app.connect("html-page-context", trim_page, priority=900)
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", remove_stale_pages)
    app.connect("build-finished", silence_theme)
    course_pages.setup(app)
    course_bench.setup(app)
    course_claims.setup(app)
    course_practice.setup(app)
    course_tests.setup(app)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
