"""Do channel gates help, do they follow the cue, and are they needed?"""

from attncourse.trials.budget import Budget
from attncourse.trials.claim import Claim, Prediction, Profile
from attncourse.trials.runs import Arm
from attncourse.trials.setups.squeeze_excitation import ARMS, LEFT, SIDE, run

CLAIM = Claim(
    statement=(
        "Squeeze-and-excitation improves a network clearly, for few "
        "parameters."
    ),
    origin="001-23, 003-16",
    source="{cite:t}`hu2018`; two articles repeat it for any network.",
    scene=(
        "A tinted texture (a piece of a photograph) at the right and a dot "
        "at the left that asks for its texture or its tint; between them "
        "lies more than a window of the last layer."
    ),
    arms={name: Arm(label, build) for name, (label, build) in ARMS.items()},
    control="plain",
    run=run,
    example=(1, 3, SIDE, LEFT + SIDE),
    metrics=("accuracy", "follows_cue", "obeys_twin"),
    predictions=(
        Prediction(
            "Squeeze-and-excitation beats average pooling by more than "
            "twenty points of accuracy.",
            metric="accuracy",
            arm="se",
            against="plain",
            above=0.2,
        ),
        Prediction(
            "As many parameters in a wider plain network gain less than "
            "five points.",
            metric="accuracy",
            arm="plain",
            against="wider",
            above=-0.05,
        ),
        Prediction(
            "Squeeze-and-excitation is more accurate than a hidden layer "
            "behind the average, which has no gates.",
            metric="accuracy",
            arm="se",
            against="hidden",
            above=0.0,
        ),
        Prediction(
            "Squeeze-and-excitation beats softmax gates of the same scale "
            "by more than one point.",
            metric="accuracy",
            arm="se",
            against="softmax",
            above=0.01,
        ),
        Prediction(
            "Sigmoid gates from one layer beat softmax gates from one layer "
            "by more than one point.",
            metric="accuracy",
            arm="sigmoid",
            against="softmax",
            above=0.01,
        ),
        Prediction(
            "Softmax gates without the factor C lose more than five points "
            "against those with it.",
            metric="accuracy",
            arm="softmax",
            against="softmax-raw",
            above=0.05,
        ),
        Prediction(
            "More than half of the variance of the gates of squeeze-and-"
            "excitation follows the cue.",
            metric="follows_cue",
            arm="se",
            against=None,
            above=0.5,
        ),
        Prediction(
            "The gates are a cause: with the gates of its twin a scene is "
            "answered as the twin in more than half of the cases.",
            metric="obeys_twin",
            arm="se",
            against=None,
            above=0.5,
        ),
    ),
    would_change=(
        "The scene is made so that one cue decides what every channel means. "
        "Where nothing has to be gated, as on plain digits, the pilots of "
        "this course saw no gain."
    ),
    lesson="05_squeeze_excitation",
    quick=Profile(seeds=5, budget=Budget(3000, 24, 2000, 64, 5e-3)),
    full=Profile(seeds=5, budget=Budget(3000, 24, 2000, 64, 5e-3)),
)
