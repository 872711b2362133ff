"""Reading the HTML of an output with the standard library."""

from base64 import b64decode
from dataclasses import dataclass, field
from html.parser import HTMLParser
from io import BytesIO

from PIL import Image

VOID = {"img", "input"}


@dataclass
class Element:
    """An element with its attributes, its text and its ancestors."""

    tag: str
    attributes: dict[str, str | None]
    parents: list["Element"]
    text: str = field(default="")


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[Element] = []
        self.found: list[Element] = []

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        element = Element(tag, dict(attrs), list(self.open))
        self.found.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data


def elements(html: str, tag: str) -> list[Element]:
    """Return the elements of one kind; the page must be well nested."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    assert not parser.open
    return [element for element in parser.found if element.tag == tag]


def decode(source: str) -> Image.Image:
    """Return the image of a data URI."""
    head, data = source.split(",")
    assert head == "data:image/webp;base64"
    return Image.open(BytesIO(b64decode(data)))
