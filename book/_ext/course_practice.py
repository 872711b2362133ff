"""Directives of the exercises: ladders of hints, and questions to predict."""

import inspect
from hashlib import sha256
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from attncourse.exercises.exercise import find

Context = dict[str, Any]


class Hints(SphinxDirective):
    """The hints of an exercise, each in a box that opens."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        try:
            exercise = find(self.arguments[0])
        except LookupError as error:
            raise self.error(f"hints: {error.args[0]}") from error
        self.env.note_dependency(inspect.getfile(exercise.judge))
        boxes = [
            f":::{{dropdown}} Hint {step}\n{text}\n:::"
            for step, text in enumerate(exercise.hints, start=1)
        ]
        return self.parse_text_to_nodes("\n\n".join(boxes))


class Tag(nodes.General, nodes.Element):
    """An element of HTML by its name; other formats see its content only."""


def enter(translator: Any, node: Tag) -> None:
    if node["tag"] == "input":
        body = translator.emptytag(node, "input", "", **node["attributes"])
    else:
        body = translator.starttag(node, node["tag"], "", **node["attributes"])
    translator.body.append(body)


def leave(translator: Any, node: Tag) -> None:
    if node["tag"] != "input":
        translator.body.append(f"</{node['tag']}>\n")


def pass_by(translator: Any, node: Tag) -> None:
    pass


def tag(
    name: str, /, *children: nodes.Node, classes: str = "", **attributes: str
) -> Tag:
    return Tag(
        "",
        *children,
        tag=name,
        attributes=attributes,
        classes=classes.split(),
    )


class Question(SphinxDirective):
    """A question with options, one right; a choice shows its explanation.

    The options are the items of a list of tasks: the first paragraph of an
    item is the option, the rest its explanation.
    """

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = {"name": directives.unchanged_required}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        name = self.own_name()
        words, _ = self.parse_inline(self.arguments[0])
        options = [self.option(name, item) for item in self.items()]
        right = sum(option["right"] for option in options)
        if len(options) < 2 or right != 1:
            raise self.error(
                f"question {name}: one of two or more options must be "
                f"right; {right} of {len(options)} are"
            )
        legend = tag("legend", *words, classes="quiz-question")
        live = {"role": "status", "aria-live": "polite"}
        answer = tag("div", classes="quiz-answer", **live)
        box = tag("fieldset", legend, *options, answer, classes="quiz")
        box["ids"] = [name]
        return [box]

    def own_name(self) -> str:
        name = self.options.get("name", "")
        if not name or name != nodes.make_id(name):
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
        return name

    def items(self) -> list[nodes.list_item]:
        content = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, content)
        lists = [
            child for child in content if isinstance(child, nodes.bullet_list)
        ]
        if len(content) != 1 or len(lists) != 1:
            raise self.error(
                f"question {self.options['name']}: its body must be one "
                "list of options, '- [ ] ...' or '- [x] ...'"
            )
        return list(lists[0])

    def option(self, name: str, item: nodes.list_item) -> Tag:
        box = next(iter(item.findall(nodes.raw)), None)
        if box is None or "checkbox" not in box.astext():
            raise self.error(
                f"question {name}: an option must begin with '[ ] ' or "
                f"'[x] ', got {item.astext()[:40]!r}"
            )
        right = "checked" in box.astext().replace("checkbox", "")
        box.parent.remove(box)
        wording, *why = item.children
        if not why:
            raise self.error(
                f"question {name}: the option {wording.astext()[:40]!r} "
                "needs an explanation in a paragraph of its own"
            )
        text = wording.astext().strip()
        radio = tag(
            "input",
            type="radio",
            name=name,
            value=sha256(text.encode()).hexdigest()[:8],
            autocomplete="off",
        )
        words = tag("span", *wording.children)
        sign, word = ("✓", "Right.") if right else ("✗", "Not so.")
        mark = tag("p", nodes.Text(f"{sign} {word}"), classes="quiz-mark")
        explanation = tag(
            "div",
            mark,
            *why,
            classes=f"quiz-why quiz-{'right' if right else 'wrong'}",
        )
        summary = tag("summary", nodes.Text("Is it so?"))
        details = tag("details", summary, explanation)
        label = tag("label", radio, words)
        option = tag("div", label, details, classes="quiz-option")
        option["right"] = right
        return option


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
    if 'class="quiz"' in context.get("body", ""):
        app.add_js_file("question.js", loading_method="defer")


def setup(app: Sphinx) -> None:
    app.add_node(
        Tag,
        html=(enter, leave),
        latex=(pass_by, pass_by),
        text=(pass_by, pass_by),
    )
    app.add_directive("hints", Hints)
    app.add_directive("question", Question)
    app.connect("env-purge-doc", forget_questions)
    app.connect("html-page-context", add_script)
