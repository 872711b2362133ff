"""Time every match side by side and keep the result."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from attncourse.bench.growth import Growth, measure_growth
from attncourse.bench.peers import Match, matches
from attncourse.metrics.cost import Cost, costs
from attncourse.trials.provenance import hardware, versions
from attncourse.trials.record import results_folder, write

SECONDS = 0.5
"""For how long a short race is run at least."""


@dataclass(frozen=True)
class Race:
    """Times and memory of a mechanism over those of its peer.

    ``median`` and ``fastest`` are ratios of wall times, ours over theirs;
    below one is faster. ``goal`` is the ratio that was asked for. Memory is
    in MiB.
    """

    mechanism: str
    peer: str
    size: str
    layout: str
    compiled: bool
    backward: bool
    median: float
    fastest: float
    milliseconds: float
    peak_mib: float
    peer_milliseconds: float
    peer_peak_mib: float
    goal: float | None
    memory_goal: float | None

    @property
    def reached(self) -> bool | None:
        """Whether the goals are met, by the fastest calls; None without goal.

        The goals were set from fastest calls too.
        """
        if self.goal is None:
            return None
        memory = self.memory_goal is None or (
            self.peak_mib <= self.memory_goal
        )
        return self.fastest <= self.goal and memory


@dataclass(frozen=True)
class Bench:
    """All races on one device, with what they ran on."""

    device: str
    threads: int
    races: tuple[Race, ...]
    growth: tuple[Growth, ...]
    versions: dict[str, str]
    hardware: dict[str, str]
    command: str
    date: str


def run_bench(
    *,
    device: str = "cpu",
    repeats: int = 15,
    only: str = "",
    progress: bool = True,
) -> Bench:
    """Race every mechanism against its peers.

    Parameters
    ----------
    device
        Where to run.
    repeats
        Timed rounds of each race, after two to warm up; short ones go on
        for half a second.
    only
        Race only mechanisms whose name contains this, and leave out how
        they grow.
    progress
        Show a bar.

    Raises
    ------
    ValueError
        If no mechanism has such a name.
    """
    chosen = [match for match in matches() if only in match.mechanism]
    if not chosen:
        names = sorted({match.mechanism for match in matches()})
        raise ValueError(f"only must be part of one of {names}, got {only!r}")
    bar = tqdm(chosen, desc="bench", disable=not progress)
    races = [
        _race(match, torch.device(device), backward, repeats)
        for match in bar
        for backward in (False, True)
    ]
    return Bench(
        device=device,
        threads=torch.get_num_threads(),
        races=tuple(races),
        growth=() if only else measure_growth(device=device),
        versions=versions(),
        hardware=hardware(),
        command=f"python -m attncourse bench --device {device} "
        f"--repeats {repeats} --threads {torch.get_num_threads()}",
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def save_bench(bench: Bench, folder: Path | None = None) -> Path:
    """Write ``bench/<device>.json`` and return its path."""
    folder = results_folder() if folder is None else folder
    path = folder / "bench" / f"{bench.device}.json"
    write(path, json.dumps(asdict(bench), indent=1) + "\n")
    return path


def load_bench(device: str = "cpu", folder: Path | None = None) -> Bench:
    """Read what :func:`save_bench` wrote.

    Raises
    ------
    FileNotFoundError
        If nothing was recorded on this device.
    ValueError
        If the file is damaged; names it.
    """
    folder = results_folder() if folder is None else folder
    path = folder / "bench" / f"{device}.json"
    try:
        content = json.loads(path.read_text("utf-8"))
        races = tuple(Race(**race) for race in content.pop("races"))
        growth = tuple(_growth(**curve) for curve in content.pop("growth"))
        return Bench(races=races, growth=growth, **content)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path} is missing; run: python -m attncourse bench --device "
            f"{device}"
        ) from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no bench record: {error}") from error


def _growth(**content: Any) -> Growth:
    series = ("counts", "milliseconds", "peak_mib")
    return Growth(**content | {name: tuple(content[name]) for name in series})


def _race(
    match: Match, device: torch.device, backward: bool, repeats: int
) -> Race:
    torch.manual_seed(0)
    inputs = [tensor.to(device) for tensor in match.inputs()]
    if match.channels_last:
        inputs = [_channels_last(tensor) for tensor in inputs]
    if backward:
        inputs = [tensor.requires_grad_() for tensor in inputs]
    sides: dict[str, nn.Module] = {}
    for name, build in (("ours", match.ours), ("theirs", match.theirs)):
        module = build().to(device)
        if match.channels_last:
            module = module.to(memory_format=torch.channels_last)
        sides[name] = module
    if match.compiled:
        torch.compiler.reset()
        sides["ours"] = torch.compile(sides["ours"])  # type: ignore[assignment]
    spent = costs(
        sides,
        *inputs,
        backward=backward,
        repeats=repeats,
        seconds=SECONDS,
    )
    return _compare(match, backward, spent["ours"], spent["theirs"])


def _compare(match: Match, backward: bool, ours: Cost, theirs: Cost) -> Race:
    return Race(
        mechanism=match.mechanism,
        peer=match.peer,
        size=match.size,
        layout="channels last" if match.channels_last else "channels first",
        compiled=match.compiled,
        backward=backward,
        median=ours.milliseconds / theirs.milliseconds,
        fastest=ours.fastest / theirs.fastest,
        milliseconds=ours.fastest,
        peak_mib=ours.peak_mib,
        peer_milliseconds=theirs.fastest,
        peer_peak_mib=theirs.peak_mib,
        goal=match.training if backward else match.forward,
        memory_goal=None if backward else match.memory,
    )


def _channels_last(tensor: Tensor) -> Tensor:
    if tensor.ndim != 4:
        return tensor
    return tensor.contiguous(memory_format=torch.channels_last)
