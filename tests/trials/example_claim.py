"""Does a taller trunk read digits better than a wider one?"""

from functools import partial

import torch

from attncourse.data import ClutteredDigits
from attncourse.models import AttentionCNN, MaxPooling2d
from attncourse.trials import (
    Budget,
    Claim,
    Prediction,
    Profile,
    Variant,
    evaluate,
)


def network(*widths: int) -> AttentionCNN:
    """Build convolutions of these widths, then the global maximum."""
    return AttentionCNN(widths=widths, pooling=MaxPooling2d())


VARIANTS = {
    "wide": Variant("two wide layers", partial(network, 10, 26)),
    "tall": Variant("three thin layers", partial(network, 8, 12, 16)),
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one network and score it on scenes of the test split."""
    torch.manual_seed(seed)
    model = VARIANTS[variant].build()
    scenes = partial(ClutteredDigits, size=32, fragments=2)
    budget.fit(model, scenes(budget.scenes, seed=seed), seed=seed)
    return evaluate(model, scenes(budget.test_scenes, split="test").draw())


CLAIM = Claim(
    statement="Depth is worth more than width.",
    source="Said often, of much larger networks.",
    scene="A digit of 16 pixels and two fragments, on 32 x 32 pixels.",
    variants=VARIANTS,
    control="wide",
    run=run,
    example=(1, 1, 32, 32),
    metrics={"accuracy": "share of the test scenes that are answered right"},
    predictions=(
        Prediction(
            "The taller network is more accurate by more than a point.",
            metric="accuracy",
            variant="tall",
            against="wide",
            above=0.01,
        ),
    ),
    would_change="Longer training, or an equal reach of both networks.",
    lesson="03_additive_attention",
    quick=Profile(seeds=5, budget=Budget(400, 2, 200)),
    full=Profile(seeds=10, budget=Budget(1000, 4, 1000)),
)
