"""Directives for the generated pages: timings of the lessons and the API."""

from pathlib import Path
from typing import Any

import course_execution as execution
import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def title(lesson: Path) -> str:
    first = nbformat.read(lesson, as_version=4).cells[0].source
    return first.splitlines()[0].removeprefix("# ")


class LessonTimings(SphinxDirective):
    """A table of every lesson with the seconds its last execution took."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        rows = ["| Lesson | Code cells | Seconds |", "|:--|--:|--:|"]
        total = 0.0
        for lesson in execution.lessons():
            notebook = nbformat.read(lesson, as_version=4)
            cells = sum(1 for _ in execution.code_cells(notebook))
            seconds = execution.seconds(lesson) or 0.0
            total += seconds
            link = f"[{title(lesson)}](../lessons/{lesson.name})"
            rows.append(f"| {link} | {cells} | {seconds:.1f} |")
        rows.append(f"| **Together** | | **{total:.1f}** |")
        return self.parse_text_to_nodes("\n".join(rows))


class PublicApi(SphinxDirective):
    """Every name in the ``__all__`` of one module, from its docstring."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        module = self.arguments[0]
        lines = ["```{eval-rst}", f".. automodule:: {module}", "   :members:"]
        return self.parse_text_to_nodes("\n".join([*lines, "```"]))


class PhotoCredits(SphinxDirective):
    """A table of the photographs that the package can show."""

    def run(self) -> list[nodes.Node]:
        from attncourse.scenes import photo_credit, photos

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
    app.add_directive("lesson-timings", LessonTimings)
    app.add_directive("public-api", PublicApi)
    app.add_directive("photo-credits", PhotoCredits)
    app.connect("autodoc-skip-member", skip_field_aliases)
