"""The page of the bench: its tables and its figure, from the record."""

from collections.abc import Callable, Iterable

import matplotlib as mpl
import matplotlib.pyplot as plt
from docutils import nodes
from matplotlib.axes import Axes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from attncourse.bench import Bench, Growth, Race, load_bench
from attncourse.trials.record import results_folder
from attncourse.viz import course_style, figure

DEVICES = ("cpu", "cuda")
WORDS = {None: "", True: "met", False: "missed"}
MARGIN = 1.15
"""Between two runs on one machine most ratios move by less than this."""


def records() -> list[Bench]:
    """One for every device on which the bench was run."""
    folder = results_folder() / "bench"
    return [load_bench(d) for d in DEVICES if (folder / f"{d}.json").exists()]


class Recorded(SphinxDirective):
    """A directive that shows a part of every record."""

    def run(self) -> list[nodes.Node]:
        folder = results_folder() / "bench"
        for path in {folder / "cpu.json", *folder.glob("*.json")}:
            self.env.note_dependency(str(path))
        return [node for bench in records() for node in self.show(bench)]

    def show(self, bench: Bench) -> list[nodes.Node]:
        raise NotImplementedError


class BenchConditions(Recorded):
    """What the bench ran on, when and by which command."""

    def show(self, bench: Bench) -> list[nodes.Node]:
        machine = ", ".join(filter(None, map(str, bench.hardware.values())))
        versions = ", ".join(f"{k} {v}" for k, v in bench.versions.items())
        lines = [
            f"Command\n: `{bench.command}`",
            f"Machine\n: {machine}; {bench.threads} threads",
            f"Versions\n: {versions}",
            f"Date\n: {bench.date[:10]}",
        ]
        return self.parse_text_to_nodes("\n\n".join(lines))


class BenchTable(Recorded):
    """Every race: ratios, goals and whether they are met."""

    def show(self, bench: Bench) -> list[nodes.Node]:
        rows = [
            "| Mechanism | Against | Size | Forward | Training "
            "| Goals | MiB | Verdict |",
            "|:--|:--|:--|--:|--:|:--|--:|:--|",
        ]
        for forward, training in pairs(bench.races):
            both = (forward, training)
            ratios = " | ".join(f"{race.fastest:.2f}" for race in both)
            goals = " / ".join(goal(race) for race in both)
            if forward.memory_goal is not None:
                goals += f"; {forward.memory_goal:.0f} MiB"
            memory = f"{forward.peak_mib:.0f} of {forward.peer_peak_mib:.0f}"
            rows.append(
                f"| {name(forward)} | {forward.peer} | {forward.size} "
                f"| {ratios} | {goals if judged(both) else ''} | {memory} "
                f"| {verdict(both)} |"
            )
        return self.parse_text_to_nodes("\n".join(rows))


class BenchMisses(Recorded):
    """The goals that were missed in this record, and by how much."""

    def show(self, bench: Bench) -> list[nodes.Node]:
        missed = [race for race in bench.races if race.reached is False]
        if not missed:
            text = f"On the {bench.device.upper()} every goal was met."
            return self.parse_text_to_nodes(text)
        rows = [
            "| Mechanism | Pass | Goal | Fastest | Median | Over the goal |",
            "|:--|:--|--:|--:|--:|--:|",
        ]
        for race in missed:
            over = race.fastest / race.goal
            close = " (within the margin)" if over <= MARGIN else ""
            rows.append(
                f"| {name(race)} | {part(race)} | {race.goal:.2f} "
                f"| {race.fastest:.2f} | {race.median:.2f} "
                f"| {100 * (over - 1):.0f} %{close} |"
            )
        return self.parse_text_to_nodes("\n".join(rows))


