"""An element of HTML by its name, whose text stays part of the page."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx


class Tag(nodes.General, nodes.Element):
    """An element of HTML; other formats see its content only."""


def tag(
    name: str, /, *children: nodes.Node, classes: str = "", **attributes: str
) -> Tag:
    named = {k.replace("_", "-"): v for k, v in attributes.items()}
    return Tag(
        "",
        *children,
        tag=name,
        attributes=named,
        classes=classes.split(),
    )


def enter(translator: Any, node: Tag) -> None:
    if node["tag"] == "input":
        body = translator.emptytag(node, "input", "", **node["attributes"])
    else:
        body = translator.starttag(node, node["tag"], "", **node["attributes"])
    translator.body.append(body)


def leave(translator: Any, node: Tag) -> None:
    if node["tag"] != "input":
        translator.body.append(f"</{node['tag']}>")


def pass_by(translator: Any, node: Tag) -> None:
    pass


def setup(app: Sphinx) -> None:
    app.add_node(
        Tag,
        html=(enter, leave),
        latex=(pass_by, pass_by),
        text=(pass_by, pass_by),
    )
