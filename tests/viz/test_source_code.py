"""The code that is shown is the code that runs."""

import inspect
import sys
from html import unescape
from pathlib import Path

import pytest
import torch

import attncourse
from attncourse.attention import AdditiveAttention, additive
from attncourse.viz import source
from tests.viz.parsing import elements

ROOT = Path(attncourse.__file__).parents[1]


def lines_of(obj):
    lines, first = inspect.getsourcelines(obj)
    return [x.rstrip("\n") for x in lines], max(first, 1)


@pytest.mark.parametrize(
    "obj", [AdditiveAttention, AdditiveAttention.forward, additive]
)
def test_shows_the_lines_of_the_file(obj):
    shown = source(obj)
    file = (ROOT / shown.path).read_text().splitlines()
    lines, first = lines_of(inspect.unwrap(obj))
    assert shown.path == "attncourse/attention/additive.py"
    assert [code for _, code in shown.lines] == lines
    assert shown.lines[0][0] == first
    assert all(file[number - 1] == code for number, code in shown.lines)
    last = first + len(lines) - 1
    assert shown.title == f"{shown.path}, lines {first} to {last}"


def test_docstrings_can_be_left_out_and_the_numbers_stay():
    whole, short = (
        source(AdditiveAttention, docstring=wanted) for wanted in (True, False)
    )
    assert set(short.lines) < set(whole.lines)
    text = "\n".join(code for _, code in short.lines)
    assert '"""' not in text
    assert "def forward" in text
    assert source(additive, docstring=False).lines[0][1].strip() != '"""'
    assert len(source(additive, docstring=False).lines) < len(
        source(additive).lines
    )


def test_html_holds_the_code_and_its_numbers():
    shown = source(AdditiveAttention.forward)
    bundle = shown._repr_mimebundle_()
    (code,) = elements(bundle["text/html"], "pre")
    numbers = [
        x.text.strip()
        for x in elements(bundle["text/html"], "span")
        if x.attributes.get("class") == "linenos"
    ]
    assert numbers == [str(number) for number, _ in shown.lines]
    rows = code.text.rstrip("\n").split("\n")
    width = len(numbers[-1])
    assert [row[width:] for row in rows] == [c for _, c in shown.lines]
    assert code.attributes["tabindex"] == "0"
    assert '<span class="k">def</span>' in bundle["text/html"]
    assert "highlight" in code.parents[-1].attributes["class"]
    assert bundle["text/plain"].startswith(f"# {shown.title}\n")


def test_works_without_pygments(monkeypatch):
    shown = source(AdditiveAttention.forward)
    coloured = elements(shown.html, "pre")[0].text
    monkeypatch.setitem(sys.modules, "pygments", None)
    plain = shown.html
    assert '<span class="k">' not in plain
    assert elements(plain, "pre")[0].text == coloured
    assert "->" in unescape(plain)


@pytest.mark.usefixtures("as_shipped")
@pytest.mark.parametrize(
    "obj",
    [torch.nn.Linear, AdditiveAttention(2, 3, 5), len, "additive", torch],
)
def test_shows_nothing_but_the_package(obj):
    with pytest.raises(ValueError, match=r"obj is .*of attncourse"):
        source(obj)
