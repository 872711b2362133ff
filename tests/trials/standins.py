"""Small stand-ins: scenes, networks, a claim and a record."""

from dataclasses import replace

import torch
from torch import nn

from attncourse.data import Scenes
from attncourse.metrics import paired_bootstrap
from attncourse.trials import (
    Curve,
    Record,
    Series,
    Time,
    Variant,
    VariantResult,
)
from attncourse.trials.networks import packed, sha256
from attncourse.trials.record import PilotTable


def size(model: nn.Module) -> int:
    """Count the parameters."""
    return sum(p.numel() for p in model.parameters())


def bright_half(count: int = 67, seed: int = 0, epoch: int = 0) -> Scenes:
    """Two classes: the bright half is the upper or the lower one."""
    generator = torch.Generator().manual_seed(1000 * seed + epoch)
    labels = torch.randint(2, (count,), generator=generator)
    images = 0.3 * torch.rand(count, 1, 4, 6, generator=generator)
    masks = torch.zeros(count, 1, 4, 6, dtype=torch.bool)
    for image, mask, label in zip(images, masks, labels, strict=True):
        rows = slice(2, 4) if label else slice(0, 2)
        image[:, rows] += 0.5
        mask[:, rows] = True
    return Scenes(images, labels, masks)


class Drawn:
    """Scenes drawn anew; remembers which epochs were asked for."""

    def __init__(self, *counts: int) -> None:
        self.counts = counts
        self.epochs: list[int] = []

    def draw(self, epoch: int) -> Scenes:
        self.epochs.append(epoch)
        return bright_half(self.counts[epoch], epoch=epoch)


def linear(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(24, 2))


def with_dropout(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(24, 13), nn.Dropout(), nn.Linear(13, 2)
    )


VARIANTS = {
    "plain": Variant("plain", linear),
    "wide": Variant("with more", with_dropout),
}


def count_up(variant: str, seed: int) -> dict[str, float]:
    """A run that costs nothing and is different for every job."""
    return {"accuracy": len(variant) + seed / 8, "threads": threads()}


def threads() -> float:
    return float(torch.get_num_threads())


def small_record() -> Record:
    def variant(name: str, shift: float) -> VariantResult:
        return VariantResult(
            label=name,
            parameters=1234,
            multiply_adds=5678,
            seconds=(1.5, 2.5, 3.5),
            metrics={
                "accuracy": Series([0.5 + shift, 0.75 + shift, 0.625 + shift])
            },
        )

    variants = {
        "plain": variant("plain", 0.0),
        "better": variant("better", 0.125),
    }
    return Record(
        name="small",
        control="plain",
        level=1 - 0.05 / 22,
        family=22,
        seeds=(0, 1, 2),
        variants=variants,
        differences={
            "better": {
                "accuracy": paired_bootstrap(
                    variants["better"].metrics["accuracy"],
                    variants["plain"].metrics["accuracy"],
                )
            }
        },
        profile="quick",
        settings={"epochs": 3, "lr": 0.01},
        versions={"torch": "2.0"},
        code="0" * 64,
        hardware={
            "cpu": "abacus",
            "gpu": "none",
            "threads": 1,
            "workers": 2,
            "backend": "local",
        },
        command="python -m attncourse trials run small",
        time=Time(runs=15.0, wall=9.0, runs_reused=1),
        date="2026-01-02T03:04:05+00:00",
    )


NETWORKS = {"plain": packed(linear()), "better": packed(linear(1))}
"""What the first seeds of :func:`kept_record` left."""


def kept_record() -> Record:
    """The small record in the new form: blocks, curves, networks, pilot."""
    old = small_record()
    values = {"3": 0.5, "6": 0.505}
    return replace(
        old,
        variants={
            name: replace(
                variant,
                blocks={
                    "accuracy": tuple(
                        (value - 0.25, value + 0.25)
                        for value in variant.metrics["accuracy"]
                    )
                },
                curves=(Curve((0.7, 0.5, 0.25), (0.5, 0.625, 0.75)),) * 3,
                settings={"lr": 0.005, "epochs": 3},
                network=sha256(NETWORKS[name]),
            )
            for name, variant in old.variants.items()
        },
        pilot=PilotTable(
            digest="1" * 64,
            metric="accuracy",
            seeds=(900, 901),
            rates={name: {"0.005": 0.5} for name in old.variants},
            lengths=dict.fromkeys(old.variants, values),
            plateau=True,
        ),
    )
