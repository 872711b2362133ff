"""The command `python -m attncourse bench`."""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

import torch

from attncourse.bench.race import Race, run_bench, save_bench


def main(arguments: Sequence[str]) -> int:
    """Race, print the table, write the record; return the exit status."""
    parser = ArgumentParser(
        prog="python -m attncourse bench",
        description="Race every mechanism against its peers.",
    )
    parser.add_argument(
        "--device",
        default="cuda" if torch.cuda.is_available() else "cpu",
        help="where to run (default: the GPU if there is one)",
    )
    parser.add_argument(
        "--repeats",
        type=int,
        default=15,
        metavar="N",
        help="timed rounds of each race (default: 15)",
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=torch.get_num_threads(),
        metavar="N",
        help="torch threads (default: torch's own choice)",
    )
    parser.add_argument(
        "--only",
        default="",
        metavar="NAME",
        help="race only mechanisms with this in their name; writes nothing",
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="DIR",
        help="folder of the record (default: book/results)",
    )
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    bench = run_bench(
        device=options.device, repeats=options.repeats, only=options.only
    )
    print(table(bench.races))
    if not options.only:
        print(f"\nwritten: {save_bench(bench, options.results).name}")
    return 0


def table(races: Sequence[Race]) -> str:
    """The races as lines of text, ratios first."""
    head = (
        f"{'mechanism':30} {'against':34} {'pass':8} {'median':>7} "
        f"{'fastest':>7} {'goal':>5} {'MiB':>7} {'peer':>7}  met"
    )
    lines = [head, "-" * len(head)]
    for race in races:
        words = {None: "", True: "yes", False: "no"}
        marks = ["compiled"] * race.compiled
        marks += ["NHWC"] * (race.layout == "channels last")
        goal = "" if race.goal is None else f"{race.goal:.2f}"
        lines.append(
            f"{' '.join([race.mechanism, *marks]):30} {race.peer:34} "
            f"{'training' if race.backward else 'forward':8} "
            f"{race.median:7.2f} {race.fastest:7.2f} {goal:>5} "
            f"{race.peak_mib:7.1f} {race.peer_peak_mib:7.1f}  "
            f"{words[race.reached]}"
        )
    return "\n".join(lines)
