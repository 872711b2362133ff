"""Does attention to the channels find the regions that matter?"""

from dataclasses import replace

from attncourse.trials.budget import Budget
from attncourse.trials.claim import (
    ACCURACY,
    MASS,
    POINTING,
    Claim,
    Prediction,
    Profile,
)
from attncourse.trials.setups.channel_regions import VARIANTS, run

BUDGET = Budget(scenes=3000)

CLAIM = Claim(
    statement=(
        "With the pooled vector normalised, the gates of "
        "squeeze-and-excitation move the energy of the last map onto the "
        "digit."
    ),
    source=(
        "Tutorials on channel attention say that it makes a network focus on "
        "the key regions; "
        "[Hu et al. (2018)](https://arxiv.org/abs/1709.01507) claim no more "
        "than a new weighting of the features."
    ),
    scene=(
        "A digit of 16 pixels among six fragments of others, on 48 x 48 "
        "pixels. The map of a gated network, and of the wider one, is the "
        "energy of its last map: the sum of the squared features of each "
        "position. Global max pooling has its class activation map, additive "
        "attention its weights."
    ),
    variants=VARIANTS,
    control="wider",
    run=run,
    example=(1, 1, 48, 48),
    metrics={
        "gained_mass": (
            "share of the energy on the digit behind the gates, minus that in "
            "front of them"
        ),
        "mass": MASS,
        "pointing": POINTING,
        "accuracy": ACCURACY,
        "cam_mass": (
            "share of the class activation map inside the ground-truth mask"
        ),
    },
    predictions=(
        Prediction(
            "The gates of squeeze-and-excitation move the energy to the "
            "digit: more than five hundredths of it come to lie there that "
            "did not in front of them.",
            metric="gained_mass",
            variant="se+norm",
            against=None,
            above=0.05,
        ),
        Prediction(
            "So do they without a normalised average, where they tend to "
            "stand open.",
            metric="gained_mass",
            variant="se",
            against=None,
            above=0.05,
        ),
        Prediction(
            "So does CBAM's gate of the channels, which knows their maxima.",
            metric="gained_mass",
            variant="channel",
            against=None,
            above=0.05,
        ),
        Prediction(
            "The network with squeeze-and-excitation has five hundredths "
            "more of its energy on the digit than a wider one without.",
            metric="mass",
            variant="se",
            against="wider",
            above=0.05,
        ),
        Prediction(
            "So has the network with gates behind each convolution.",
            metric="mass",
            variant="se-everywhere",
            against="wider",
            above=0.05,
        ),
        Prediction(
            "So has the network with CBAM's gate of the channels.",
            metric="mass",
            variant="channel",
            against="wider",
            above=0.05,
        ),
        Prediction(
            "Weights over positions find the digit better: the map of "
            "additive "
            "attention has at least a fifth more of its mass on it than "
            "the energy behind squeeze-and-excitation.",
            metric="mass",
            variant="additive",
            against="se",
            above=0.2,
        ),
        Prediction(
            "The energy behind CBAM peaks on the digit more often than that "
            "behind squeeze-and-excitation, by more than one point.",
            metric="pointing",
            variant="cbam",
            against="se",
            above=0.01,
        ),
        Prediction(
            "Squeeze-and-excitation is more accurate than the wider network "
            "by more than one point.",
            metric="accuracy",
            variant="se",
            against="wider",
            above=0.01,
        ),
    ),
    would_change=(
        "Objects that the average of a map tells from their surroundings, "
        "so that closing channels closes the surroundings, or gates trained "
        "on a task with a cue. Pilots with other seeds fixed the budget, the "
        "predictions and the normalised average; in them the best single "
        "channel of a scene had a larger share on the digit than the whole "
        "map, so that gates could do better than they learn to."
    ),
    lesson="05_squeeze_excitation",
    quick=Profile(seeds=5, budget=replace(BUDGET, epochs=4)),
    full=Profile(seeds=10, budget=BUDGET),
)
