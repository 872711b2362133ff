"""Does the scale that a position chooses follow the size of the object?"""

from attncourse.trials.budget import Budget
from attncourse.trials.claim import ACCURACY, Claim, Prediction, Profile
from attncourse.trials.setups.multi_scale import VARIANTS, run

BUDGET = Budget(scenes=2000, epochs=5, test_scenes=1200)

CLAIM = Claim(
    statement=(
        "Attention over two scales is more accurate than a plain mean of them"
        " in a wider network."
    ),
    source=(
        "[Chen et al. (2016)](https://arxiv.org/abs/1511.03339); surveys name "
        "the mechanism without numbers."
    ),
    scene=(
        "Digits of 12 to 32 pixels among four fragments that grow with "
        "them, on 48 x 48 pixels. Behind two convolutions a network sees its "
        "map at full scale, at half of it, or at both."
    ),
    variants=VARIANTS,
    control="wider_mean",
    run=run,
    example=(1, 1, 48, 48),
    metrics={
        "accuracy": ACCURACY,
        "accuracy_small": "accuracy on digits of 12 and 16 pixels",
        "accuracy_large": "accuracy on digits of 28 and 32 pixels",
        "follows_size": (
            "rank correlation of the coarse view's share on the digit and the "
            "size of the digit"
        ),
        "drop_exchanged": (
            "accuracy lost when the two views exchange their shares"
        ),
    },
    predictions=(
        Prediction(
            "Attention over scales is more accurate than a wider network "
            "with the mean of the views.",
            metric="accuracy",
            variant="attention",
            against="wider_mean",
            above=0.0,
        ),
        Prediction(
            "The coarse share on the digit follows its size: rank "
            "correlation above 0.3.",
            metric="follows_size",
            variant="attention",
            against=None,
            above=0.3,
            kind="correlation",
        ),
        Prediction(
            "Attention over scales is more accurate than the maximum of the "
            "views.",
            metric="accuracy",
            variant="attention",
            against="max",
            above=0.0,
        ),
        Prediction(
            "Two views are more accurate than the fine one alone on large "
            "digits: the mean against scale 1.",
            metric="accuracy_large",
            variant="mean",
            against="fine",
            above=0.0,
        ),
        Prediction(
            "The shares are a cause: exchanged between the scales they cost "
            "more than five points of accuracy.",
            metric="drop_exchanged",
            variant="attention",
            against=None,
            above=0.05,
        ),
    ),
    would_change=(
        "A task with one answer for each pixel, as in the paper, where near "
        "and far objects stand in one image."
    ),
    lesson="09_residual_and_multi_scale",
    quick=Profile(seeds=5, budget=BUDGET),
    full=Profile(seeds=10, budget=BUDGET),
)
