"""Would the accuracy show a softmax over the wrong axis?"""

from attncourse.trials.budget import Budget
from attncourse.trials.claim import (
    ACCURACY,
    MASS,
    POINTING,
    Claim,
    Prediction,
    Profile,
)
from attncourse.trials.setups.additive_pooling import VARIANTS, run

TRIED = ("attention", "column", "average", "max")

CLAIM = Claim(
    statement=(
        "A softmax over the wrong axis costs additive pooling more than three"
        " points of accuracy."
    ),
    source=(
        "A tutorial on recognition normalises its weights over the columns of "
        "the map and divides by their number; its formula, that of "
        "[Bahdanau et al. (2015)](https://arxiv.org/abs/1409.0473), has one "
        "softmax over all positions."
    ),
    scene=(
        "A digit of 16 pixels among ten fragments of other digits, on "
        "60 x 60 pixels: the runs are those of additive-gain. The wrong layer "
        "has a softmax in each column and does not divide, so that its "
        "weights sum to the number of columns."
    ),
    variants={name: VARIANTS[name] for name in TRIED},
    control="attention",
    run=run,
    example=(1, 1, 60, 60),
    metrics={
        "accuracy": ACCURACY,
        "mass": MASS,
        "pointing": POINTING,
    },
    predictions=(
        Prediction(
            "The right axis is worth more than three points of accuracy.",
            metric="accuracy",
            variant="attention",
            against="column",
            above=0.03,
        ),
        Prediction(
            "It is worth more than half of the mass on the digit.",
            metric="mass",
            variant="attention",
            against="column",
            above=0.5,
        ),
        Prediction(
            "The map with the wrong axis peaks on the digit in more than "
            "nine of ten scenes.",
            metric="pointing",
            variant="column",
            against=None,
            above=0.9,
            kind="share",
        ),
    ),
    would_change=(
        "A task in which the pooled vector must be clean, such as retrieval, "
        "or a smaller object: every column spends its share somewhere."
    ),
    lesson="03_additive_attention",
    quick=Profile(seeds=5, budget=Budget(epochs=4)),
    full=Profile(seeds=10, budget=Budget()),
)
