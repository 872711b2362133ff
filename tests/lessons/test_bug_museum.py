"""The museum shows no answer beside a question, and counts its exhibits."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from attncourse import viz
from attncourse.bugs import (
    blocks,
    cbam,
    faces,
    library_calls,
    multihead,
    pairwise_maps,
    single_head,
)
from attncourse.bugs.museum import exhibit
from attncourse.checkup import checkup

MODULES = (
    blocks,
    cbam,
    faces,
    library_calls,
    multihead,
    pairwise_maps,
    single_head,
)
LESSON = Path(__file__).resolve().parents[2] / "lessons" / "bug_museum.ipynb"
CELLS: list[dict[str, Any]] = json.loads(LESSON.read_text("utf8"))["cells"]
EXHIBITS = 31


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def hidden(cell: dict[str, Any]) -> bool:
    return "hide-cell" in cell["metadata"].get("tags", ())


def answers() -> set[str]:
    """Names of wrong modules, which say what is wrong with them."""
    return {
        name
        for module in MODULES
        for name, value in vars(module).items()
        if inspect.isclass(value) or inspect.isfunction(value)
        if value.__module__ == module.__name__
    } - {"SingleHead"}


def test_no_visible_code_names_a_mistake() -> None:
    for cell in CELLS:
        if cell["cell_type"] == "code" and not hidden(cell):
            for name in answers():
                assert name not in source(cell)


def test_no_visible_text_names_a_mistake() -> None:
    for cell in CELLS:
        if cell["cell_type"] == "markdown":
            shown = re.sub(
                r"^:::\{dropdown\}.*?^:::$",
                "",
                source(cell),
                flags=re.MULTILINE | re.DOTALL,
            )
            assert "**Right.**" not in shown
            assert "**The fix.**" not in shown
            for name in answers():
                assert name not in shown


@pytest.mark.parametrize("number", range(1, EXHIBITS + 1))
def test_the_code_that_is_shown_does_not_say_what_is_wrong(
    number: int,
) -> None:
    shown = viz.source(exhibit(number), docstring=False)
    text = "\n".join(line for _, line in shown.lines)
    assert "Wrong" not in text
    assert "Right" not in text
    assert '"""' not in text
    for name in answers() - {"rollout_step"}:
        assert name not in text


def test_each_exhibit_is_shown_asked_measured_and_explained() -> None:
    kinds = []
    for cell in CELLS:
        text = source(cell)
        if found := re.match(r"viz\.source\(exhibit\((\d+)\)", text):
            kinds.append(("shown", int(found[1])))
        elif ":class: question" in text:
            kinds.append(("asked", None))
        elif hidden(cell) and (found := re.search(r'"(\d+) [^"]*"', text)):
            kinds.append(("measured", int(found[1])))
        elif "{dropdown} What happened here" in text:
            kinds.append(("explained", None))
    expected: list[tuple[str, int | None]] = []
    for number in range(1, EXHIBITS + 1):
        expected += [
            ("shown", number),
            ("asked", None),
            ("measured", number),
            ("explained", None),
        ]
    assert kinds == expected


def test_answers_differ_in_their_places() -> None:
    """The right answer is not always the same one of three."""
    right = []
    for cell in CELLS:
        if ":class: question" in source(cell):
            options = re.findall(r"\*\*(Right|No)\.\*\*", source(cell))
            assert options.count("Right") == 1
            right.append(options.index("Right"))
    assert len(right) == EXHIBITS
    assert max(right.count(index) for index in set(right)) < 0.6 * len(right)


def test_there_is_no_such_exhibit() -> None:
    for number in (0, EXHIBITS + 1):
        with pytest.raises(ValueError, match=f"one of 1 to {EXHIBITS}"):
            exhibit(number)


@pytest.mark.lengthy
@pytest.mark.usefixtures("as_shipped")
def test_two_exhibits_are_right() -> None:
    torch.manual_seed(0)
    right = single_head.SingleHead(16)
    tokens = torch.randn(3, 7, 16)
    mask = torch.rand(3, 7, 7) > 0.3
    for kind in (single_head.KeysInRows, single_head.FilledByWhere):
        control = kind(16)
        control.load_state_dict(right.state_dict())
        torch.testing.assert_close(control(tokens), right(tokens))
        assert checkup(control, tokens).ok
    torch.testing.assert_close(control(tokens, mask), right(tokens, mask))


@pytest.mark.lengthy
@pytest.mark.usefixtures("as_shipped")
def test_the_checkup_passes_four_mistakes() -> None:
    """For these one has to know what was meant."""
    maps = torch.randn(2, 32, 5, 7)
    passed = (
        (cbam.TwoPerceptrons(32), maps),
        (blocks.ReductionAsWidth(32), maps),
        (blocks.GateAddedTwice(32), maps),
        (library_calls.MixedCorners(), (maps, torch.randn(2, 2, 3))),
    )
    for module, inputs in passed:
        assert checkup(module, inputs).ok
