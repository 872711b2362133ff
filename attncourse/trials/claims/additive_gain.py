"""Does additive pooling find the digit, and would accuracy show it?"""

from dataclasses import replace

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

BUDGET = Budget()

CLAIM = Claim(
    statement=(
        "Where a digit stands among clutter, additive attention pooling makes"
        " a small network more accurate than averaging with as many "
        "parameters."
    ),
    source=(
        "[Ilse et al. (2018)](https://arxiv.org/abs/1802.04712) and "
        "[Bahdanau et al. (2015)](https://arxiv.org/abs/1409.0473) have the "
        "score; tutorials on recognition say that accuracy rises because the "
        "network looks at the key regions."
    ),
    scene=(
        "A digit of 16 pixels among ten fragments of other digits, on 60 x "
        "60 pixels."
    ),
    variants=VARIANTS,
    control="average",
    run=run,
    example=(1, 1, 60, 60),
    metrics={
        "accuracy": ACCURACY,
        "mass": MASS,
        "pointing": POINTING,
        "drop_shuffled": (
            "accuracy lost when the weights are shuffled over the positions"
        ),
    },
    predictions=(
        Prediction(
            "Additive attention beats averaging with as many parameters by "
            "more than two points of accuracy.",
            metric="accuracy",
            variant="attention",
            against="average+mlp",
            above=0.02,
        ),
        Prediction(
            "Additive attention is more accurate than global max pooling, "
            "which needs no attention.",
            metric="accuracy",
            variant="attention",
            against="max",
            above=0.0,
        ),
        Prediction(
            "A softmax per column costs less than three points of accuracy.",
            metric="accuracy",
            variant="column",
            against="attention",
            above=-0.03,
        ),
        Prediction(
            "A softmax per column costs more than half of the mass on the "
            "digit.",
            metric="mass",
            variant="attention",
            against="column",
            above=0.5,
        ),
        Prediction(
            "The map of additive attention is a cause: with its weights "
            "shuffled the network loses more than ten points of accuracy.",
            metric="drop_shuffled",
            variant="attention",
            against=None,
            above=0.1,
        ),
    ),
    would_change=(
        "The margin against averaging with as many parameters, or a control "
        "that needs no attention: the maximum is one and belongs beside "
        "every such result."
    ),
    lesson="03_additive_attention",
    quick=Profile(seeds=5, budget=replace(BUDGET, epochs=4)),
    full=Profile(seeds=10, budget=BUDGET),
)
