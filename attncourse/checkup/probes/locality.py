"""Does a change of one position stay where it belongs?

Where a change does not reach the whole map, its footprint must have the
shape of what the module looks at. A neighbourhood ends at the border: it
does not go on at the opposite one. Positions that see each other alone form
groups, and a group is some rows by some columns (a window, a row, a column,
a grid), whatever the input holds. Windows along an axis have one length, and
only the first and the last may be shorter.
"""

from collections.abc import Iterator

import torch

from attncourse.checkup.finding import Finding
from attncourse.checkup.footprint import (
    Footprints,
    footprints,
    is_partition,
    oblong,
)
from attncourse.checkup.subject import Subject

NAME = "locality"


def probe(subject: Subject) -> Iterator[Finding]:
    """Change one position after the other, on an oblong map."""
    subject = oblong(subject.exact)
    seen = footprints(subject)
    if seen is None or seen.moves.double().mean() > 0.98:
        return
    if subject.base_trace.grids:
        return  # the content may lead anywhere
    found = (
        list(_ahead(seen))
        or list(_groups(subject, seen))
        or list(_wrapped(subject, seen))
    )
    yield from found
    if not found:
        share = float(seen.moves.double().mean())
        yield Finding(
            "passed",
            NAME,
            f"a change at one position reaches {share:.0%} of the others, "
            "none across the border",
        )


def _ahead(seen: Footprints) -> Iterator[Finding]:
    """A causal order ends at the token itself."""
    count = len(seen.moves)
    if len(seen.size) != 1 or count < 5:
        return
    everything = torch.ones(count, count, dtype=torch.bool)
    for step, what in ((-1, "the one before it"), (1, "not itself")):
        if not torch.equal(seen.moves, everything.triu(step)):
            continue
        yield Finding(
            "error" if step < 0 else "warning",
            NAME,
            f"each of {count} tokens reaches all later ones and {what}"
            if step < 0
            else f"each of {count} tokens reaches all later ones, {what}",
            "the causal mask is moved by one: a token sees its successor, "
            "which it is to predict"
            if step < 0
            else "the causal mask hides the diagonal, so that the first "
            "token has nothing to attend",
            "torch.ones(n, n).tril() may be attended, diagonal included",
        )
        return


def _projections(seen: Footprints, axis: int) -> list[list[int]]:
    """For each position, what its footprint covers along one axis."""
    others = [a for a in range(len(seen.size)) if a != axis]
    covered = []
    for position in range(len(seen.moves)):
        line = seen.at(position)
        for other in sorted(others, reverse=True):
            line = line.any(other)
        covered.append(line.nonzero().flatten().tolist())
    return covered


def _is_run(places: list[int]) -> bool:
    return bool(places) and places[-1] - places[0] == len(places) - 1


def _comes_around(places: list[int], length: int) -> bool:
    """Whether they are one run on a ring, and two on a line."""
    inside = set(places)
    gaps = sum(
        place in inside and (place + 1) % length not in inside
        for place in range(length)
    )
    return gaps == 1 and not _is_run(places)


def _wrapped(subject: Subject, seen: Footprints) -> Iterator[Finding]:
    for axis, name in enumerate(seen.names):
        length = seen.size[axis]
        if length < 5:
            continue
        covered = _projections(seen, axis)
        runs = [places for places in covered if _is_run(places)]
        around = [
            position
            for position, places in enumerate(covered)
            if _comes_around(places, length)
        ]
        far: list[int] = []
        for position in around:
            spot = seen.place(position)
            far = [
                p
                for p in covered[position]
                if abs(p - spot[axis]) > length / 2
            ]
            if far:
                break
        if len(around) < 2 or len(runs) < len(covered) / 4 or not far:
            continue
        circular = any(
            getattr(module, "padding_mode", "") == "circular"
            for module in subject.module.modules()
        )
        yield Finding(
            "note" if circular else "error",
            NAME,
            f"a change at {_spot(spot)} reaches {name} {_few(far)} of "
            f"{length}, at the opposite border, and stays within "
            f"{max(map(len, runs))} {name}s elsewhere; it happens at "
            f"{len(around)} of {len(covered)} positions",
            "a circular padding"
            if circular
            else "what a roll brings around the border is not masked: the "
            "labels of the parts are missing, stand on another axis, or the "
            "map was padded after the roll",
            "nothing, if the map is a ring"
            if circular
            else "pad first, roll then, and mask pairs of different labels "
            "with -inf",
        )
        return


def _spot(spot: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, spot))})"


def _few(places: list[int]) -> str:
    shown = [str(place) for place in places[:3]]
    return " and ".join(
        [", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown
    )


def _groups(subject: Subject, seen: Footprints) -> Iterator[Finding]:
    """Positions that see each other and nobody else."""
    moves = seen.moves
    if len(seen.size) < 2 or not is_partition(moves):
        return
    groups = {tuple(row.nonzero().flatten().tolist()) for row in moves}
    if len(groups) < 2 or max(map(len, groups)) < 2:
        return
    for group in sorted(groups):
        spots = [seen.place(position) for position in group]
        sides = [sorted({spot[a] for spot in spots}) for a in (-2, -1)]
        frames = {spot[:-2] for spot in spots}
        if len(sides[0]) * len(sides[1]) * len(frames) != len(group):
            start = ", ".join(map(_spot, spots[:4]))
            yield Finding(
                "error",
                NAME,
                f"a group of {len(group)} positions that see each other "
                f"holds {start}{' ...' if len(spots) > 4 else ''} of a map "
                f"of {_times(seen.size)}: no window, row or column",
                "a view takes runs of the memory, which has rows one after "
                "the other, for windows or columns",
                "permute the axes of the group to the end before they are "
                "joined: for columns permute(0, 3, 2, 1), for windows split "
                "height and width first",
            )
            return
    yield from _lengths(seen, groups)


def _lengths(
    seen: Footprints, groups: set[tuple[int, ...]]
) -> Iterator[Finding]:
    """Inner windows have one length, and no outer one is longer."""
    for axis, name in ((-2, "rows"), (-1, "columns")):
        sides = set()
        for group in groups:
            line = tuple(sorted({seen.place(p)[axis] for p in group}))
            if not _is_run(list(line)):
                return
            sides.add(line)
        lengths = [len(line) for line in sorted(sides)]
        if sum(lengths) != seen.size[axis] or len(lengths) < 3:
            continue
        inner = set(lengths[1:-1])
        if len(inner) > 1 or max(lengths[0], lengths[-1]) > min(inner):
            yield Finding(
                "error",
                NAME,
                f"the windows are {', '.join(map(str, lengths))} {name} long",
                "windows of one map have one length, and only the first and "
                "the last may be shorter; here a mask cuts a window that "
                "was not rolled",
                "use the mask of shifted windows only where the map was "
                "rolled",
            )
            return


def _times(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))
