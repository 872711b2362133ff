"""The command `python -m attncourse checkup`."""

import ast
import inspect
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from importlib import import_module
from math import prod
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from attncourse.checkup.driver import checkup, told
from attncourse.checkup.kinds import KINDS
from attncourse.checkup.subject import SEED

TYPES = {
    "float": torch.float32,
    "bfloat16": torch.bfloat16,
    "double": torch.float64,
    "int": torch.int64,
    "bool": torch.bool,
}
EPILOG = """\
examples:
  python -m attncourse checkup attncourse.attention:CBAM --arg channels=64 \\
      --input 2,64,14,14
  python -m attncourse checkup torch.nn:MultiheadAttention \\
      --arg embed_dim=64 --arg num_heads=4 --arg batch_first=True \\
      --input query=3,10,64 --input key=3,7,64 --input value=3,7,64

The exit status is 0 if there is no error, 1 if there is one, and 2 if the
module cannot be built or the command is misused.
"""


def main(arguments: Sequence[str]) -> int:
    """Build a module, examine it, print the report; return the status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if "" not in sys.path and "." not in sys.path:
        sys.path.insert(0, "")
    torch.manual_seed(SEED)
    try:
        found = _find(options.module)
        values = dict(_argument(text) for text in options.arg)
        inputs = _inputs(options.input)
        axis = _batch_axis(options.batch_axis)
    except (AttributeError, ImportError, ValueError) as error:
        parser.error(str(error))
    if isinstance(found, type):
        try:
            module: nn.Module | Callable[..., Any] = found(**values)
        except Exception as error:
            parser.error(
                f"{found.__name__} cannot be built with {values or 'no --arg'}"
                f": {told(error)}"
            )
        if not isinstance(module, nn.Module):
            parser.error(f"{found.__name__} is no torch.nn.Module")
    elif values:
        parser.error(f"{options.module} is no class, so it takes no --arg")
    else:
        module = found
    report = checkup(
        module,
        inputs,
        kind=options.kind,
        batch_axis=axis,
        seconds=options.seconds,
        mask=options.mask,
        mask_true=options.mask_true,
        deploy=options.deploy,
        layers=options.layers or None,
    )
    print(report.to_json() if options.json else report)
    return 0 if report.ok else 1


class _Parser(ArgumentParser):
    """Says the reason first, and the usage in one line."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and how to learn more; exit with 2."""
        self.exit(2, f"error: {message}\n{self.prog} --help shows how\n")


def _parser() -> ArgumentParser:
    parser = _Parser(
        prog="python -m attncourse checkup",
        description="Examine an attention module and say what is wrong.",
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "module",
        metavar="PACKAGE.MODULE:CLASS",
        help="a class to build, or a function or module that stands there",
    )
    parser.add_argument(
        "--arg",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an argument of the class; may be repeated",
    )
    parser.add_argument(
        "--input",
        action="append",
        required=True,
        metavar="[NAME=][TYPE:]SIZES",
        help="sizes of an input of random numbers, such as 2,64,14,14; "
        "mask=bool:2,12 is true everywhere, int:2,12 counts from zero; may "
        "be repeated",
    )
    parser.add_argument(
        "--as",
        dest="kind",
        choices=tuple(KINDS),
        metavar="KIND",
        help=f"what it claims to be: {', '.join(KINDS)} (default: inferred)",
    )
    parser.add_argument(
        "--batch-axis",
        action="append",
        default=[],
        metavar="[NAME=]AXIS",
        help="axis of the batch, 0, 1 or none, of all inputs or of one "
        "(default: 1 for batch_first=False, else 0)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=60.0,
        help="stop after this time and report what there is",
    )
    parser.add_argument(
        "--mask", metavar="NAME", help="parameter of forward that is a mask"
    )
    parser.add_argument(
        "--mask-true",
        choices=("keep", "block"),
        help="what True in the mask means (default: by its name)",
    )
    parser.add_argument(
        "--layers",
        action="store_true",
        help="examine the attention layers inside of a network",
    )
    parser.add_argument(
        "--deploy",
        action="store_true",
        help="also try torch.compile and torch.export (seconds)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the report as JSON"
    )
    return parser


def _find(path: str) -> Callable[..., Any]:
    """The object at ``package.module:name``."""
    home, colon, name = path.partition(":")
    if not home or not colon or not name:
        raise ValueError(
            f"{path!r} names no class; package.module:Class is needed"
        )
    try:
        found = import_module(home)
    except ImportError:
        raise
    except Exception as error:
        raise ImportError(
            f"{home} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    for part in name.split("."):
        found = getattr(found, part)
    if inspect.ismodule(found) or not callable(found):
        raise ValueError(f"{path!r} is no class, function or module")
    return found


def _argument(text: str) -> tuple[str, Any]:
    """``channels=64`` as a name and a number; what is no literal is text."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ValueError(f"--arg {text!r}: NAME=VALUE is needed")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value


def _inputs(texts: Sequence[str]) -> dict[int | str, Tensor]:
    """Random inputs of these sizes; equal sizes get equal numbers."""
    made: dict[str, Tensor] = {}
    inputs: dict[int | str, Tensor] = {}
    for text in texts:
        name, equals, rest = text.rpartition("=")
        if bool(equals) != name.isidentifier():
            raise ValueError(
                f"--input {text!r}: [NAME=][TYPE:]SIZES is needed"
            )
        made.setdefault(rest, _made(text, rest))
        key = name or sum(isinstance(key, int) for key in inputs)
        inputs[key] = made[rest]
    return inputs


def _made(text: str, rest: str) -> Tensor:
    """Numbers of a type and sizes."""
    word, colon, sizes = rest.rpartition(":")
    if colon and word not in TYPES:
        raise ValueError(
            f"--input {text!r}: {word!r} is no type; one of "
            f"{', '.join(TYPES)} is needed"
        )
    try:
        shape = tuple(int(size) for size in sizes.split(","))
    except ValueError:
        shape = (0,)
    if min(shape) < 1:
        raise ValueError(
            f"--input {text!r}: sizes above zero with commas between "
            "them are needed, such as 2,64,14,14"
        )
    if word == "bool":
        return torch.ones(shape, dtype=torch.bool)
    generator = torch.Generator().manual_seed(SEED)
    if word == "int":
        return torch.arange(prod(shape)).reshape(shape) % shape[-1]
    values = torch.randn(shape, generator=generator)
    return values.to(TYPES.get(word, torch.float32))


def _batch_axis(
    texts: Sequence[str],
) -> int | dict[int | str, int | None] | None:
    """One axis, or an axis for each input that is named."""
    axes: dict[int | str, int | None] = {}
    for text in texts:
        name, equals, axis = text.rpartition("=")
        if axis not in {"0", "1", "none"} or (equals and not name):
            raise ValueError(
                f"--batch-axis {text!r}: 0, 1, none or NAME=AXIS is needed"
            )
        number = None if axis == "none" else int(axis)
        if not equals:
            return number
        axes[int(name) if name.isdigit() else name] = number
    return axes or None
