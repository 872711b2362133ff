"""Block diagrams: nothing overlaps, and the text names every part."""

from itertools import combinations, pairwise

import matplotlib.pyplot as plt
import pytest
from matplotlib.patches import Circle, FancyBboxPatch

from attncourse.viz import WIDTH, Block, Side, diagram
from attncourse.viz.diagrams import diagram_in_words, draw_diagram

TIMES = "\N{MULTIPLICATION SIGN}"
GATE = (
    [Block("X", "(B, C, H, W)", "data"), Block("Y", "(B, C, H, W)", "data")],
    [
        Side(
            0,
            1,
            [
                Block("squeeze", "(B, C)"),
                Block("linear", "(B, C/r)", "trained"),
                Block("ReLU"),
                Block("linear", "(B, C)", "trained"),
                Block("sigmoid", "(B, C)", "attention"),
            ],
            TIMES,
        )
    ],
)
RESIDUAL = (
    [
        Block("x", kind="data"),
        Block(f"conv 3 {TIMES} 3", kind="trained"),
        Block("ReLU"),
        Block(f"conv 3 {TIMES} 3", kind="trained"),
        Block("y", kind="data"),
    ],
    [Side(0, 4, joins="+")],
)
SAMPLER = (
    [
        Block("image", "(B, 1, 40, 40)", "data"),
        Block("grid sampler", "(B, 1, 40, 40)"),
        Block("classifier", "(B, 10)", "trained"),
    ],
    [Side(0, 1, [Block("localisation net", "(B, 6)", "trained")])],
)
TRANSFORMER = (
    [
        Block("image", "(B, 1, 28, 28)", "data"),
        Block("patches", "(B, 16, 49)"),
        Block("linear", "(B, 16, D)", "trained"),
        Block("add positions", "(B, 16, D)", "trained"),
        Block("layer norm", kind="trained"),
        Block("multi-head attention", kind="attention"),
        Block("layer norm", kind="trained"),
        Block("MLP", "(B, 16, D)", "trained"),
        Block("mean", "(B, D)"),
        Block("linear", "(B, 10)", "trained"),
    ],
    [Side(3, 6, joins="+"), Side(5, 8, joins="+")],
)
BRANCHES = (
    [Block("X", kind="data"), Block("one"), Block("Y", kind="data")],
    [Side(0, 2, [Block(name)], "+") for name in ("two", "three", "four")],
)
ALL = [GATE, RESIDUAL, SAMPLER, TRANSFORMER, BRANCHES]


def boxes(fig):
    """Return the boxes and signs of a figure, without the legend."""
    (axes,) = fig.axes
    found = []
    for patch in axes.patches:
        if isinstance(patch, FancyBboxPatch | Circle):
            box = patch.get_window_extent()
            if box.y0 > 0.18 * fig.dpi:
                found.append(box)
    return found


@pytest.mark.parametrize(("blocks", "sides"), ALL)
def test_nothing_overlaps_or_leaves_the_figure(blocks, sides):
    fig = draw_diagram(blocks, sides)
    assert fig.get_figwidth() == WIDTH
    fig.draw_without_rendering()
    for one, other in combinations(boxes(fig), 2):
        assert not one.overlaps(other)
    (axes,) = fig.axes
    whole = fig.bbox
    for text in axes.texts:
        box = text.get_window_extent()
        assert whole.x0 <= box.x0
        assert box.x1 <= whole.x1
        assert whole.y0 <= box.y0
        assert box.y1 <= whole.y1
    for one, other in combinations(axes.texts, 2):
        assert not one.get_window_extent().overlaps(other.get_window_extent())
    plt.close(fig)


@pytest.mark.parametrize(("blocks", "sides"), ALL)
def test_lines_run_around_boxes(blocks, sides):
    fig = draw_diagram(blocks, sides)
    fig.draw_without_rendering()
    (axes,) = fig.axes
    inner = [
        box.padded(-1.5)
        for box, patch in zip(boxes(fig), axes.patches, strict=False)
        if box.width > 0.25 * fig.dpi
    ]
    for line in axes.lines:
        points = line.get_transform().transform(line.get_xydata())
        for (ax, ay), (bx, by) in pairwise(points):
            for box in inner:
                apart = (
                    max(ax, bx) < box.x0
                    or min(ax, bx) > box.x1
                    or max(ay, by) < box.y0
                    or min(ay, by) > box.y1
                )
                assert apart
    plt.close(fig)


def test_a_long_chain_goes_on_in_a_further_row():
    def rows(count):
        fig = draw_diagram([Block(f"layer {n}") for n in range(count)])
        (axes,) = fig.axes
        found = {round(t.get_position()[1], 2) for t in axes.texts}
        plt.close(fig)
        return len(found)

    assert rows(4) == 1
    assert rows(9) == 2


def test_the_text_names_every_part():
    words = diagram_in_words(*GATE)
    assert words == (
        "Block diagram. From left to right: X (B, C, H, W), Y (B, C, H, W). "
        "After X, a side path through squeeze (B, C), linear (B, C/r), ReLU, "
        "linear (B, C), sigmoid (B, C) is multiplied with the chain before "
        "Y. Trained: linear. Attention: sigmoid."
    )
    assert "leads into grid sampler" in diagram_in_words(*SAMPLER)
    assert "is added to the chain before y" in diagram_in_words(*RESIDUAL)
    ending = diagram_in_words([Block("conv")], [Side(0, 1, joins="+")])
    assert "is added to the chain at the end" in ending


def test_a_diagram_is_a_finished_figure():
    picture = diagram(*SAMPLER, caption="The sampler.")
    assert picture.alt == diagram_in_words(*SAMPLER)
    assert "The sampler." in picture.html
    assert not plt.get_fignums()


@pytest.mark.usefixtures("as_shipped")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Block(" "), "text is ' '; a word is needed"),
        (lambda: Block("x", kind="red"), "kind is 'red'; one of"),
        (lambda: Side(0, 1, joins="-"), "joins is '-'; one of"),
        (lambda: diagram([]), "blocks is empty"),
        (
            lambda: diagram([Block("a b"), Block("c")], [Side(1, 1)]),
            "a path from 1 to 1; 0 <= start < end <= 1",
        ),
        (
            lambda: diagram([Block("a"), Block("c")], [Side(0, 2)]),
            "a path from 0 to 2; 0 <= start < end <= 1",
        ),
        (lambda: diagram([Block("x" * 90)]), "need more room"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
