"""Does a block of self-attention help convolutions to compare two cells?"""

from dataclasses import replace

from attncourse.trials.budget import Budget
from attncourse.trials.claim import (
    ACCURACY,
    Claim,
    Prediction,
    Profile,
    gain,
)
from attncourse.trials.setups.pairwise_on_maps import VARIANTS, run

BUDGET = Budget(scenes=4000, epochs=5, lr=3e-3)


CLAIM = Claim(
    statement=(
        "A block of self-attention behind each of three stages of "
        "convolutions is more accurate than one behind the first."
    ),
    source=(
        "[Zhang et al. (2019)](https://arxiv.org/abs/1805.08318) and "
        "[Wang et al. (2018)](https://arxiv.org/abs/1711.07971) put it at one "
        "stage or at few; tutorials stack it behind every layer."
    ),
    scene=(
        "Two digits in a grid of 5 x 5 cells of 8 pixels; are they of one "
        "class? Three stages of residual convolutions work on a map of the "
        "5 x 5 cells."
    ),
    variants=VARIANTS,
    control="none",
    run=run,
    example=(1, 1, 40, 40),
    metrics={
        "accuracy": ACCURACY,
        "near": "accuracy on pairs up to two cells apart",
        "far": "accuracy on pairs three or four cells apart",
        "peak_mib": (
            "most memory of a step of training beyond the parameters, in MiB"
        ),
        "mass": (
            "share of its weight on other cells that a digit gives to the "
            "other digit, first block"
        ),
        "drop_shuffled": (
            "accuracy lost when the keys are shuffled over the positions"
        ),
    },
    predictions=(
        gain(
            "A SAGAN block behind every stage is better than one by more than "
            "a point.",
            "sagan-every",
            "sagan",
            0.01,
        ),
        gain(
            "One SAGAN block is worth more than a point of accuracy.",
            "sagan",
            "none",
            0.01,
        ),
        gain(
            "More than a point of it is due to the choice of the weights, "
            "not to a mean over all positions.",
            "sagan",
            "uniform",
            0.01,
        ),
        gain(
            "One non-local block is worth more than a point.",
            "non-local",
            "none",
            0.01,
        ),
        gain(
            "Gamma at zero costs less than a point against gamma at one.",
            "sagan",
            "sagan-open",
            -0.01,
        ),
        gain(
            "A softmax over the queries costs less than two points: the "
            "accuracy hardly shows it.",
            "queries",
            "sagan",
            -0.02,
        ),
        Prediction(
            "A digit gives more than a quarter of its weight on other cells "
            "to the other digit.",
            metric="mass",
            variant="sagan",
            against=None,
            above=0.25,
            kind="share",
        ),
        Prediction(
            "The weights are a cause: with shuffled keys the network loses "
            "more than five points.",
            metric="drop_shuffled",
            variant="sagan",
            against=None,
            above=0.05,
        ),
        gain(
            "A non-local block behind every stage is better than one by more "
            "than a point.",
            "non-local-every",
            "non-local",
            0.01,
        ),
        gain(
            "One SAGAN block is worth more than a point more than a "
            "convolution in its place, with as many parameters.",
            "sagan",
            "convolution",
            0.01,
        ),
    ),
    would_change=(
        "A task in which the convolutions reach less far: here six of them "
        "see the whole map. Or a longer training: gamma begins at zero and "
        "may open late. The budget was fixed by pilots with two stages."
    ),
    lesson="08_self_attention_on_maps",
    quick=Profile(seeds=5, budget=replace(BUDGET, epochs=3)),
    full=Profile(seeds=10, budget=BUDGET),
)
