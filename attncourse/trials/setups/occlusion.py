"""Digits behind squares: what pooling loses when the object is covered."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool
from torch import Tensor

from attncourse.data import (
    ClutteredDigits,
    CoveredDigits,
    Scenes,
    covered,
    squares,
)
from attncourse.data.covered import CANVAS, DIGIT, FRAGMENTS, SIDES
from attncourse.trials.budget import Budget
from attncourse.trials.loop import SceneSource, evaluate
from attncourse.trials.runs import Variant
from attncourse.trials.setups import additive_pooling

GREY = 0.5

scenes = partial(
    ClutteredDigits, size=CANVAS, digit_size=DIGIT, fragments=FRAGMENTS
)


def as_they_are(clean: ClutteredDigits) -> SceneSource:
    """Leave the scenes alone."""
    return clean


@dataclass(frozen=True)
class OccludedVariant(Variant):
    """A variant, and what is done to its training scenes."""

    prepare: Callable[[ClutteredDigits], SceneSource] = as_they_are


def _clean(name: str) -> OccludedVariant:
    known = additive_pooling.VARIANTS[name]
    return OccludedVariant(known.label, known.build)


def _with_squares(name: str) -> OccludedVariant:
    known = additive_pooling.VARIANTS[name]
    label = f"{known.label}, trained with squares"
    return OccludedVariant(label, known.build, prepare=CoveredDigits)


VARIANTS = {
    name: _clean(name)
    for name in ("average", "average+mlp", "max", "attention")
} | {
    f"{name}+squares": _with_squares(name)
    for name in ("average", "max", "attention")
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant; cover the digit, and the background beside it.

    ``retained`` is the mean accuracy over the four sides of black squares
    on the digit, divided by the accuracy without; ``retained_beside`` the
    same for squares on the background, and ``grey`` for grey ones.
    ``spared`` is the share of its mass in a square of 8 pixels that the map
    takes away when the square is covered.
    """
    chosen = VARIANTS[variant]
    torch.manual_seed(seed)
    model = chosen.build()
    clean = scenes(budget.scenes, seed=seed)
    budget.fit(model, chosen.prepare(clean), seed=seed)
    test = scenes(budget.test_scenes, split="test").draw()
    assert test.masks is not None
    metrics = evaluate(model, test)
    for beside in (False, True):
        for shade, paint in ("", 0.0), ("_grey", GREY):
            name = shade + "_beside" * beside
            for side in SIDES:
                hidden = _covered(test, side, beside, paint)
                score = evaluate(model, hidden._replace(masks=None))
                metrics[f"accuracy{name}_{side}"] = score["accuracy"]
            left = [metrics[f"accuracy{name}_{side}"] for side in SIDES]
            metrics[f"retained{name}"] = (
                sum(left) / len(SIDES) / metrics["accuracy"]
            )
    holes = _holes(test.masks, 8, False)
    hidden = covered(test, holes, torch.tensor(0.0))
    before = evaluate(model, test._replace(masks=holes))["mass"]
    after = evaluate(model, hidden._replace(masks=holes))["mass"]
    return metrics | {"hole_mass": after, "spared": 1 - after / before}


def _covered(test: Scenes, side: int, beside: bool, paint: float) -> Scenes:
    assert test.masks is not None
    return covered(test, _holes(test.masks, side, beside), torch.tensor(paint))


def _holes(
    boxes: Bool[Tensor, "count 1 40 40"], side: int, beside: bool
) -> Bool[Tensor, "count 1 40 40"]:
    random = torch.Generator().manual_seed(side)
    sides = torch.full((len(boxes),), side)
    return squares(boxes, sides, random, beside=beside)
