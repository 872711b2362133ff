"""Block diagrams: a chain of boxes from left to right, and paths beside it.

The drawing is laid out in inches, one unit of the axes for each.  A chain
that is too wide goes on in a further row; which blocks end a row is chosen
so that few side paths cross from one row to the next.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from textwrap import wrap
from typing import Final, Literal, get_args

import matplotlib.pyplot as plt
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle, FancyBboxPatch, Polygon
from matplotlib.textpath import TextPath

from attncourse.viz.picture import Picture, figure
from attncourse.viz.style import (
    BLUE,
    INK,
    ORANGE,
    WIDTH,
    course_style,
)

Kind = Literal["fixed", "trained", "attention", "data"]
Joins = Literal["+", "×", ""]
Point = tuple[float, float]

_EDGE: Final = {"fixed": INK, "trained": BLUE, "attention": ORANGE}
_FACE: Final = {
    "fixed": to_rgba("#808080", 0.1),
    "trained": to_rgba(BLUE, 0.14),
    "attention": to_rgba(ORANGE, 0.22),
}
_QUIET: Final = "#555555"
_MEANING: Final = {
    "trained": "trained",
    "attention": "attention",
    "fixed": "nothing to train",
}
_LINE: Final = 0.165  # height of a line of text
_PAD: Final = 0.075  # between text and edge
_RADIUS: Final = 0.105  # of a sign that joins two paths
_LANE: Final = 0.2  # between a row and the path beside it
_FOLD: Final = 0.2  # between two lines of a side path
_MARGIN: Final = 0.06


@dataclass(frozen=True)
class Block:
    """One box of a diagram.

    Parameters
    ----------
    text
        What stands in the box; mathematics between dollar signs.
    shape
        Shape of what leaves the box, in small type below it.
    kind
        How the box looks: "trained" for layers with parameters, "attention"
        for what computes or applies attention weights, "fixed" for
        operations without parameters, "data" for tensors, which have no box.
    """

    text: str
    shape: str = ""
    kind: Kind = "fixed"

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError(f"text is {self.text!r}; a word is needed")
        if self.kind not in get_args(Kind):
            raise ValueError(
                f"kind is {self.kind!r}; one of {get_args(Kind)} is needed"
            )


@dataclass(frozen=True)
class Side:
    r"""A path beside the chain.

    Parameters
    ----------
    start
        Index of the block after which it leaves the chain.
    end
        Index of the block before which it comes back; the number of blocks
        for the end of the chain.
    blocks
        What stands on the path; none for a shortcut.
    joins
        "+" or "\N{MULTIPLICATION SIGN}" where the paths meet in a sum or a
        product; "" where the side path goes into block `end` as a second
        input.
    """

    start: int
    end: int
    blocks: Sequence[Block] = ()
    joins: Joins = ""

    def __post_init__(self) -> None:
        if self.joins not in get_args(Joins):
            raise ValueError(
                f"joins is {self.joins!r}; one of {get_args(Joins)} is needed"
            )


def diagram(
    blocks: Sequence[Block],
    sides: Sequence[Side] = (),
    caption: str | None = None,
) -> Picture:
    """Draw a network as a chain of boxes from left to right.

    The alternative text is made from the parts.  Between two blocks, a side
    path that begins and ends there comes first, then what joins, inner paths
    before outer ones, then what leaves.

    Parameters
    ----------
    blocks
        The chain, from the input to the output.
    sides
        Paths beside it.
    caption
        Text below the figure.

    Raises
    ------
    ValueError
        If there is no block, if a side path does not lead forward between
        two blocks of the chain, or if the texts leave no room.
    """
    blocks, sides = tuple(blocks), tuple(sides)
    _check(blocks, sides)
    return figure(
        draw_diagram(blocks, sides),
        alt=diagram_in_words(blocks, sides),
        caption=caption,
    )


def _check(blocks: tuple[Block, ...], sides: tuple[Side, ...]) -> None:
    if not blocks:
        raise ValueError("blocks is empty; one block or more is needed")
    count = len(blocks)
    for side in sides:
        last = count if side.joins else count - 1
        if not 0 <= side.start < side.end <= last:
            raise ValueError(
                f"sides has a path from {side.start} to {side.end}; "
                f"0 <= start < end <= {last} is needed"
            )


def diagram_in_words(
    blocks: Sequence[Block], sides: Sequence[Side] = ()
) -> str:
    """Say what the figure of :func:`diagram` shows."""
    words = [f"Block diagram. From left to right: {_chain(blocks)}."]
    for side in sides:
        after = f"After {_name(blocks[side.start])}, a side path"
        through = f" through {_chain(side.blocks)}" if side.blocks else ""
        if side.end == len(blocks):
            where = "at the end of the chain"
        else:
            where = f"before {_name(blocks[side.end])}"
        if not side.joins:
            way = f" leads into {_name(blocks[side.end])}"
        elif side.joins == "+":
            way = f" is added to the chain {where}"
        else:
            way = f" is multiplied with the chain {where}"
        words.append(f"{after}{through}{way}.")
    kinds = {b.kind for b in _every(blocks, sides)}
    for kind, verb in ("trained", "Trained"), ("attention", "Attention"):
        if kind in kinds and len(kinds) > 1:
            names = [_name(b) for b in _every(blocks, sides) if b.kind == kind]
            words.append(f"{verb}: {', '.join(dict.fromkeys(names))}.")
    return " ".join(words)


def _every(blocks: Sequence[Block], sides: Sequence[Side]) -> list[Block]:
    return [*blocks, *(block for side in sides for block in side.blocks)]


def _chain(blocks: Sequence[Block]) -> str:
    return ", ".join(
        _name(block)
        + (f" ({_plain(block.shape).strip('()')})" if block.shape else "")
        for block in blocks
    )


def _name(block: Block) -> str:
    return " ".join(_plain(block.text).split())


def _plain(text: str) -> str:
    """Return a text without the signs of mathematics in matplotlib."""
    return re.sub(r"[${}\\]", "", text)


_TIED: Final = re.compile(r"(?<=\w) (x|=|\N{MULTIPLICATION SIGN}) (?=\w)")


def _tie(found: re.Match[str]) -> str:
    return found[0].replace(" ", "\N{NO-BREAK SPACE}")


@dataclass(frozen=True)
class _Type:
    """Size of the type, letters in a line, and gaps between neighbours."""

    size: float
    letters: int
    gap: float
    cost: float

    def lines(self, block: Block) -> list[str]:
        kept = _TIED.sub(_tie, block.text)
        return [
            piece
            for line in kept.split("\n")
            for piece in wrap(
                line,
                self.letters,
                break_long_words=False,
                break_on_hyphens=False,
            )
        ]

    def width(self, block: Block) -> float:
        text = max(_text_width(line, self.size) for line in self.lines(block))
        padding = 0.06 if block.kind == "data" else 2 * _PAD
        shape = _text_width(block.shape, self.size - 1.5)
        return max(text + padding, shape, 0.3)

    def height(self, block: Block) -> float:
        return len(self.lines(block)) * _LINE * self.size / 10 + (
            2 * _PAD if block.kind != "data" else 0.02
        )

    def below(self, block: Block) -> float:
        return 0.19 * self.size / 10 if block.shape else 0.0


_TYPES: Final = (
    _Type(10.0, 13, 0.25, 0.0),
    _Type(10.0, 9, 0.25, 0.3),
    _Type(9.0, 9, 0.17, 0.8),
)


@cache
def _text_width(text: str, size: float) -> float:
    if not text:
        return 0.0
    path = TextPath((0, 0), text, size=size, prop=FontProperties())
    return float(path.get_extents().x1) / 72 + 0.03


@dataclass
class _Item:
    """A block, a sign, or a point where side paths leave; x is its centre."""

    width: float
    block: int = -1
    joins: tuple[Side, ...] = ()
    leaves: tuple[Side, ...] = ()
    x: float = 0.0


@dataclass
class _Path:
    """A side path in a row, or into a row from one above."""

    side: Side
    begin: float
    end: float
    lines: list[list[Block]]
    came_from: int = -1

    def meets(self, other: "_Path") -> bool:
        mine, others = (
            sorted((self.begin, self.end)),
            sorted((other.begin, other.end)),
        )
        return mine[0] < others[1] and others[0] < mine[1]


@dataclass
class _Row:
    items: list[_Item]
    above: list[list[_Path]]
    below: list[list[_Path]]
    y: float = 0.0

    @property
    def width(self) -> float:
        last = self.items[-1]
        return last.x + last.width / 2


class _Layout:
    """Where everything is, for one choice of type and of row breaks."""

    def __init__(
        self,
        blocks: Sequence[Block],
        sides: Sequence[Side],
        kind: _Type,
        breaks: Sequence[int],
        folds: int,
    ) -> None:
        self.blocks, self.sides, self.kind = blocks, sides, kind
        self.folds = folds
        groups = self._groups()
        bounds = [0, *breaks, len(blocks)]
        self.rows = [
            _Row([item for g in groups[a:b] for item in g], [], [])
            for a, b in pairwise(bounds)
        ]
        for row, after in pairwise(self.rows):
            if row.items[-1].leaves:  # rather leave at the start of a row
                after.items.insert(0, row.items.pop())
        self.crossing = 0
        edge = 0.0 if len(self.rows) == 1 else 0.14
        self.left = _MARGIN + edge
        self.room = WIDTH - 2 * self.left
        for row in self.rows:
            self._place(row)
        self.fits = all(row.width <= self.room for row in self.rows)
        if self.fits:
            self._stretch()
            self._route()

    @property
    def cost(self) -> float:
        """What is worse: rows, crossings, small type, rows unlike in width."""
        widths = [row.width for row in self.rows]
        uneven = (max(widths) - min(widths)) / self.room
        extra = 2 * self.crossing + 0.7 * (self.folds - 1)
        return len(self.rows) + extra + self.kind.cost + 0.5 * uneven

    def _groups(self) -> list[list[_Item]]:
        """Return, for each block, it and what stands before the next."""
        found = []
        for index, block in enumerate(self.blocks):
            here = [s for s in self.sides if s.start == index]
            short = tuple(s for s in here if s.end == index + 1)
            far = tuple(s for s in here if s.end > index + 1)
            ending = [
                s
                for s in self.sides
                if s.end == index + 1 and s.joins and s not in short
            ]
            group = [_Item(self.kind.width(block), block=index)]
            if short:
                group.append(_Item(0.0, leaves=short))
            group += self._signs([s for s in short if s.joins])
            group += self._signs(sorted(ending, key=lambda s: -s.start))
            if far:
                group.append(_Item(0.0, leaves=far))
            found.append(group)
        return found

    def _signs(self, sides: Sequence[Side]) -> list[_Item]:
        """Return a sign for all paths of one start and one operation."""
        signs: dict[tuple[int, str], tuple[Side, ...]] = {}
        for side in sides:
            key = side.start, side.joins
            signs[key] = (*signs.get(key, ()), side)
        return [_Item(2 * _RADIUS, joins=joined) for joined in signs.values()]

    def _place(self, row: _Row) -> None:
        x = 0.0
        for before, item in zip([None, *row.items], row.items, strict=False):
            if before is not None:
                taps = bool(before.leaves) + bool(item.leaves)
                x += self.kind.gap * (0.6 if taps else 1)
            item.x = x + item.width / 2
            x += item.width
        for first, last, side in self._spans(row):
            missing = self._need(side) - (
                row.items[last].x - row.items[first].x
            )
            if missing > 0:
                for step, item in enumerate(row.items[first + 1 :], 1):
                    item.x += missing * min(step / (last - first), 1)

    def _lines(self, side: Side) -> list[list[Block]]:
        """Return the blocks of a side path, line by line."""
        count = len(side.blocks)
        lines = self.folds if count > 2 else 1
        cuts = [round(count * n / lines + 0.1) for n in range(lines + 1)]
        return [list(side.blocks[a:b]) for a, b in pairwise(cuts)]

    def _need(self, side: Side) -> float:
        lines = self._lines(side)
        turns = 0.3 if len(lines) > 1 else 0.0
        return turns + max(
            sum(self.kind.width(block) for block in line)
            + 0.8 * self.kind.gap * (len(line) + 1)
            for line in lines
        )

    def _spans(self, row: _Row) -> list[tuple[int, int, Side]]:
        """Return the side paths that stay in a row, short ones first."""
        found = [
            (first, last, side)
            for first, item in enumerate(row.items)
            for side in item.leaves
            for last, other in enumerate(row.items)
            if self._ends(side, other)
        ]
        return sorted(found, key=lambda span: span[1] - span[0])

    @staticmethod
    def _ends(side: Side, item: _Item) -> bool:
        if side.joins:
            return any(joined is side for joined in item.joins)
        return item.block == side.end

    def _stretch(self) -> None:
        """Use the room that is left, within limits."""
        alone = len(self.rows) == 1
        for row in self.rows:
            free = self.room - row.width
            steps = len(row.items) - 1
            extra = min(free, 0.2 * steps) if free > 0 else 0.0
            begin = self.left + (free - extra) / 2 * alone
            for step, item in enumerate(row.items):
                item.x += begin + (extra * step / steps if steps else 0)

    def _route(self) -> None:
        """Give each side path a lane above or below a row."""
        home = {
            id(item): number
            for number, row in enumerate(self.rows)
            for item in row.items
        }
        for row in self.rows:
            for first, last, side in self._spans(row):
                begin, end = row.items[first].x, row.items[last].x
                self._lane(row, _Path(side, begin, end, self._lines(side)))
        everything = [item for row in self.rows for item in row.items]
        for item in everything:
            for side in item.leaves:
                (goal,) = [x for x in everything if self._ends(side, x)]
                source, target = home[id(item)], home[id(goal)]
                if source == target:
                    continue
                self.crossing += target - source
                begin = item.x if target == source + 1 else _MARGIN
                path = _Path(side, begin, goal.x, [list(side.blocks)], source)
                if abs(begin - goal.x) < self._need(side) - 2 * self.kind.gap:
                    self.fits = False
                self._lane(self.rows[target], path)

    @staticmethod
    def _lane(row: _Row, path: _Path) -> None:
        choices = [row.above, row.below]
        if not path.side.joins or path.came_from >= 0:
            choices = [row.above]
        for level in range(9):
            for lanes in choices:
                if level == len(lanes):
                    lanes.append([])
                if not any(path.meets(other) for other in lanes[level]):
                    lanes[level].append(path)
                    return

    # Heights: from the centre of a row upwards and downwards.

    def half(self, row: _Row) -> float:
        return max(
            self.kind.height(self.blocks[item.block]) / 2
            for item in row.items
            if item.block >= 0
        )

    def foot(self, row: _Row) -> float:
        return max(
            self.kind.height(block) / 2 + self.kind.below(block)
            for item in row.items
            if item.block >= 0
            for block in [self.blocks[item.block]]
        )

    def line_heights(self, line: Sequence[Block]) -> tuple[float, float]:
        """Return what the blocks of a side path need above and below it."""
        up = [self.kind.height(b) / 2 for b in line]
        down = [self.kind.height(b) / 2 + self.kind.below(b) for b in line]
        return max(up, default=0.05), max(down, default=0.05)

    def path_height(self, path: _Path) -> float:
        heights = [sum(self.line_heights(line)) for line in path.lines]
        return sum(heights) + _FOLD * (len(heights) - 1)


def _arrange(blocks: Sequence[Block], sides: Sequence[Side]) -> _Layout:
    best: _Layout | None = None
    longest = max((len(side.blocks) for side in sides), default=0)
    for kind in _TYPES:
        for folds in (1, 2) if longest > 2 else (1,):
            for count in range(min(4, len(blocks))):
                for breaks in combinations(range(1, len(blocks)), count):
                    found = _Layout(blocks, sides, kind, breaks, folds)
                    if found.fits and (best is None or found.cost < best.cost):
                        best = found
    if best is None:
        raise ValueError(
            "blocks and sides need more room than a figure has; shorter "
            "texts, or fewer blocks, are needed"
        )
    return best


# Drawing.


def draw_diagram(
    blocks: Sequence[Block], sides: Sequence[Side] = ()
) -> Figure:
    """Draw the figure of :func:`diagram`."""
    layout = _arrange(blocks, sides)
    drawn = _Drawing(layout)
    return drawn.figure


class _Drawing:
    def __init__(self, layout: _Layout) -> None:
        self.layout = layout
        self.levels: dict[int, list[float]] = {}
        height = self._heights()
        with course_style():
            self.figure = plt.figure(figsize=(WIDTH, height), layout="none")
            self.axes = self.figure.add_axes((0, 0, 1, 1))
            self.axes.set(xlim=(0, WIDTH), ylim=(0, height))
            self.axes.set_axis_off()
            for number, row in enumerate(layout.rows):
                self._row(number, row)
            self._legend()

    def _heights(self) -> float:
        """Set the height of each row and lane, from the top downwards."""
        layout, y = self.layout, 0.0
        for number, row in enumerate(layout.rows):
            y += _MARGIN if number == 0 else 0.26  # the line from row to row
            for lane in reversed(row.above):
                y = self._lane(lane, y, above=True) + _LANE
            row.y = y + layout.half(row)
            y = row.y + layout.foot(row)
            for lane in row.below:
                y = self._lane(lane, y + 0.8 * _LANE, above=False)
        height = y + _MARGIN + (0.24 if self._kinds() else 0)
        for row in layout.rows:
            row.y = height - row.y
        self.levels = {
            key: [height - at for at in found]
            for key, found in self.levels.items()
        }
        return height

    def _lane(self, lane: Sequence[_Path], top: float, above: bool) -> float:
        """Set the heights of the paths of a lane; return where it ends."""
        heights = [self.layout.path_height(path) for path in lane]
        for path, height in zip(lane, heights, strict=True):
            y = top + (max(heights) - height if above else 0)
            found = []
            for line in path.lines if above else reversed(path.lines):
                up, down = self.layout.line_heights(line)
                found.append(y + up)
                y += up + down + _FOLD
            self.levels[id(path)] = found if above else found[::-1]
        return top + max(heights)

    def _kinds(self) -> list[str]:
        kinds = {b.kind for b in _every(self.layout.blocks, self.layout.sides)}
        shown: list[str] = [k for k in _MEANING if k in kinds]
        return shown if kinds & {"trained", "attention"} else []

    def _row(self, number: int, row: _Row) -> None:
        for before, item in pairwise(row.items):
            self._arrow(
                (before.x + before.width / 2, row.y),
                (item.x - item.width / 2, row.y),
                head=not item.leaves,
            )
        for item in row.items:
            if item.block >= 0:
                self._block(self.layout.blocks[item.block], item.x, row.y)
            elif item.joins:
                self._sign(item, row.y)
            else:
                self._dot(item.x, row.y)
        for lane in (*row.above, *row.below):
            for path in lane:
                self._path(row, path)
        if number + 1 < len(self.layout.rows):
            self._next(row, self.layout.rows[number + 1])

    def _next(self, row: _Row, after: _Row) -> None:
        """Draw the line from the end of a row to the start of the next."""
        last, first = row.items[-1], after.items[0]
        right = last.x + last.width / 2
        turn = max(right + 0.1, 0)
        low = row.y - self.layout.foot(row)
        for path in (path for lane in row.below for path in lane):
            low = min([low, *(y - 0.1 for y in self.levels[id(path)])])
        middle = low - 0.13
        start = first.x - first.width / 2
        self._line(
            (right, row.y),
            (turn, row.y),
            (turn, middle),
            (_MARGIN, middle),
            (_MARGIN, after.y),
            (start, after.y),
            head=not first.leaves,
        )

    def _path(self, row: _Row, path: _Path) -> None:
        levels = self.levels[id(path)]
        up = levels[0] > row.y
        side, begin, end = path.side, path.begin, path.end
        if side.joins:
            stop = row.y + (_RADIUS if up else -_RADIUS)
        else:
            block = self.layout.blocks[side.end]
            stop = row.y + self.layout.kind.height(block) / 2
            end += self._offset(row, path)
        points: list[Point] = [(begin, row.y)]
        if path.came_from >= 0:
            source = self.layout.rows[path.came_from]
            (tap,) = [i for i in source.items if side in i.leaves]
            points = [(tap.x, source.y)]
            if begin != tap.x:
                low = source.y - self.layout.foot(source) - 0.06
                points += [(tap.x, low), (begin, low)]
        left = right = begin
        for number, (level, line) in enumerate(
            zip(levels, path.lines, strict=True)
        ):
            if number:
                above, below = self.layout.line_heights(line)
                fold = level + (above if up else -below - 0.2) + 0.1
                left = begin + 0.15
                points += [(right, fold), (left, fold)]
            right = end - 0.15 if number + 1 < len(levels) else end
            points.append((left, level))
            for near, far in self._on_path(line, left, right, level):
                self._line(*points, (near, level))
                points = [(far, level)]
            points.append((right, level))
        self._line(*points, (end, stop))

    def _offset(self, row: _Row, path: _Path) -> float:
        """Return where a second input enters, off the middle of its box."""
        same = [
            other
            for lane in row.above
            for other in lane
            if not other.side.joins and other.side.end == path.side.end
        ]
        width = self.layout.kind.width(self.layout.blocks[path.side.end])
        rank = same.index(path)
        return width * ((rank + 1) / (len(same) + 1) - 0.5)

    def _on_path(
        self, blocks: Sequence[Block], begin: float, end: float, level: float
    ) -> list[tuple[float, float]]:
        """Draw blocks of a side path; return where each begins and ends."""
        way = 1 if end > begin else -1
        widths = [self.layout.kind.width(block) for block in blocks]
        gap = (abs(end - begin) - sum(widths)) / (len(widths) + 1)
        found, x = [], begin
        for block, width in zip(blocks, widths, strict=True):
            near = x + way * gap
            x = near + way * width
            self._block(block, (near + x) / 2, level)
            found.append((near, x))
        return found

    def _block(self, block: Block, x: float, y: float) -> None:
        kind = self.layout.kind
        width, height = kind.width(block), kind.height(block)
        if block.kind != "data":
            self.axes.add_patch(
                FancyBboxPatch(
                    (x - width / 2, y - height / 2),
                    width,
                    height,
                    boxstyle="round,pad=0,rounding_size=0.05",
                    fc=_FACE[block.kind],
                    ec=_EDGE[block.kind],
                    lw=1.0 if block.kind == "fixed" else 1.8,
                    zorder=2,
                )
            )
        self.axes.text(
            x,
            y,
            "\n".join(kind.lines(block)),
            ha="center",
            va="center",
            size=kind.size,
            linespacing=1.1,
            zorder=3,
        )
        if block.shape:
            self.axes.text(
                x,
                y - height / 2 - 0.03,
                block.shape,
                ha="center",
                va="top",
                size=kind.size - 1.5,
                color=_QUIET,
                zorder=3,
            )

    def _sign(self, item: _Item, y: float) -> None:
        self.axes.add_patch(
            Circle((item.x, y), _RADIUS, fc="none", ec=INK, lw=1.2, zorder=2)
        )
        reach = _RADIUS * 0.5
        if item.joins[0].joins not in ("", "+"):
            reach *= 0.75
            ends = [((-1, -1), (1, 1)), ((-1, 1), (1, -1))]
        else:
            ends = [((-1, 0), (1, 0)), ((0, -1), (0, 1))]
        for (ax, ay), (bx, by) in ends:
            self.axes.plot(
                [item.x + ax * reach, item.x + bx * reach],
                [y + ay * reach, y + by * reach],
                color=INK,
                lw=1.4,
                zorder=3,
            )

    def _dot(self, x: float, y: float) -> None:
        self.axes.add_patch(Circle((x, y), 0.028, fc=INK, ec="none", zorder=2))

    def _line(self, *points: Point, head: bool = True) -> None:
        xs, ys = zip(*points, strict=True)
        self.axes.plot(
            xs, ys, color=INK, lw=1.2, zorder=1, solid_joinstyle="round"
        )
        if head:
            self._head(*points[-2:])

    def _arrow(self, start: Point, stop: Point, head: bool = True) -> None:
        self.axes.plot(
            [start[0], stop[0]],
            [start[1], stop[1]],
            color=INK,
            lw=1.2,
            zorder=1,
        )
        if head:
            self._head(start, stop)

    def _head(self, start: Point, stop: Point) -> None:
        length = max(abs(stop[0] - start[0]), abs(stop[1] - start[1]), 1e-9)
        ux = (stop[0] - start[0]) / length
        uy = (stop[1] - start[1]) / length
        base = (stop[0] - 0.085 * ux, stop[1] - 0.085 * uy)
        wing = 0.042
        self.axes.add_patch(
            Polygon(
                [
                    stop,
                    (base[0] - wing * uy, base[1] + wing * ux),
                    (base[0] + wing * uy, base[1] - wing * ux),
                ],
                fc=INK,
                ec="none",
                zorder=2.5,
            )
        )

    def _legend(self) -> None:
        x = _MARGIN + 0.03
        for kind in self._kinds():
            self.axes.add_patch(
                FancyBboxPatch(
                    (x, 0.075),
                    0.15,
                    0.1,
                    boxstyle="round,pad=0,rounding_size=0.03",
                    fc=_FACE[kind],
                    ec=_EDGE[kind],
                    lw=1.0 if kind == "fixed" else 1.8,
                )
            )
            text = _MEANING[kind]
            self.axes.text(
                x + 0.21, 0.12, text, va="center", size=9, color=_QUIET
            )
            x += 0.21 + _text_width(text, 9.0) + 0.22
