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
    layouts,
    library_calls,
    made_late,
    multihead,
    museum,
    pairwise_maps,
    single_head,
    streams,
    warping,
    windows,
)
from attncourse.bugs.museum import exhibit, versions
from attncourse.checkup import checkup

MODULES = (
    blocks,
    cbam,
    faces,
    layouts,
    library_calls,
    made_late,
    multihead,
    pairwise_maps,
    single_head,
    streams,
    warping,
    windows,
)
LESSON = Path(__file__).resolve().parents[2] / "lessons" / "bug_museum.ipynb"
CELLS: list[dict[str, Any]] = json.loads(LESSON.read_text("utf8"))["cells"]
EXHIBITS = 43
CONTROLS = 2
PAIRS = (2, 4, 6, *range(9, 15), 18, 22, 23, 24, 29, 33, 38, 39, 43)


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def hidden(cell: dict[str, Any]) -> bool:
    return "hide-cell" in cell["metadata"].get("tags", ())


def questions() -> list[str]:
    return [t for t in map(source, CELLS) if ":class: question" in t]


def answers() -> set[str]:
    """Names of wrong modules, which say what is wrong with them."""
    return {
        name
        for module in MODULES
        for name, value in vars(module).items()
        if inspect.isclass(value) or inspect.isfunction(value)
        if value.__module__ == module.__name__
    } - {"SingleHead", "mix"}


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
    if number in PAIRS:
        both = viz.versions(*versions(number))
        text = both._repr_mimebundle_()["text/plain"]
        assert ".py" not in text
    else:
        shown = viz.source(exhibit(number), docstring=False)
        text = "\n".join(line for _, line in shown.lines)
    assert "Wrong" not in text
    assert "Right" not in text
    assert '"""' not in text
    for name in answers() - {"rollout_step"}:
        assert name not in text


@pytest.mark.parametrize("number", PAIRS)
def test_versions_have_lines_of_their_own_and_differ(number: int) -> None:
    shown = viz.versions(*versions(number))
    assert isinstance(shown, viz.Versions)
    one, two = shown.first, shown.second
    assert (one.path, two.path) == ("version A", "version B")
    assert one.lines[0][0] == 1
    assert one.lines != two.lines
    assert one.name == two.name
    html = shown._repr_mimebundle_()["text/html"]
    assert html.index("version A") < html.index("version B")


@pytest.mark.parametrize("number", PAIRS)
def test_the_version_that_is_said_to_be_right_is(number: int) -> None:
    """Those of wrong ones say so where no visitor looks."""
    found = museum._EXHIBITS[number - 1]
    assert isinstance(found, tuple)
    documented = [
        str(getattr(inspect.getmodule(code), name).__doc__)
        for code in found
        for name in [code.__qualname__.partition(".")[0]]
    ]
    right = [not text.startswith("Wrong:") for text in documented]
    text = questions()[number - 1]
    chosen = re.findall(r"\*\*(Right|No)\.\*\*", text).index("Right")
    option = re.findall(r"^\d\. (.*)$", text, re.MULTILINE)[chosen]
    if all(right):
        assert option == "Both."
    else:
        assert option.startswith("AB"[right.index(True)] + ".")
        assert right.count(True) == 1


def test_each_exhibit_is_shown_asked_measured_and_explained() -> None:
    kinds = []
    for cell in CELLS:
        text = source(cell)
        if found := re.match(
            r"viz\.(?:source\(exhibit|versions\(\*versions)\((\d+)\)", text
        ):
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
    for text in questions():
        options = re.findall(r"\*\*(Right|No)\.\*\*", text)
        assert options.count("Right") == 1
        right.append(options.index("Right"))
    assert len(right) == EXHIBITS
    assert max(right.count(index) for index in set(right)) < 0.6 * len(right)


def test_there_is_no_such_exhibit() -> None:
    for number in (0, EXHIBITS + 1):
        for show in (exhibit, versions):
            with pytest.raises(ValueError, match=f"one of 1 to {EXHIBITS}"):
                show(number)
    with pytest.raises(ValueError, match="exhibit 2 has two versions"):
        exhibit(2)
    with pytest.raises(ValueError, match="exhibit 1 has one version"):
        versions(1)


def test_the_goals_and_the_map_count_the_exhibits() -> None:
    text = "\n".join(map(source, CELLS))
    assert f"find the mistake in {EXHIBITS - CONTROLS} pieces" in text
    assert EXHIBITS - CONTROLS >= 40
    rows = re.findall(
        r"^\| \[(\d)\]\(#(room-\w+)\) .* (\d+) to (\d+) \|$",
        text,
        re.MULTILINE,
    )
    rooms = re.split(r"^## Room ", text, flags=re.MULTILINE)[1:]
    for (number, label, first, last), room in zip(rows, rooms, strict=True):
        assert room.startswith(f"{number}: ")
        assert f"({label})=" in text
        shown = re.findall(r"^### Exhibit (\d+): ", room, re.MULTILINE)
        assert shown == [str(n) for n in range(int(first), int(last) + 1)]
    listed = re.search(r"which are the hardest:\n([^.]*)\.", text)
    assert listed
    numbers = []
    for part in re.split(r", | and ", listed[1]):
        ends = [int(end) for end in part.split(" to ")]
        numbers += range(ends[0], ends[-1] + 1)
    assert tuple(numbers) == PAIRS


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
def test_the_checkup_passes_three_mistakes() -> None:
    """For these one has to say what was meant, and for one it is no help."""
    maps = torch.randn(2, 32, 5, 7)
    passed = (
        cbam.TwoPerceptrons(32),
        blocks.ReductionAsWidth(32),
        blocks.GateAddedTwice(32),
    )
    for module in passed:
        assert checkup(module, maps).ok
    assert not checkup(passed[0], maps, kind="cbam").ok
    assert not checkup(passed[2], maps, kind="gate").ok
