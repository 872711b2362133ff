"""Does the larger kernel gain weight when the object grows?"""

from attncourse.trials.budget import Budget
from attncourse.trials.claim import ACCURACY, Claim, Prediction, Profile
from attncourse.trials.setups.selective_kernel import VARIANTS, run

CLAIM = Claim(
    statement=(
        "The larger the object, the more weight a selective kernel gives to "
        "the larger of its kernels."
    ),
    source=(
        "[Li et al. (2019)](https://arxiv.org/abs/1903.06586), with curves of "
        "the weight against the size."
    ),
    scene=(
        "One digit of 10 to 26 pixels anywhere on an empty canvas of 40 x 40."
    ),
    variants=VARIANTS,
    control="sum",
    run=run,
    example=(1, 1, 40, 40),
    metrics={
        "accuracy": ACCURACY,
        "rank": (
            "rank correlation of the second branch's weight and the digit's "
            "size"
        ),
        "growth": (
            "weight of the second branch on digits of 24 pixels, minus that on"
            " the same of 12"
        ),
        "drop_shuffled": "accuracy lost with the weights of another scene",
    },
    predictions=(
        Prediction(
            "The larger the digit, the more weight has the larger kernel: "
            "rank correlation above 0.3.",
            metric="rank",
            variant="selective",
            against=None,
            above=0.3,
            kind="correlation",
        ),
        Prediction(
            "This takes two reaches: with kernels 3 and 3 the second branch "
            "has a rank correlation lower by more than 0.3.",
            metric="rank",
            variant="selective",
            against="small",
            above=0.3,
        ),
        Prediction(
            "The same digit, twice as large and in the middle, raises the "
            "weight of the larger kernel.",
            metric="growth",
            variant="selective",
            against=None,
            above=0.0,
        ),
        Prediction(
            "Selecting beats adding, with as many parameters, by more than "
            "one point of accuracy.",
            metric="accuracy",
            variant="selective",
            against="sum",
            above=0.01,
        ),
        Prediction(
            "Two reaches beat the larger one taken twice by more than one "
            "point.",
            metric="accuracy",
            variant="selective",
            against="large",
            above=0.01,
        ),
        Prediction(
            "Selecting beats adding the same branches without weights, "
            "which takes fewer parameters, by more than one point.",
            metric="accuracy",
            variant="selective",
            against="plain",
            above=0.01,
        ),
        Prediction(
            "A softmax over the channels instead of the branches costs more "
            "than one point.",
            metric="accuracy",
            variant="selective",
            against="wrong",
            above=0.01,
        ),
        Prediction(
            "The weights are a cause: with those of another scene the "
            "network loses more than two points of accuracy.",
            metric="drop_shuffled",
            variant="selective",
            against=None,
            above=0.02,
        ),
    ),
    would_change=(
        "Several blocks in a deep network, as in the paper, where the next "
        "blocks can build on the choice."
    ),
    lesson="06_selective_kernel",
    quick=Profile(seeds=5, budget=Budget(3000, 4, 1000)),
    full=Profile(seeds=10, budget=Budget(3000, 6, 1000)),
)
