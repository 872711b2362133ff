"""Do convolutional networks keep their answer when the image moves?"""

from attncourse.trials.budget import Budget
from attncourse.trials.claim import ACCURACY, Claim, Prediction, Profile
from attncourse.trials.setups.translation import VARIANTS, run

CLAIM = Claim(
    statement=(
        "A small convolutional network with global average pooling is "
        "invariant to translation: when the image moves, the answer stays."
    ),
    source=(
        "A common way to describe convolution, which is equivariant. Against "
        "it stand "
        "[Azulay and Weiss (2019)](https://arxiv.org/abs/1805.12177), "
        "[Zhang (2019)](https://arxiv.org/abs/1904.11486) and "
        "[Chaman and Dokmanić (2021)](https://arxiv.org/abs/2011.14214); "
        "[Jaderberg et al. (2015)](https://arxiv.org/abs/1506.02025) doubt it "
        "for large moves."
    ),
    scene=(
        "A digit of 16 pixels among four fragments of others, on 32 x 32 "
        "pixels. In the test the whole image moves by 1 to 8 pixels and "
        "comes in again on the other side, or the digit moves alone; it is "
        "never cut."
    ),
    variants=VARIANTS,
    control="average",
    run=run,
    example=(1, 1, 32, 32),
    metrics={
        "consistency": (
            "share of moves of the image after which the answer is the same"
        ),
        "kept": "share of images that keep their answer in all eight moves",
        "change": "change of the logits relative to their length",
        "accuracy": ACCURACY,
        "consistency_alone": "consistency when the digit alone moves",
    },
    predictions=(
        Prediction(
            "A convolutional network with global average pooling keeps its "
            "answer in more than 99 % of all moves of the image.",
            metric="consistency",
            variant="average",
            against=None,
            above=0.99,
            kind="share",
        ),
        Prediction(
            "Its logits move by more than a tenth of their length.",
            metric="change",
            variant="average",
            against=None,
            above=0.1,
        ),
        Prediction(
            "A blur before each step of subsampling raises the consistency "
            "by more than one point.",
            metric="consistency",
            variant="blur",
            against="average",
            above=0.01,
        ),
        Prediction(
            "Attention instead of averaging raises it by more than one point.",
            metric="consistency",
            variant="attention",
            against="average",
            above=0.01,
        ),
        Prediction(
            "A global maximum instead of the average raises it by more "
            "than one point.",
            metric="consistency",
            variant="max",
            against="average",
            above=0.01,
        ),
        Prediction(
            "Global pooling matters: a weight for each position lowers the "
            "consistency by more than one point.",
            metric="consistency",
            variant="average",
            against="flat",
            above=0.01,
        ),
        Prediction(
            "Exact invariance, by a phase that moves with the image, costs "
            "less than one point of accuracy.",
            metric="accuracy",
            variant="adaptive",
            against="circular",
            above=-0.01,
        ),
        Prediction(
            "The network that is exactly invariant keeps its answer in more "
            "than 99 % of the moves of the digit alone.",
            metric="consistency_alone",
            variant="adaptive",
            against=None,
            above=0.99,
            kind="share",
        ),
    ),
    would_change=(
        "Training until no test image is near a boundary between classes, or "
        "with whole images moved as in the test; larger networks. No "
        "network with plain subsampling would become exactly invariant. One "
        "pilot run, which is not among the seeds, fixed the budget and most "
        "of the further statements."
    ),
    lesson="10_spatial_transformer",
    quick=Profile(seeds=5, budget=Budget(2000, 3, 1000)),
    full=Profile(seeds=10, budget=Budget(3000, 4, 1000)),
)
