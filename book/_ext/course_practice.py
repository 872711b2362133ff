"""Admonitions of the lessons that the book adds to.

A *question* becomes a form in which a choice shows its explanation, an
*exercise* gets the hints of its name, and *goals* the time that reading and
practice take.  In a notebook all of them are readable as they are.
"""

import inspect
import re
from hashlib import sha256
from typing import Any

import course_reading
from course_html import Tag, tag
from docutils import nodes
from docutils.parsers.rst.directives.admonitions import Admonition
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from attncourse.exercises.exercise import find

Context = dict[str, Any]
VERDICTS = {"Right.": ("✓", "right"), "No.": ("✗", "wrong")}


class CourseAdmonition(SphinxDirective, Admonition):
    """An admonition; by its class, a question, an exercise or goals."""

    def run(self) -> list[nodes.Node]:
        given = self.options.get("class", [])
        name = self.options.get("name", "")
        (box,) = Admonition.run(self)
        if "question" in given and name:
            return [self.question(box, name)]
        if "exercise" in given and name:
            box += self.hints(name)
        if "goals" in given:
            box += self.time()
        return [box]

    def hints(self, name: str) -> list[nodes.Node]:
        try:
            exercise = find(name)
        except LookupError as error:
            raise self.error(f"exercise: {error.args[0]}") from error
        self.env.note_dependency(inspect.getfile(exercise.judge))
        return self.parse_text_to_nodes(hints_as_markdown(exercise.hints))

    def time(self) -> list[nodes.Node]:
        effort = course_reading.effort_of(self.env, self.env.docname)
        if effort is None:
            return []
        return self.parse_text_to_nodes(f"**Time** {effort.sentence}")

    def question(self, box: nodes.admonition, name: str) -> Tag:
        self.reserve(name)
        title, *content = box.children
        options = [each for each in content if is_options(each)]
        answers = [each for each in content if is_dropdown(each)]
        words = [each for each in content if each not in [*options, *answers]]
        if len(options) != 1 or len(options[0]) != len(answers):
            raise self.error(
                f"question {name}: a numbered list of options and a dropdown "
                f"for each of them are needed"
            )
        shown = [
            self.option(name, item, answer)
            for item, answer in zip(options[0], answers, strict=True)
        ]
        right = sum(option["right"] for option in shown)
        if len(shown) < 2 or right != 1:
            raise self.error(
                f"question {name}: one of two or more options must be "
                f"right; {right} of {len(shown)} are"
            )
        legend = tag("legend", *title.children, classes="quiz-question")
        live = {"role": "status", "aria-live": "polite"}
        answer = tag("div", classes="quiz-answer", **live)
        form = tag("fieldset", legend, *words, *shown, answer, classes="quiz")
        form["ids"] = [name]
        return form

    def reserve(self, name: str) -> None:
        if name != nodes.make_id(name):
            raise self.error(
                f"question: needs a :name: of small letters, digits and "
                f"hyphens, got {name!r}"
            )
        known = questions(self.env)
        if name in known:
            raise self.error(
                f"question {name}: this name is taken in {known[name]}"
            )
        known[name] = self.env.docname

    def option(
        self, name: str, item: nodes.list_item, answer: nodes.container
    ) -> Tag:
        why = [c for c in answer.children if not isinstance(c, nodes.rubric)]
        said = [c for c in why[0].children if c.astext()] if why else []
        word = said[0].astext() if said else ""
        if word not in VERDICTS or not isinstance(said[0], nodes.strong):
            raise self.error(
                f"question {name}: an answer must begin with **Right.** or "
                f"**No.**, got {answer.astext()[:40]!r}"
            )
        why[0].remove(said[0])
        sign, verdict = VERDICTS[word]
        text = item.astext().strip()
        radio = tag(
            "input",
            type="radio",
            name=name,
            value=sha256(text.encode()).hexdigest()[:8],
            autocomplete="off",
        )
        wording = [c for part in item.children for c in part.children]
        mark = tag("p", nodes.Text(f"{sign} {word}"), classes="quiz-mark")
        explanation = tag(
            "div", mark, *why, classes=f"quiz-why quiz-{verdict}"
        )
        summary = tag("summary", nodes.Text("Right or wrong?"))
        label = tag("label", radio, tag("span", *wording))
        details = tag("details", summary, explanation)
        option = tag("div", label, details, classes="quiz-option")
        option["right"] = verdict == "right"
        return option


def is_options(node: nodes.Node) -> bool:
    return isinstance(node, nodes.enumerated_list)


def is_dropdown(node: nodes.Node) -> bool:
    kind = isinstance(node, nodes.container)
    return kind and node.get("design_component") == "dropdown"


def hints_as_markdown(hints: tuple[str, ...]) -> str:
    """The hints, each in a box that opens."""
    boxes = [
        f":::{{dropdown}} Hint {step}\n{text}\n:::"
        for step, text in enumerate(hints, start=1)
    ]
    return "\n\n".join(boxes)


def questions(env: BuildEnvironment) -> dict[str, str]:
    """The page of each question, by its name."""
    if not hasattr(env, "course_questions"):
        env.course_questions = {}
    return env.course_questions


def forget_questions(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    known = questions(env)
    for name in [name for name in known if known[name] == docname]:
        del known[name]


def add_script(
    app: Sphinx, name: str, template: str, context: Context, tree: Any
) -> None:
    """Load the script where there are questions."""
    if re.search('class="[^"]*quiz[ "]', context.get("body", "")):
        app.add_js_file("question.js", loading_method="defer")


def setup(app: Sphinx) -> None:
    app.add_directive("admonition", CourseAdmonition, override=True)
    app.connect("env-purge-doc", forget_questions)
    app.connect("html-page-context", add_script)
