"""The Markdown of the lessons, read with the parser that MyST itself uses."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

EXTENSIONS = {
    "amsmath",
    "attrs_block",
    "attrs_inline",
    "colon_fence",
    "deflist",
    "dollarmath",
    "html_image",
    "substitution",
    "tasklist",
}
TEXT_DIRECTIVES = {"admonition", "dropdown", "note", "table", "tip", "warning"}
"""Directives whose body is Markdown again."""


@dataclass(frozen=True)
class Directive:
    """A directive: its name, its argument, its options and its body."""

    name: str
    argument: str
    options: dict[str, str] = field(default_factory=dict)
    body: str = ""

    @property
    def classes(self) -> list[str]:
        return self.options.get("class", "").split()


@cache
def parser() -> MarkdownIt:
    config = MdParserConfig(enable_extensions=EXTENSIONS)
    return create_md_parser(config, RendererHTML)


@cache
def parse(text: str) -> tuple[Token, ...]:
    """Tokens of a text, to be read and not changed: they are kept."""
    return tuple(parser().parse(text))


def directive(token: Token) -> Directive | None:
    """The directive that a token stands for, if it is one."""
    if token.type not in ("fence", "colon_fence"):
        return None
    info = token.info.strip()
    if not info.startswith("{") or "}" not in info:
        return None
    name, _, argument = info[1:].partition("}")
    lines = token.content.splitlines()
    options = {}
    while lines and lines[0].startswith(":") and lines[0].count(":") >= 2:
        key, _, value = lines.pop(0)[1:].partition(":")
        options[key.strip()] = value.strip()
    body = "\n".join(lines).strip("\n")
    return Directive(name, argument.strip(), options, body)


def walk(text: str) -> Iterator[tuple[Token, Directive | None]]:
    """Every token of a text and of the bodies of its directives, in order."""
    for token in parse(text):
        found = directive(token)
        yield token, found
        if found is not None and found.name in TEXT_DIRECTIVES:
            yield from walk(found.argument)
            yield from walk(found.body)


def roles(text: str) -> Iterator[tuple[str, str]]:
    """Every role in a text, as its name and its content, in order."""
    for token, _ in walk(text):
        for child in token.children or ():
            if child.type == "myst_role":
                yield child.meta["name"], child.content


@cache
def expressions(text: str) -> tuple[str, ...]:
    """Every expression that the text asks to be evaluated, in order."""
    return tuple(content for name, content in roles(text) if name == "eval")
