"""How much is a position code worth to a small vision transformer?"""

from attncourse.trials.budget import Budget
from attncourse.trials.claim import (
    ACCURACY,
    Claim,
    Prediction,
    Profile,
    gain,
)
from attncourse.trials.setups.positions import VARIANTS, run

BUDGET = Budget(scenes=1297, epochs=30, test_scenes=500, lr=3e-3)


CLAIM = Claim(
    statement=(
        "Codes of row and column make a small vision transformer more "
        "accurate on digits."
    ),
    source=(
        "[Vaswani et al. (2017)](https://arxiv.org/abs/1706.03762) and "
        "[Dosovitskiy et al. (2021)](https://arxiv.org/abs/2010.11929)."
    ),
    scene=(
        "The 8 x 8 digits of scikit-learn, cut into sixteen patches of 2 x 2 "
        "pixels; a small vision transformer. One split, 500 digits for the "
        "test."
    ),
    variants=VARIANTS,
    control="none",
    run=run,
    example=(1, 1, 8, 8),
    metrics={
        "accuracy": ACCURACY,
        "drop_shuffled": (
            "accuracy lost when the patches of all images are shuffled alike"
        ),
    },
    predictions=(
        gain(
            "Codes of row and column are worth more than ten points of "
            "accuracy over none.",
            "sinusoidal",
            "none",
            0.1,
        ),
        gain(
            "Codes of row and column beat codes in raster order by more "
            "than a point.",
            "sinusoidal",
            "raster",
            0.01,
        ),
        gain(
            "Learned codes lose less than two points to them.",
            "learned",
            "sinusoidal",
            -0.02,
        ),
        gain(
            "Relative positions lose less than two points to them.",
            "relative",
            "sinusoidal",
            -0.02,
        ),
        gain(
            "So do rotary ones.",
            "rotary",
            "sinusoidal",
            -0.02,
        ),
        gain(
            "The best of these transformers is more accurate than "
            "convolutions with about as many parameters: the one with codes "
            "of row and column.",
            "sinusoidal",
            "convolution",
            0.0,
        ),
        Prediction(
            "The codes are a cause: on shuffled patches the network that has "
            "them loses more than thirty points.",
            metric="drop_shuffled",
            variant="sinusoidal",
            against=None,
            above=0.3,
        ),
    ),
    would_change=(
        "Patches that show their position by themselves: with larger ones, or "
        "behind padded convolutions, less is left to gain."
    ),
    lesson="04_self_attention_and_position",
    quick=Profile(seeds=5, budget=BUDGET),
    full=Profile(seeds=10, budget=BUDGET),
)
