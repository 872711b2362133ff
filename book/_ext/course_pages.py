"""Generated pages: the API, the timings of the lessons, the credits."""

from importlib import import_module
from pathlib import Path
from typing import Any

import course_execution as execution
import course_reading
import nbformat
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.docutils import SphinxDirective

from attncourse import attention, standalone


def title(lesson: Path) -> str:
    first = nbformat.read(lesson, as_version=4).cells[0].source
    return first.splitlines()[0].removeprefix("# ")


class LessonTimings(SphinxDirective):
    """A table of every lesson: minutes to read and to practise, seconds."""

    def run(self) -> list[nodes.Node]:
        rows = [
            "| Lesson | Reading, minutes | Exercises, minutes "
            "| Code cells | Seconds | Processor seconds |",
            "|:--|--:|--:|--:|--:|--:|",
        ]
        for lesson in execution.lessons():
            notebook = nbformat.read(lesson, as_version=4)
            cells = sum(1 for _ in execution.code_cells(notebook))
            effort = course_reading.effort(lesson)
            spent = execution.result(lesson)
            times = [spent[name] for name in ("seconds", "processor")]
            link = f"[{title(lesson)}](../lessons/{lesson.name})"
            columns = " | ".join(f"{time:.1f}" for time in times)
            rows.append(
                f"| {link} | {effort.reading} | {effort.practice} "
                f"| {cells} | {columns} |"
            )
        return self.parse_text_to_nodes("\n".join(rows))


class FigureOfLesson(SphinxDirective):
    """The first figure of a lesson whose alternative text has a word."""

    required_arguments = 1
    option_spec = {"contains": directives.unchanged_required}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        lesson = execution.ROOT / "lessons" / f"{self.arguments[0]}.ipynb"
        self.env.note_dependency(str(lesson))
        notebook = execution.stored(lesson)
        for cell in execution.code_cells(notebook):
            for output in cell.outputs:
                data = output.get("data", {})
                if self.options["contains"] not in data.get("text/plain", ""):
                    continue
                if "image/png" in data:
                    html = "".join(data["text/html"])
                    return [nodes.raw("", html, format="html")]
        raise self.error(
            f"{lesson.name} has no figure whose alternative text contains "
            f"{self.options['contains']!r}"
        )


class PublicApi(SphinxDirective):
    """Every name in the ``__all__`` of one module, from its docstring."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        module = import_module(name)
        lines = ["```{eval-rst}", f".. automodule:: {name}", "   :members:"]
        for public in module.__all__:
            value = getattr(module, public)
            vars(module)[public] = value  # a lazy name is found from now on
            if not callable(value):
                lines += ["", f".. autodata:: {name}.{public}"]
        return self.parse_text_to_nodes("\n".join([*lines, "```"]))


def subpackages() -> list[str]:
    """Every subpackage that names what is public."""
    found = (execution.ROOT / "attncourse").glob("*/__init__.py")
    public = (file for file in found if "__all__" in file.read_text("utf8"))
    return sorted(file.parent.name for file in public)


def write_api_pages(app: Sphinx, config: Config) -> None:
    """Give each subpackage a page, so that none can be forgotten."""
    folder = execution.ROOT / "book" / "api"
    folder.mkdir(exist_ok=True)
    for name in subpackages():
        module = f"attncourse.{name}"
        text = f"# {module}\n\n```{{public-api}} {module}\n```\n"
        if name == "attention":
            text += standalone_files(folder / "standalone")
        page = folder / f"{name}.md"
        if not page.exists() or page.read_text("utf8") != text:
            page.write_text(text, "utf8")
    for page in folder.glob("*.md"):
        if page.stem not in subpackages():
            page.unlink()


def standalone_files(folder: Path) -> str:
    """Write each mechanism as one file; Markdown that offers them."""
    folder.mkdir(exist_ok=True)
    links = []
    for name in attention.__all__:
        if not hasattr(getattr(attention, name), "attend"):
            continue
        file = folder / f"{name}.py"
        source = standalone(name)
        if not file.exists() or file.read_text("utf8") != source:
            file.write_text(source, "utf8")
        links.append(f"{{download}}`{name} <standalone/{name}.py>`")
    return (
        "\n## One file each\n\nThe mechanisms, each with all that it needs "
        f"beside torch: {', '.join(links)}.\n"
    )


class SubpackageList(SphinxDirective):
    """A table of the subpackages, each with the first line it says."""

    def run(self) -> list[nodes.Node]:
        rows = ["| Subpackage | What it holds |", "|:--|:--|"]
        for name in subpackages():
            module = import_module(f"attncourse.{name}")
            self.env.note_dependency(str(module.__file__))
            line = (module.__doc__ or "").splitlines()[0].replace("``", "`")
            rows.append(f"| [{name}](api/{name}.md) | {line} |")
        return self.parse_text_to_nodes("\n".join(rows))


class PhotoCredits(SphinxDirective):
    """A table of the photographs that the package can show."""

    def run(self) -> list[nodes.Node]:
        from attncourse.data import photo_credit, photos

        rows = ["| Photograph | Credit |", "|:--|:--|"]
        rows += [f"| `{name}` | {photo_credit(name)} |" for name in photos()]
        return self.parse_text_to_nodes("\n".join(rows))


def skip_field_aliases(
    app: Sphinx, what: str, name: str, member: Any, skip: bool, options: Any
) -> bool | None:
    """The fields of a named tuple stand in the docstring of the class."""
    doc = getattr(member, "__doc__", None) or ""
    return True if doc.startswith("Alias for field number") else None


def setup(app: Sphinx) -> None:
    app.connect("config-inited", write_api_pages)
    app.add_directive("figure-of-lesson", FigureOfLesson)
    app.add_directive("lesson-timings", LessonTimings)
    app.add_directive("public-api", PublicApi)
    app.add_directive("subpackage-list", SubpackageList)
    app.add_directive("photo-credits", PhotoCredits)
    app.connect("autodoc-skip-member", skip_field_aliases)
