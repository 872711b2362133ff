"""The command `python -m attncourse trials`."""

import re
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attncourse.trials.claim import claim, claims, load
from attncourse.trials.pilots import Pilot
from attncourse.trials.provenance import code_digest
from attncourse.trials.record import Record, recorded
from attncourse.trials.running import run_claims, run_pilots

EPILOG = """\
examples:
  python -m attncourse trials list
  python -m attncourse trials show close-looks
  python -m attncourse trials run close-looks --seeds 10
  python -m attncourse trials pilot se-gain
  python -m attncourse trials run --all --only-stale
  python -m attncourse trials run --all --profile quick
  python -m attncourse trials run --all --backend ray --address auto

A trial that was broken off goes on where it was when it is run again.
"""


def main(arguments: Sequence[str]) -> int:
    """List, show or run the claims on trial; return the exit status."""
    options = _parser().parse_args(arguments)
    return int(options.action(options))


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m attncourse trials",
        description="List, show and repeat the recorded trials.",
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    shared = ArgumentParser(add_help=False)
    shared.add_argument(
        "--results",
        type=Path,
        metavar="DIR",
        help="folder of the records (default: book/results)",
    )
    listing = actions.add_parser(
        "list", parents=[shared], help="name every claim and its record"
    )
    listing.set_defaults(action=_list)
    show = actions.add_parser(
        "show", parents=[shared], help="show a claim and its record"
    )
    show.add_argument("name", metavar="NAME")
    show.set_defaults(action=_show)
    place = ArgumentParser(add_help=False)
    place.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes, one torch thread each (default: all processors)",
    )
    place.add_argument(
        "--device",
        help="where networks are trained on this machine, such as cuda",
    )
    place.add_argument(
        "--backend",
        choices=["local", "ray"],
        default="local",
        help="where the runs happen (default: local)",
    )
    place.add_argument(
        "--address",
        help="Ray cluster to join (default: RAY_ADDRESS, or a new one)",
    )
    place.add_argument(
        "--gpus",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of a GPU for each run on the cluster (default: 0)",
    )
    pilot = actions.add_parser(
        "pilot",
        parents=[shared, place],
        help="fix learning rates, epochs and seeds of claims",
        description=(
            "Train every variant at three learning rates, then for longer "
            "until that gains nothing, on validation scenes and two seeds. "
            "What it fixes is what a full run follows."
        ),
    )
    pilot.add_argument("names", metavar="NAME", nargs="+")
    pilot.set_defaults(action=_pilot)
    run = actions.add_parser(
        "run",
        parents=[shared, place],
        help="try claims and write their records",
        description=(
            "Try claims and write their records. Those of the quick profile "
            "go to book/results/.quick, unless --results names a folder."
        ),
    )
    which = run.add_mutually_exclusive_group(required=True)
    which.add_argument("names", metavar="NAME", nargs="*", default=[])
    which.add_argument(
        "--all", action="store_true", help="try every claim there is"
    )
    run.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="number of seeds, where no pilot fixes it",
    )
    run.add_argument(
        "--profile",
        choices=["quick", "full"],
        default="full",
        help="size of the trial (default: full)",
    )
    run.add_argument(
        "--only-stale",
        action="store_true",
        help="leave out records that a new run would write again",
    )
    run.set_defaults(action=_run)
    return parser


def _list(options: Namespace) -> int:
    files = recorded(options.results)
    for name in claims():
        case = claim(name)
        state, said = "no record", case.statement
        if name in files:
            record = load(name, options.results)
            said = case.headline(record)
            current = record.code == code_digest(case.run)
            state = (
                f"{case.verdict(record)}; {len(record.seeds)} seeds, "
                f"{record.profile}, {record.date[:10]}, "
                f"{'this' if current else 'other'} code"
            )
        print(f"{name}: {said}\n    {state}")
    return 0


def _show(options: Namespace) -> int:
    case = claim(options.name)
    source = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", case.source)
    print(f"{options.name}: {case.statement}\n{source}\n\n{case.scene}\n")
    for prediction in case.predictions:
        print(f"- {prediction.statement}\n  {prediction.rule}")
    print()
    if options.name not in recorded(options.results):
        print(f"No record; python -m attncourse trials run {options.name}")
        return 0
    _report(load(options.name, options.results))
    return 0


def _run(options: Namespace) -> int:
    names = claims() if options.all else options.names
    records = run_claims(
        names,
        profile=options.profile,
        seeds=options.seeds,
        only_stale=options.only_stale,
        results=options.results,
        **_place(options),
    )
    if not records:
        print("Nothing is stale.")
    if options.all:
        for record in records:
            case = claim(record.name)
            said = case.headline(record)
            print(f"{record.name}: {case.verdict(record)}: {said}")
        return 0
    for record in records:
        _report(record)
    return 0


def _pilot(options: Namespace) -> int:
    for pilot in run_pilots(
        options.names, results=options.results, **_place(options)
    ):
        _report_pilot(pilot)
    return 0


def _place(options: Namespace) -> dict[str, Any]:
    names = "workers", "device", "backend", "address", "gpus"
    return {name: getattr(options, name) for name in names}


def _report_pilot(pilot: Pilot) -> None:
    print(f"{pilot.name}, {pilot.metric} on validation scenes:")
    table = pilot.table()
    for variant, rates in table.rates.items():
        tried = ", ".join(f"{rate}: {x:.3f}" for rate, x in rates.items())
        longer = ", ".join(
            f"{epochs}: {x:.3f}"
            for epochs, x in table.lengths[variant].items()
        )
        print(f"  {variant}: learning rates {tried}; epochs {longer}")
    print(
        f"{pilot.epochs} epochs, {'' if pilot.plateau else 'not yet '}a "
        f"plateau; {len(pilot.trial_seeds)} seeds, where the margin asks for "
        f"{pilot.needed}; {pilot.seconds:.0f} s of runs"
    )


def _report(record: Record) -> None:
    case = claim(record.name)
    metrics = sorted(
        {m for variant in record.variants.values() for m in variant.metrics}
    )
    print(record.table(case.metrics))
    print(f"\nMinus {record.control}, mean over seeds [95 % bootstrap]:")
    for variant, known in record.differences.items():
        for metric in (each for each in case.metrics if each in known):
            mean, low, high = record.difference(variant, metric)
            print(
                f"  {variant}, {metric}: {mean:+.3f} [{low:+.3f}, {high:+.3f}]"
            )
    print()
    for metric, meaning in case.metrics.items():
        print(f"{metric}: {meaning}")
    others = [metric for metric in metrics if metric not in case.metrics]
    if others:
        print("\nOther metrics, mean ± std over seeds:")
    for metric in others:
        for variant, result in record.variants.items():
            if metric in result.metrics:
                series = result.metrics[metric]
                print(
                    f"  {variant}, {metric}: {series.mean:.3f} ± "
                    f"{series.std:.3f}"
                )
    print(
        f"\nVerdict: {case.verdict(record)}. Intervals of {record.level:.2%}, "
        f"corrected for {record.family} claims; the first decides:"
    )
    for prediction in case.judged(record):
        mean, low, high = prediction.interval(record)
        print(
            f"  {prediction.verdict(record)}: {prediction.statement} "
            f"({mean:+.3f} [{low:+.3f}, {high:+.3f}])"
        )
    print(
        f"\n{len(record.seeds)} seeds, {record.profile} profile, "
        f"{record.time.runs:.0f} s of runs, {record.hardware['cpu']}, "
        f"{record.date}\n{record.command}"
    )
