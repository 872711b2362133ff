"""Does (1 + M) T train where M T does not, and does its mask help at all?"""

from attncourse.trials.budget import Budget
from attncourse.trials.claim import ACCURACY, Claim, Prediction, Profile
from attncourse.trials.setups.residual_attention import VARIANTS, run

BUDGET = Budget(scenes=2000, epochs=4, test_scenes=1000, batch_size=32)

CLAIM = Claim(
    statement=(
        "Four stacked modules are more accurate with (1 + M) T than with M T."
    ),
    source=(
        "[Wang et al. (2017)](https://arxiv.org/abs/1704.06904), who say that "
        "stacked modules of M T lose accuracy."
    ),
    scene=(
        "Digits among fragments on 32 x 32 pixels; one or four modules in a "
        "row."
    ),
    variants=VARIANTS,
    control="trunk_x4",
    run=run,
    example=(1, 1, 32, 32),
    metrics={
        "accuracy": ACCURACY,
        "growth_at_start": (
            "size of the last map over that of the first, before training"
        ),
        "growth": "the same after training",
        "drop_shuffled": (
            "accuracy lost when all masks are shuffled over the positions"
        ),
    },
    predictions=(
        Prediction(
            "Four modules in a row: 1 + M is more accurate than M by more "
            "than two points.",
            metric="accuracy",
            variant="residual_x4",
            against="naive_x4",
            above=0.02,
        ),
        Prediction(
            "One module: 1 + M is more accurate than M.",
            metric="accuracy",
            variant="residual_x1",
            against="naive_x1",
            above=0.0,
        ),
        Prediction(
            "Four naive modules are less accurate than their trunk alone.",
            metric="accuracy",
            variant="trunk_x4",
            against="naive_x4",
            above=0.0,
        ),
        Prediction(
            "Four masks with 1 + M beat a trunk with as many multiply-adds.",
            metric="accuracy",
            variant="residual_x4",
            against="longer_trunk",
            above=0.0,
        ),
        Prediction(
            "The masks are a cause: shuffled over their positions they cost "
            "four residual modules more than ten points of accuracy.",
            metric="drop_shuffled",
            variant="residual_x4",
            against=None,
            above=0.1,
        ),
    ),
    would_change=(
        "Depth: with a single module the order of the two is another. A "
        "normalisation behind each module may do what the one does. The two "
        "also differ in scale, and a mask times a constant is not tried here."
    ),
    lesson="09_residual_and_multi_scale",
    quick=Profile(seeds=5, budget=BUDGET),
    full=Profile(seeds=10, budget=BUDGET),
)
