"""Is pooling by attention better than pooling without weights?"""

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
from attncourse.trials.setups.pooling import VARIANTS, run

BUDGET = Budget(scenes=3000, test_scenes=3000)

CLAIM = Claim(
    statement=(
        "Attention pooling with a learned query is more accurate than the "
        "generalised mean, which has one learned number."
    ),
    source=(
        "[Lee et al. (2019)](https://arxiv.org/abs/1810.00825) pool by "
        "learned queries and "
        "[Radford et al. (2021)](https://arxiv.org/abs/2103.00020) by the "
        "average as the query; the generalised mean is that of "
        "[Radenović et al. (2019)](https://arxiv.org/abs/1711.02512). "
        "Tutorials name attention pooling as a part of recognition networks."
    ),
    scene=(
        "A digit of 12, 16 or 24 pixels on 48 x 48, among about as many "
        "pixels of fragments whatever its size."
    ),
    variants=VARIANTS,
    control="gem",
    run=run,
    example=(1, 1, 48, 48),
    metrics={
        "accuracy": ACCURACY,
        "accuracy_12": "accuracy on digits of 12 pixels",
        "accuracy_16": "accuracy on digits of 16 pixels",
        "accuracy_24": "accuracy on digits of 24 pixels",
        "mass": MASS,
        "pointing": POINTING,
    },
    predictions=(
        Prediction(
            "A learned query with four heads is more accurate than the "
            "generalised mean, one parameter large, by more than one point.",
            metric="accuracy",
            variant="query4",
            against="gem",
            above=0.01,
        ),
        Prediction(
            "It is more accurate than the maximum by more than one point.",
            metric="accuracy",
            variant="query4",
            against="max",
            above=0.01,
        ),
        Prediction(
            "It is more accurate than the average behind as many parameters "
            "by more than one point.",
            metric="accuracy",
            variant="query4",
            against="average+mlp",
            above=0.01,
        ),
        Prediction(
            "The smallest digits need it: there it is more accurate than the "
            "generalised mean by more than one point.",
            metric="accuracy_12",
            variant="query4",
            against="gem",
            above=0.01,
        ),
        Prediction(
            "With one head, too, it is more accurate than the generalised "
            "mean by more than one point.",
            metric="accuracy",
            variant="query",
            against="gem",
            above=0.01,
        ),
        Prediction(
            "The average as the query is more accurate than the generalised "
            "mean by more than one point.",
            metric="accuracy",
            variant="clip",
            against="gem",
            above=0.01,
        ),
        Prediction(
            "Additive attention is more accurate than the generalised mean "
            "by more than one point.",
            metric="accuracy",
            variant="additive",
            against="gem",
            above=0.01,
        ),
        Prediction(
            "What attention has for sure is the sharper map: that of one "
            "head has at least a tenth more of its mass on the digit than "
            "the generalised mean's.",
            metric="mass",
            variant="query",
            against="gem",
            above=0.1,
        ),
    ),
    would_change=(
        "A network whose features keep several objects of one scene apart, "
        "so that somebody has to choose between them, or many more scenes: a "
        "softmax over positions starts nearly flat and has to be learned. "
        "Pilots with other seeds fixed budget and predictions; at half the "
        "rate attention and the generalised mean were both worse."
    ),
    lesson="03_additive_attention",
    quick=Profile(seeds=5, budget=replace(BUDGET, epochs=4)),
    full=Profile(seeds=10, budget=BUDGET),
)
