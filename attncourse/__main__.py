"""The command line: `python -m attncourse COMMAND ...`."""

import sys
from argparse import REMAINDER, ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from importlib import import_module

from attncourse import __version__

COMMANDS = {
    "bench": (
        "attncourse.bench.command",
        "race every mechanism against its peers",
    ),
    "checkup": (
        "attncourse.checkup.command",
        "examine an attention module and say what is wrong",
    ),
    "grade": (
        "attncourse.exercises.command",
        "run notebooks that were handed in and collect what checks found",
    ),
    "standalone": (
        "attncourse.copying",
        "print a mechanism as one file that needs torch alone",
    ),
    "trials": (
        "attncourse.trials.command",
        "list, show and repeat the recorded trials",
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 if all went well.

    2 stands for a mistake in the arguments, 1 for a failure, 130 for an
    interruption.
    """
    width = max(map(len, COMMANDS))
    lines = [
        f"  {name:{width}}  {text}" for name, (_, text) in COMMANDS.items()
    ]
    parser = ArgumentParser(
        prog="python -m attncourse",
        description="Attention, Measured.",
        epilog="\n".join(["commands:", *lines]),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"attncourse {__version__}"
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("arguments", nargs=REMAINDER)
    try:
        options = parser.parse_args(argv)
        command = import_module(COMMANDS[options.command][0])
        return int(command.main(options.arguments))
    except SystemExit as stop:
        return int(stop.code or 0)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (LookupError, OSError, RuntimeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
