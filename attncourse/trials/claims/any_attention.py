"""Does a network become more accurate, whichever attention is added?"""

from dataclasses import replace

from attncourse.trials.budget import Budget
from attncourse.trials.claim import ACCURACY, MASS, Claim, Prediction, Profile
from attncourse.trials.setups.which_attention import (
    CONTROLS,
    VARIANTS,
    run,
)

WIDE = {"wider": "a wider", "widest": "the widest"}
BUDGET = Budget(scenes=2500, epochs=6, test_scenes=1000)


def named(variant: str) -> str:
    """Label of a variant, for the beginning of a sentence."""
    label = VARIANTS[variant].label
    return label[0].upper() + label[1:]


CLAIM = Claim(
    statement=(
        "The attention that suits these scenes best, additive pooling, makes "
        "a small network more accurate than max pooling, which is no "
        "attention."
    ),
    source=(
        "Surveys and tutorials say that attention makes networks more "
        "accurate, whichever it is; each mechanism's own paper says it of "
        "that mechanism, on large data. The further statements go through "
        "them one by one."
    ),
    scene=(
        "A digit of 16 pixels among eight fragments of others, on 40 x 40 "
        "pixels; one small trunk, one linear head, every mechanism in its "
        "usual position."
    ),
    variants=VARIANTS,
    control="widest",
    run=run,
    example=(1, 1, 40, 40),
    metrics={
        "accuracy": ACCURACY,
        "mass": MASS,
        "cam_mass": (
            "share of the class activation map inside the ground-truth mask"
        ),
        "drop_deleted": (
            "accuracy lost when the window the map points at is black"
        ),
    },
    predictions=(
        Prediction(
            "The attention that suits these scenes best by the lessons "
            "before, additive pooling, beats max pooling, which is no "
            "attention, by more than a point of accuracy.",
            metric="accuracy",
            variant="additive",
            against="max",
            above=0.01,
        ),
        *(
            Prediction(
                f"{named(variant)}: more accurate than {WIDE[plain]} plain "
                f"network, which costs no less, by more than a point.",
                metric="accuracy",
                variant=variant,
                against=plain,
                above=0.01,
            )
            for variant, plain in CONTROLS.items()
        ),
        Prediction(
            "Max pooling beats the widest plain network by more than a point.",
            metric="accuracy",
            variant="max",
            against="widest",
            above=0.01,
        ),
        Prediction(
            "The generalised mean, with one learned number, loses less than "
            "a point to additive pooling.",
            metric="accuracy",
            variant="gem",
            against="additive",
            above=-0.01,
        ),
        Prediction(
            "What max pooling does not give is the map: that of additive "
            "pooling has more of its mass on the digit, by more than a fifth "
            "of the whole.",
            metric="mass",
            variant="additive",
            against="max",
            above=0.2,
        ),
        Prediction(
            "A map on the digit need not mean accuracy: more than half of "
            "what the positions of self-attention receive is on the digit, "
            "too.",
            metric="mass",
            variant="self-attention",
            against=None,
            above=0.5,
            kind="share",
        ),
    ),
    would_change=(
        "Scenes whose answer does not hang on one small object, several "
        "layers with attention, more data or longer training. Two runs with "
        "seeds of their own, looked at beforehand, set the size of the "
        "canvas and the transformer's first zoom."
    ),
    lesson="14_which_attention",
    quick=Profile(seeds=5, budget=replace(BUDGET, epochs=3)),
    full=Profile(seeds=10, budget=BUDGET),
)
