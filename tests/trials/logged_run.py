"""Runs that leave a line in a log at their start and at their end."""

import os
import sys
import time
from pathlib import Path

from attncourse.trials import evaluate, fit
from tests.trials.standins import VARIANTS, bright_half

PATIENCE = 150.0


def trains(variant: str, seed: int, folder: Path) -> dict[str, float]:
    """Train a small network; the loss tells any two runs apart."""
    log(folder, "start", variant, seed)
    model = VARIANTS[variant].build(seed)
    scenes = bright_half(seed=seed)
    history = fit(model, scenes, epochs=2, seed=seed, progress=False)
    if hangs(folder):
        log(folder, "hang", variant, seed)
        time.sleep(PATIENCE)
    metrics = evaluate(model, bright_half(seed=900))
    log(folder, "end", variant, seed)
    return {"loss": history.loss[-1], "accuracy": metrics["accuracy"]}


def fails(variant: str, seed: int, folder: Path) -> dict[str, float]:
    """Fail at once with seed 0, and very late with any other."""
    log(folder, "start", variant, seed)
    if seed > 0:
        time.sleep(PATIENCE)
    raise KeyError("no such luck")


def hangs(folder: Path) -> bool:
    """Whether this is the first run on its node of a Ray cluster."""
    if not (folder / "hang").exists():
        return False
    try:
        (folder / node()).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def node() -> str:
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return "-"
    return str(ray.get_runtime_context().get_node_id())


def log(folder: Path, what: str, variant: str, seed: int) -> None:
    with open(folder / "log", "a") as file:
        print(what, variant, seed, os.getpid(), node(), file=file, flush=True)


def lines(folder: Path, what: str) -> list[tuple[str, int, int, str]]:
    """Variant, seed, process and node of every line of one kind."""
    if not (folder / "log").exists():
        return []
    words = map(str.split, (folder / "log").read_text().splitlines())
    return [
        (variant, int(seed), int(process), node)
        for kind, variant, seed, process, node in words
        if kind == what
    ]
