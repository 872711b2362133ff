"""How long a lesson takes: to read, to practise, and to run.

Reading is counted, not guessed: words at 200 a minute, half a minute for a
displayed equation, three seconds for a line of code that is shown.  What
opens by a click (hints, solutions, answers) is not counted, and exercises
have the minutes that their titles say.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import course_execution as execution
import course_markdown as markdown
import nbformat
from nbformat import NotebookNode
from sphinx.environment import BuildEnvironment

WORDS_A_MINUTE = 200
MINUTES_AN_EQUATION = 0.5
MINUTES_A_LINE = 0.05
COLLAPSED = {"hide-input", "hide-cell"}


@dataclass(frozen=True)
class Effort:
    """What a lesson asks of its reader."""

    words: int
    equations: int
    lines: int
    practice: int
    seconds: float | None

    @property
    def reading(self) -> int:
        """Minutes to read."""
        return round(
            self.words / WORDS_A_MINUTE
            + self.equations * MINUTES_AN_EQUATION
            + self.lines * MINUTES_A_LINE
        )

    @property
    def sentence(self) -> str:
        text = f"about {self.reading} minutes to read"
        if self.practice:
            text += f", {self.practice} for the exercises"
        if self.seconds is not None:
            text += f"; the code takes about {self.seconds:.0f} seconds"
        return f"{text}."


def effort(lesson: Path) -> Effort:
    notebook = nbformat.read(lesson, as_version=4)
    texts = [c.source for c in execution.text_cells(notebook)]
    spent = execution.result(lesson)
    return Effort(
        words=sum(len(words(text)) for text in texts),
        equations=sum(equations(text) for text in texts),
        lines=sum(shown_lines(c) for c in execution.code_cells(notebook)),
        practice=sum(practice(text) for text in texts),
        seconds=spent and min(spent["seconds"], spent["processor"]),
    )


def effort_of(env: BuildEnvironment, docname: str) -> Effort | None:
    """The effort of a page, where it is a lesson."""
    path = Path(env.doc2path(docname))
    return effort(path) if path.suffix == ".ipynb" else None


def read_at_once(text: str) -> Iterator[markdown.Token]:
    """Tokens of what is seen without a click and outside exercises."""
    for token in markdown.parse(text):
        found = markdown.directive(token)
        if found is None:
            yield token
        elif found.name != "dropdown" and "exercise" not in found.classes:
            yield from read_at_once(found.argument)
            yield from read_at_once(found.body)


def words(text: str) -> list[str]:
    return [
        word
        for token in read_at_once(text)
        for child in token.children or ()
        if child.type in ("text", "code_inline", "math_inline", "myst_role")
        for word in child.content.split()
    ]


def equations(text: str) -> int:
    kinds = ("math_block", "math_block_label", "amsmath")
    return sum(token.type in kinds for token in read_at_once(text))


def shown_lines(cell: NotebookNode) -> int:
    if COLLAPSED & set(cell.metadata.get("tags", [])):
        return 0
    return len(cell.source.splitlines())


def practice(text: str) -> int:
    """Minutes of the exercises in a text."""
    titles = [
        found.argument
        for _, found in markdown.walk(text)
        if found is not None and "exercise" in found.classes
    ]
    return sum(
        int(minutes)
        for title in titles
        for minutes in re.findall(r"(\d+) minutes", title)
    )