class BenchGrowth(Recorded):
    """Time and memory against the number of tokens, beside theory."""

    def show(self, bench: Bench) -> list[nodes.Node]:
        if not bench.growth:
            return []
        picture = figure(
            draw_growth(bench.growth),
            alt=growth_in_words(bench.growth),
            caption=f"One sample, one head, forward only, on the "
            f"{bench.device.upper()}. Grey: growth as N and as N².",
        )
        drawn = nodes.raw("", picture.html, format="html")
        rows = [
            "| Attention | Time grows as | In theory | Memory grows as "
            "| In theory |",
            "|:--|--:|--:|--:|--:|",
        ]
        rows += [
            f"| {each.mechanism} | $N^{{{each.time_slope:.1f}}}$ "
            f"| $N^{each.theory}$ | $N^{{{each.memory_slope:.1f}}}$ "
            f"| $N^{each.memory_theory}$ |"
            for each in bench.growth
        ]
        return [drawn, *self.parse_text_to_nodes("\n".join(rows))]


def pairs(races: Iterable[Race]) -> list[tuple[Race, Race]]:
    """Forward and training of the same match."""
    races = list(races)
    return list(zip(races[::2], races[1::2], strict=True))


def name(race: Race) -> str:
    marks = ["compiled"] * race.compiled
    marks += ["channels last"] * (race.layout == "channels last")
    return (
        f"{race.mechanism} ({', '.join(marks)})" if marks else race.mechanism
    )


def part(race: Race) -> str:
    return "training" if race.backward else "forward"


def goal(race: Race) -> str:
    return "none" if race.goal is None else f"{race.goal:.2f}"


def judged(races: Iterable[Race]) -> bool:
    return any(race.reached is not None for race in races)


def verdict(races: Iterable[Race]) -> str:
    found = [race.reached for race in races if race.reached is not None]
    return WORDS[all(found)] if found else ""


def draw_growth(growth: tuple[Growth, ...]) -> plt.Figure:
    """Two axes above each other, both logarithmic, with lines of theory."""
    with course_style(), mpl.rc_context({"axes.grid": True}):
        fig, axes = plt.subplots(2, 1, figsize=(4.2, 6.4), sharex=True)
        _draw(axes[0], growth, lambda each: each.milliseconds)
        _draw(axes[1], growth, lambda each: each.peak_mib)
        axes[0].set_ylabel("time in milliseconds")
        axes[1].set_ylabel("memory in MiB")
        axes[1].set_xlabel("tokens N")
        fig.legend(
            *axes[0].get_legend_handles_labels(),
            loc="outside upper left",
            ncols=2,
        )
    return fig


def _draw(
    axis: Axes,
    growth: tuple[Growth, ...],
    series: Callable[[Growth], tuple[float, ...]],
) -> None:
    counts = sorted({count for each in growth for count in each.counts})
    styles = zip("osD^vX", ("-", "--", "-.", ":", "-", "--"), strict=True)
    for each, (marker, line) in zip(growth, styles, strict=False):
        axis.loglog(
            each.counts,
            series(each),
            line,
            marker=marker,
            markersize=4,
            label=each.mechanism,
        )
    values = [value for each in growth for value in series(each)]
    low, high = min(values), max(values)
    for power in (1, 2):
        line = [low * (count / counts[0]) ** power for count in counts]
        axis.loglog(counts, line, color="#999999", linewidth=1, zorder=0)
    axis.set_ylim(low / 2, high * 2)
    axis.set_xticks(counts, [f"{count}" for count in counts])
    axis.minorticks_off()


def growth_in_words(growth: tuple[Growth, ...]) -> str:
    """The ends of every curve, for a reader who does not see the figure."""
    parts = [
        f"{each.mechanism}, {each.milliseconds[0]:.2g} to "
        f"{each.milliseconds[-1]:.2g} milliseconds and {each.peak_mib[0]:.2g} "
        f"to {each.peak_mib[-1]:.2g} MiB"
        for each in growth
    ]
    tokens = f"{growth[0].counts[0]} to {growth[0].counts[-1]}"
    return (
        f"Time and memory against the number of tokens, {tokens}, on "
        f"logarithmic axes. From the fewest to the most tokens measured: "
        f"{'; '.join(parts)}."
    )


def setup(app: Sphinx) -> None:
    app.add_directive("bench-conditions", BenchConditions)
    app.add_directive("bench-table", BenchTable)
    app.add_directive("bench-misses", BenchMisses)
    app.add_directive("bench-growth", BenchGrowth)
