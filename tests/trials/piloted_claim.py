"""Is a hidden layer worth its parameters on bright halves?"""

from functools import partial
from itertools import pairwise

import torch
from torch import nn

from attncourse.trials import (
    Budget,
    Claim,
    Profile,
    Scores,
    Variant,
    score,
)
from attncourse.trials.statements import Gain, default_margin
from tests.trials.standins import bright_half


def network(*widths: int) -> nn.Module:
    """Linear layers of these widths behind the pixels."""
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise((24, *widths)):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


VARIANTS = {
    "plain": Variant("no hidden layer", partial(network, 2)),
    "double": Variant("two hidden units", partial(network, 2, 2)),
    "hidden": Variant("four hidden units", partial(network, 4, 2)),
}


def run(variant: str, seed: int, budget: Budget) -> Scores:
    """Train one network, and score it where the budget says."""
    torch.manual_seed(seed)
    model = VARIANTS[variant].build()
    history = budget.fit(model, bright_half(budget.scenes), seed=seed)
    shift = {"validation": 1, "test": 2}[budget.split]
    scenes = bright_half(budget.test_scenes, seed=seed + shift)
    sources = torch.arange(budget.test_scenes)
    return score(model, scenes._replace(sources=sources), history=history) | {
        "shift": float(shift)
    }


CLAIM = Claim(
    statement="A hidden layer helps.",
    source="Nobody.",
    scene="A bright half.",
    variants=VARIANTS,
    control="plain",
    run=run,
    example=(1, 1, 4, 6),
    metrics={"accuracy": "share of right answers"},
    predictions=(
        Gain(
            "It helps.",
            variant="hidden",
            against=("plain",),
            margin=default_margin("plain", "double"),
        ),
    ),
    family=25,
    would_change="Everything.",
    lesson="03_additive_attention",
    quick=Profile(seeds=2, budget=Budget(22, 1, 40, 11, 0.05)),
    full=Profile(seeds=2, budget=Budget(33, 2, 60, 11, 0.05)),
)
