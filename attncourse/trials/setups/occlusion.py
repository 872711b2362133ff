"""Digits behind squares: what pooling loses when the object is covered."""

import torch
from jaxtyping import Bool
from torch import Tensor

from attncourse.data import ClutteredDigits, CoveredDigits, covered, squares
from attncourse.data.covered import CANVAS, DIGIT, FRAGMENTS, SIDES
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.setups.additive_pooling import POOLINGS, network

GREY = 0.5


CLEAN = ("average", "average+mlp", "max", "attention")
TRAINED = ("average", "max", "attention")
VARIANTS = {name: POOLINGS[name] for name in CLEAN} | {
    f"{name}+squares": (
        f"{POOLINGS[name][0]}, trained with squares",
        POOLINGS[name][1],
    )
    for name in TRAINED
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant; cover the digit, and the background beside it.

    ``retained`` is the mean accuracy over the four sides of black squares
    on the digit, divided by the accuracy without; ``retained_beside`` the
    same for squares on the background, and ``grey`` for grey ones.
    ``spared`` is the share of its mass in a square of 8 pixels that the map
    takes away when the square is covered.
    """
    torch.manual_seed(seed)
    model = network(VARIANTS[variant][1])
    clean = ClutteredDigits(
        budget.scenes,
        size=CANVAS,
        digit_size=DIGIT,
        fragments=FRAGMENTS,
        seed=seed,
    )
    trained = CoveredDigits(clean) if variant.endswith("+squares") else clean
    budget.fit(model, trained, seed=seed)
    test = ClutteredDigits(
        budget.test_scenes,
        size=CANVAS,
        digit_size=DIGIT,
        fragments=FRAGMENTS,
        split="test",
    ).draw()
    assert test.masks is not None
    metrics = evaluate(model, test)
    for beside in (False, True):
        for shade, paint in ("", 0.0), ("_grey", GREY):
            name = shade + "_beside" * beside
            for side in SIDES:
                holes = _holes(test.masks, side, beside)
                hidden = covered(test, holes, torch.tensor(paint))
                score = evaluate(model, hidden._replace(masks=None))
                metrics[f"accuracy{name}_{side}"] = score["accuracy"]
            kept = [metrics[f"accuracy{name}_{side}"] for side in SIDES]
            metrics[f"retained{name}"] = (
                sum(kept) / len(SIDES) / metrics["accuracy"]
            )
    holes = _holes(test.masks, 8, False)
    hidden = covered(test, holes, torch.tensor(0.0))
    before = evaluate(model, test._replace(masks=holes))["mass"]
    after = evaluate(model, hidden._replace(masks=holes))["mass"]
    return metrics | {"hole_mass": after, "spared": 1 - after / before}


def _holes(
    boxes: Bool[Tensor, "count 1 40 40"], side: int, beside: bool
) -> Bool[Tensor, "count 1 40 40"]:
    random = torch.Generator().manual_seed(side)
    sides = torch.full((len(boxes),), side)
    return squares(boxes, sides, random, beside=beside)
