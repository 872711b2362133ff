"""Does a taller trunk read digits better than a wider one?"""

from functools import partial

import torch

from attncourse.data import ClutteredDigits
from attncourse.models import AttentionCNN, MaxPooling2d
from attncourse.trials import (
    Budget,
    Claim,
    Gain,
    Profile,
    Scores,
    Variant,
    default_margin,
    score,
)


def network(*widths: int) -> AttentionCNN:
    """Build convolutions of these widths, then the global maximum."""
    return AttentionCNN(widths=widths, pooling=MaxPooling2d())


VARIANTS = {
    "wide": Variant("two wide layers", partial(network, 10, 26)),
    "double": Variant("the same, twice the width", partial(network, 20, 52)),
    "tall": Variant("three thin layers", partial(network, 8, 12, 16)),
}


def run(variant: str, seed: int, budget: Budget) -> Scores:
    """Train one network and score it on scenes of its own."""
    torch.manual_seed(seed)
    model = VARIANTS[variant].build()
    scenes = partial(ClutteredDigits, size=32, fragments=2, seed=seed)
    history = budget.fit(model, scenes(budget.scenes), seed=seed)
    test = scenes(budget.test_scenes, split=budget.split).draw()
    return score(model, test, history=history)


CLAIM = Claim(
    statement="Three thin layers are more accurate than two wide ones.",
    source="Said often, of much larger networks.",
    scene="A digit of 16 pixels and two fragments, on 32 x 32 pixels.",
    variants=VARIANTS,
    control="wide",
    run=run,
    example=(1, 1, 32, 32),
    metrics={"accuracy": "share of the test scenes that are answered right"},
    predictions=(
        Gain(
            "The taller network is more accurate, by more than what twice the "
            "width buys.",
            variant="tall",
            against=("wide",),
            margin=default_margin("wide", "double"),
        ),
    ),
    family=1,
    would_change="Longer training, or an equal reach of both networks.",
    lesson="03_additive_attention",
    quick=Profile(seeds=5, budget=Budget(400, 2, 200)),
    full=Profile(seeds=10, budget=Budget(1000, 4, 1000)),
)
