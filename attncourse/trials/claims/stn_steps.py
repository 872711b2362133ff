"""Are several steps of a spatial transformer better than one?"""

from dataclasses import replace

from attncourse.trials.budget import Budget
from attncourse.trials.claim import ACCURACY, Claim, Prediction, Profile
from attncourse.trials.setups.spatial_transformer import STEPS, run

BUDGET = Budget(scenes=2500, epochs=6, lr=3e-3)

CLAIM = Claim(
    statement=(
        "A spatial transformer that corrects its frame in four steps is more "
        "accurate than one that predicts it at once."
    ),
    source=(
        "[Lin and Lucey (2017)](https://arxiv.org/abs/1612.03897), with one "
        "network for all steps; surveys name refinement as the better "
        "alternative to the single step."
    ),
    scene=(
        "Digits of 13 to 24 pixels anywhere on 40 x 40, turned by up to 60 "
        "degrees."
    ),
    variants=STEPS,
    control="stn",
    run=run,
    example=(1, 1, 40, 40),
    metrics={
        "accuracy": ACCURACY,
        "accuracy_far": (
            "accuracy in the third of the scenes that is farthest from the "
            "mean pose"
        ),
        "angle_r": (
            "correlation of the predicted angle and the one that would undo "
            "the turn"
        ),
        "lost": (
            "share of the ink that lies outside of a frame that is sampled"
        ),
    },
    predictions=(
        Prediction(
            "Four steps, with the parameters of one, beat one step by more "
            "than one point of accuracy.",
            metric="accuracy",
            variant="stn-4",
            against="stn",
            above=0.01,
        ),
        Prediction(
            "Two steps beat one step by more than one point.",
            metric="accuracy",
            variant="stn-2",
            against="stn",
            above=0.01,
        ),
        Prediction(
            "Four steps beat one step of as many multiply-adds by more than "
            "one point.",
            metric="accuracy",
            variant="stn-4",
            against="stn-wide",
            above=0.01,
        ),
        Prediction(
            "In the third of the scenes whose digits are farthest from the "
            "mean pose, four steps beat one by more than two points.",
            metric="accuracy_far",
            variant="stn-4",
            against="stn",
            above=0.02,
        ),
        Prediction(
            "Composing two steps beats sampling twice by more than one point.",
            metric="accuracy",
            variant="stn-2",
            against="stn-twice",
            above=0.01,
        ),
        Prediction(
            "Sampling twice loses more of the ink at the border than "
            "composing, by more than one of a hundred.",
            metric="lost",
            variant="stn-twice",
            against="stn-2",
            above=0.01,
        ),
        Prediction(
            "With four steps the predicted angle goes with the one that would "
            "undo the turn: their correlation is above 0.5.",
            metric="angle_r",
            variant="stn-4",
            against=None,
            above=0.5,
            kind="correlation",
        ),
    ),
    would_change=(
        "The length of the training: a longer trial, seen before these "
        "predictions were written, had less than the margin for a second "
        "step; the shorter one here has more. Alignment that is itself the "
        "task may gain more."
    ),
    lesson="10_spatial_transformer",
    quick=Profile(seeds=5, budget=replace(BUDGET, epochs=3)),
    full=Profile(seeds=10, budget=BUDGET),
)
