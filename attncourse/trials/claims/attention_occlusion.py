"""Does attention help when a part of the object is covered?"""

from attncourse.trials.budget import Budget
from attncourse.trials.claim import ACCURACY, Claim, Prediction, Profile
from attncourse.trials.setups.occlusion import VARIANTS, run

CLAIM = Claim(
    statement=(
        "Under black squares on the object, attention pooling retains more of"
        " its accuracy than max pooling."
    ),
    source=(
        "Said of attention in general. The nearest evidence is about vision "
        "transformers "
        "([Naseer et al., 2021](https://arxiv.org/abs/2105.10497)); training "
        "with squares is random erasing "
        "([Zhong et al., 2020](https://arxiv.org/abs/1708.04896))."
    ),
    scene=(
        "A digit of 16 pixels among six fragments of others, on 40 x 40 "
        "pixels. In the test, a black or a grey square of 4, 6, 8 or 11 "
        "pixels covers a part of the digit's box, or of the background "
        "beside it. Variants trained with squares have one of any grey on the "
        "digit in half of their scenes."
    ),
    variants=VARIANTS,
    control="average+mlp",
    run=run,
    example=(1, 1, 40, 40),
    metrics={
        "retained": (
            "accuracy under black squares on the digit, mean over four sizes, "
            "divided by that without"
        ),
        "accuracy": ACCURACY,
        "retained_grey": "the same under grey squares",
        "retained_beside": "the same under black squares on the background",
        "retained_grey_beside": (
            "the same under grey squares on the background"
        ),
        "spared": (
            "share of the map in a square of 8 pixels that it takes away when "
            "the square is covered"
        ),
    },
    predictions=(
        Prediction(
            "Under squares on the digit, attention retains a larger part of "
            "its accuracy than global max pooling, by more than two points.",
            metric="retained",
            variant="attention",
            against="max",
            above=0.02,
        ),
        Prediction(
            "It retains more than averaging with as many parameters, by "
            "more than two points.",
            metric="retained",
            variant="attention",
            against="average+mlp",
            above=0.02,
        ),
        Prediction(
            "With grey squares, which are seen as something, attention "
            "retains more than max pooling by more than two points.",
            metric="retained_grey",
            variant="attention",
            against="max",
            above=0.02,
        ),
        Prediction(
            "The same squares on the background cost attention less than "
            "one point.",
            metric="retained_beside",
            variant="attention",
            against=None,
            above=0.99,
        ),
        Prediction(
            "Grey squares on the background cost it less than one point.",
            metric="retained_grey_beside",
            variant="attention",
            against=None,
            above=0.99,
        ),
        Prediction(
            "Training with squares gains more than attention does: max "
            "pooling trained with them retains more than attention without, "
            "by more than two points.",
            metric="retained",
            variant="max+squares",
            against="attention",
            above=0.02,
        ),
        Prediction(
            "Trained with squares, attention looks away: its map takes more "
            "than a quarter of its mass out of a square once that is "
            "covered.",
            metric="spared",
            variant="attention+squares",
            against=None,
            above=0.25,
            kind="share",
        ),
        Prediction(
            "Looking away takes attention: the map of max pooling, trained "
            "alike, takes away less, by more than a tenth.",
            metric="spared",
            variant="attention+squares",
            against="max+squares",
            above=0.1,
        ),
    ),
    would_change=(
        "A wider gap to max pooling under squares on the digit. Here every "
        "part of the digit is read once; where an object shows its class in "
        "several parts, looking elsewhere could pay. One pilot run, which "
        "is not among the seeds, fixed the budget and the last predictions."
    ),
    lesson="03_additive_attention",
    quick=Profile(seeds=5, budget=Budget(epochs=4)),
    full=Profile(seeds=10, budget=Budget(epochs=4)),
)
