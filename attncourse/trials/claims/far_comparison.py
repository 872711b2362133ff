"""Can a network compare two cells of an image, and does it need attention?"""

from dataclasses import replace

from attncourse.trials.budget import Budget
from attncourse.trials.claim import ACCURACY, Claim, Prediction, Profile
from attncourse.trials.setups.same_different import VARIANTS, run

BUDGET = Budget(scenes=5000, epochs=6, lr=3e-3)

CLAIM = Claim(
    statement=(
        "Attention compares two distant cells of an image more accurately "
        "than 3 x 3 convolutions that see the whole grid."
    ),
    source=(
        "[Vaswani et al. (2017)](https://arxiv.org/abs/1706.03762) and "
        "[Wang et al. (2018)](https://arxiv.org/abs/1711.07971) argue that "
        "attention connects distant positions in one step; tutorials say that "
        "convolution is local and attention global."
    ),
    scene=(
        "Two digits in a grid of 5 x 5 cells of 8 pixels; the question is "
        "whether they are of one class. All networks share a cell encoder, "
        "trained on single digits and then frozen. They have about as many "
        "parameters, the 3 x 3 convolutions a third more."
    ),
    variants=VARIANTS,
    control="uniform",
    run=run,
    example=(1, 1, 40, 40),
    metrics={
        "accuracy": ACCURACY,
        "near": "accuracy on pairs up to two cells apart",
        "far": "accuracy on pairs three or four cells apart",
        "mass": (
            "share of its weight on other cells that a digit gives to the "
            "other digit, first block"
        ),
        "drop_shuffled": (
            "accuracy lost when the keys are shuffled over the cells"
        ),
    },
    predictions=(
        Prediction(
            "Attention beats 3 x 3 convolutions that have more parameters "
            "and see the whole grid by more than three points of accuracy.",
            metric="accuracy",
            variant="attention",
            against="convolution",
            above=0.03,
        ),
        Prediction(
            "It beats 9 x 9 convolutions in the same blocks by more than "
            "three points.",
            metric="accuracy",
            variant="attention",
            against="wide",
            above=0.03,
        ),
        Prediction(
            "Weights that depend on the content are worth more than three "
            "points over equal weights in the same blocks.",
            metric="accuracy",
            variant="attention",
            against="uniform",
            above=0.03,
        ),
        Prediction(
            "Mixing by equal weights is worth more than a point over no "
            "mixing.",
            metric="accuracy",
            variant="uniform",
            against="alone",
            above=0.01,
        ),
        Prediction(
            "Positions cost attention less than two points: the question "
            "does not depend on where the digits are.",
            metric="accuracy",
            variant="attention+positions",
            against="attention",
            above=-0.02,
        ),
        Prediction(
            "In the first block a digit gives more than half of its weight "
            "on other cells to the other digit.",
            metric="mass",
            variant="attention",
            against=None,
            above=0.5,
            kind="share",
        ),
        Prediction(
            "The weights are a cause: with shuffled keys the trained network "
            "loses more than ten points.",
            metric="drop_shuffled",
            variant="attention",
            against=None,
            above=0.1,
        ),
    ),
    would_change=(
        "Convolutions that compare as well. Those here see the whole grid, "
        "and are as accurate on distant pairs as on close ones; a deeper "
        "stack, or one that multiplies two cells, is not tried. The gap to "
        "the plain stack is what counts here, not that to chance."
    ),
    lesson="04_self_attention_and_position",
    quick=Profile(seeds=5, budget=replace(BUDGET, epochs=4)),
    full=Profile(seeds=10, budget=BUDGET),
)
