"""Does a wide attention need its scale, and would a small start do?"""

from attncourse.trials.budget import Budget
from attncourse.trials.claim import (
    ACCURACY,
    MASS,
    POINTING,
    Claim,
    Prediction,
    Profile,
)
from attncourse.trials.setups.scale import VARIANTS, run

BUDGET = Budget(epochs=4)

CLAIM = Claim(
    statement=(
        "At 512 dimensions, dividing the scores by the square root of the "
        "dimension makes dot-product attention more accurate."
    ),
    source=(
        "[Vaswani et al. (2017)](https://arxiv.org/abs/1706.03762), section "
        "3.2.1; the code of a tutorial leaves the division out where its "
        "formula has it."
    ),
    scene=(
        "Nine digits in a 3 x 3 grid; the one in the middle asks for the "
        "colour of the other of its class. One attention layer, 8, 64 or 512 "
        "dimensions per token; each variant has the best of five learning "
        "rates."
    ),
    variants=VARIANTS,
    control="unscaled-512",
    run=run,
    example=(1, 3, 24, 24),
    metrics={
        "accuracy": ACCURACY,
        "mass": MASS,
        "pointing": POINTING,
        "rate": "learning rate that validated best",
    },
    predictions=(
        Prediction(
            "At 512 dimensions per token the scale is worth more than two "
            "points of accuracy.",
            metric="accuracy",
            variant="scaled-512",
            against="unscaled-512",
            above=0.02,
        ),
        Prediction(
            "At 8 dimensions per token it is worth more than two points, too.",
            metric="accuracy",
            variant="scaled-8",
            against="unscaled-8",
            above=0.02,
        ),
        Prediction(
            "The scale does more than a small start: it is worth more than "
            "a point of accuracy over unscaled scores that start as small.",
            metric="accuracy",
            variant="scaled-512",
            against="small-start-512",
            above=0.01,
        ),
    ),
    would_change=(
        "A start with smaller weights is about as accurate here; so might be "
        "a network that learns its temperature. Neither that one nor deep "
        "stacks, where the start may soon be forgotten, are tried here."
    ),
    lesson="02_scaled_dot_product",
    quick=Profile(seeds=5, budget=BUDGET),
    full=Profile(seeds=10, budget=BUDGET),
)
