"""Does a spatial transformer put the digit upright, and does it pay?"""

from dataclasses import replace

from attncourse.trials.budget import Budget
from attncourse.trials.claim import ACCURACY, Claim, Prediction, Profile
from attncourse.trials.setups.spatial_transformer import VARIANTS, run

BUDGET = Budget(scenes=2500, epochs=6, lr=3e-3)

CLAIM = Claim(
    statement=(
        "On digits that wander and turn, a spatial transformer makes a small "
        "network more accurate than one that stays still."
    ),
    source=(
        "[Jaderberg et al. (2015)](https://arxiv.org/abs/1506.02025); surveys "
        "repeat it and add that the object is turned upright, which the "
        "further statements try."
    ),
    scene=(
        "Digits of 13 to 24 pixels anywhere on 40 x 40, turned by up to 60 "
        "degrees, alone or, in clutter, among six fragments of others. Those "
        "that are only turned have 28 pixels, stand in the middle and are "
        "turned by up to 90 degrees. A transformer hands on 20 x 20 pixels; "
        "networks without one see all 40 x 40. Poses are drawn anew in every "
        "epoch, so every variant is trained with rotated copies."
    ),
    variants=VARIANTS,
    control="still",
    run=run,
    example=(1, 1, 40, 40),
    metrics={
        "accuracy": ACCURACY,
        "angle_r": (
            "correlation of the predicted angle and the one that would undo "
            "the turn"
        ),
        "angle_error": "mean angle that is left, in degrees",
        "hit": "share of scenes whose frame is centred on the digit",
        "mass": "share of what the frame reads inside the ground-truth mask",
        "drop_not_turned": "accuracy lost when the frame is not turned",
    },
    predictions=(
        Prediction(
            "The transformer beats the same network with a transformer that "
            "stays still by more than five points of accuracy.",
            metric="accuracy",
            variant="stn",
            against="still",
            above=0.05,
        ),
        Prediction(
            "The transformer is more accurate than a CNN with global max "
            "pooling.",
            metric="accuracy",
            variant="stn",
            against="max",
            above=0.0,
        ),
        Prediction(
            "In clutter, the transformer is more accurate than a CNN with "
            "global max pooling.",
            metric="accuracy",
            variant="stn-clutter",
            against="max-clutter",
            above=0.0,
        ),
        Prediction(
            "The predicted angle goes with the one that would undo the turn: "
            "their correlation is above 0.5.",
            metric="angle_r",
            variant="stn",
            against=None,
            above=0.5,
            kind="correlation",
        ),
        Prediction(
            "So it does in clutter: their correlation is above 0.5.",
            metric="angle_r",
            variant="stn-clutter",
            against=None,
            above=0.5,
            kind="correlation",
        ),
        Prediction(
            "An angle to choose gains more than one point over a transformer "
            "that chooses location and zoom only.",
            metric="accuracy",
            variant="stn",
            against="stn-upright",
            above=0.01,
        ),
        Prediction(
            "A transformer gains the CNN with global max pooling more than "
            "one point.",
            metric="accuracy",
            variant="stn-max",
            against="max",
            above=0.01,
        ),
        Prediction(
            "So it does where digits are only turned: their correlation is "
            "above 0.5.",
            metric="angle_r",
            variant="turned-stn-perceptron",
            against=None,
            above=0.5,
            kind="correlation",
        ),
        Prediction(
            "Where digits are only turned, a transformer gains a perceptron "
            "more than five points.",
            metric="accuracy",
            variant="turned-stn-perceptron",
            against="turned-perceptron",
            above=0.05,
        ),
        Prediction(
            "Where digits are only turned, a transformer gains a CNN with "
            "global max pooling more than one point.",
            metric="accuracy",
            variant="turned-stn-max",
            against="turned-max",
            above=0.01,
        ),
        Prediction(
            "The angle is a cause: reading upright, at the predicted "
            "location and zoom, costs more than five points.",
            metric="drop_not_turned",
            variant="stn",
            against=None,
            above=0.05,
        ),
    ),
    would_change=(
        "A control that is indifferent to location by itself, as global max "
        "pooling is, takes most of the gain away, and is ahead in clutter. "
        "The correlation of the angles is above 0.5 here only where a "
        "perceptron reads digits that are only turned; pilots with twice as "
        "many scenes and another localisation network saw the angle followed "
        "in other settings, too. A correlation says that the angle is "
        "followed, not how much of it is undone: see `angle_error`."
    ),
    lesson="10_spatial_transformer",
    quick=Profile(seeds=5, budget=replace(BUDGET, epochs=3)),
    full=Profile(seeds=10, budget=BUDGET),
)
