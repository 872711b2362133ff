"""Does REINFORCE learn where to look, and does a gradient do it better?"""

from attncourse.trials.budget import Budget
from attncourse.trials.claim import ACCURACY, Claim, Prediction, Profile
from attncourse.trials.setups.glimpses import VARIANTS, run

CLAIM = Claim(
    statement=(
        "Trained by REINFORCE, a network that looks by glimpses is more "
        "accurate than with glimpses at random."
    ),
    source=(
        "[Mnih et al. (2014)](https://arxiv.org/abs/1406.6247); surveys "
        "repeat it."
    ),
    scene=(
        "A digit of 16 pixels anywhere on 40 x 40, without clutter; five "
        "glimpses of 8 and 16 pixels."
    ),
    variants=VARIANTS,
    control="random",
    run=run,
    example=(1, 1, 40, 40),
    metrics={
        "accuracy": ACCURACY,
        "hit": "share of scenes whose last glimpse is centred on the digit",
        "mass": "share of the last glimpse's map inside the ground-truth mask",
        "drop_others": "accuracy lost with the locations of another image",
    },
    predictions=(
        Prediction(
            "REINFORCE is more accurate than glimpses at random.",
            metric="accuracy",
            variant="reinforce",
            against="random",
            above=0.0,
        ),
        Prediction(
            "REINFORCE is more accurate than glimpses at the centre.",
            metric="accuracy",
            variant="reinforce",
            against="centre",
            above=0.0,
        ),
        Prediction(
            "REINFORCE has its last glimpse on the digit more often than "
            "glimpses at random, by more than ten points.",
            metric="hit",
            variant="reinforce",
            against="random",
            above=0.1,
        ),
        Prediction(
            "The same glimpses trained by a gradient are more accurate than "
            "by REINFORCE, by more than five points.",
            metric="accuracy",
            variant="differentiable",
            against="reinforce",
            above=0.05,
        ),
        Prediction(
            "Trained by a gradient, the last glimpse is on the digit in more "
            "than nine of ten scenes.",
            metric="hit",
            variant="differentiable",
            against=None,
            above=0.9,
            kind="share",
        ),
        Prediction(
            "The differentiable glimpses are more accurate than the rule that "
            "puts every glimpse at the centre of the ink.",
            metric="accuracy",
            variant="differentiable",
            against="ink",
            above=0.0,
        ),
        Prediction(
            "The differentiable locations are a cause: with those of another "
            "image the network loses more than twenty points.",
            metric="drop_others",
            variant="differentiable",
            against=None,
            above=0.2,
        ),
    ),
    would_change=(
        "The length of the training: REINFORCE starts slowly, and a short run"
        " may not set it apart from random locations. A longer one could "
        "change the further statements: the published runs have many times "
        "more steps. One pilot run of REINFORCE fixed the 2048 steps."
    ),
    lesson="12_glimpses",
    quick=Profile(seeds=5, budget=Budget(epochs=10, batch_size=128, lr=2e-3)),
    full=Profile(seeds=10, budget=Budget(epochs=64, batch_size=128, lr=2e-3)),
)
