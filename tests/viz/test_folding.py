"""Outputs that the reader opens."""

from typing import Any

import IPython.display
import pytest

from attncourse.viz import folded


def test_what_is_printed_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(IPython.display, "display", shown.append)
    with folded("The <answer>"):
        print("a < b")
        print("c")
    (output,) = shown
    bundle = output._repr_mimebundle_()
    assert bundle["text/plain"] == "a < b\nc"
    html = bundle["text/html"]
    assert html.startswith('<details class="folded"><summary ')
    assert "The &lt;answer&gt;</summary><pre>a &lt; b\nc</pre>" in html


def test_an_error_inside_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError), folded("Never shown"):
        1 / 0  # noqa: B018
