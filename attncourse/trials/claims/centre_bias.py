"""Which models of looking beat a map that always says "the middle"?"""

from attncourse.trials.budget import Budget
from attncourse.trials.claim import MASS, Claim, Prediction, Profile
from attncourse.trials.setups.saliency import VARIANTS, run

CLAIM = Claim(
    statement=(
        "By the area under the curve, a blob in the middle predicts the looks"
        " of made-up observers better than contrast does."
    ),
    source=(
        "[Tatler (2007)](https://doi.org/10.1167/7.14.4) and "
        "[Bylinskii et al. (2019)](https://arxiv.org/abs/1604.03605) on the "
        "bias and on how to score it."
    ),
    scene=(
        "Two digits and two blobs on a texture. The observers are made up: "
        "four tenths of their looks go to the middle, one tenth anywhere, and "
        "the rest to the objects, to a digit four times as often as to a "
        "blob."
    ),
    variants=VARIANTS,
    control="centre",
    run=run,
    example=(1, 3, 64, 64),
    metrics={
        "shuffled_auc": (
            "area under the curve, negatives from the looks at other scenes"
        ),
        "auc": "area under the curve, negatives from all pixels",
        "nss": "mean standardised value of the map where observers looked",
        "cc": "correlation of map and density of the looks",
        "kl": "divergence of the map from that density: less is better",
        "sim": "overlap of map and density, 1 if they are equal",
        "mass": MASS,
    },
    predictions=(
        Prediction(
            "By AUC, a map of the middle beats contrast that was computed "
            "from the image.",
            metric="auc",
            variant="centre",
            against="contrast",
            above=0.0,
        ),
        Prediction(
            "By shuffled AUC, contrast beats the middle by more than a "
            "twentieth.",
            metric="shuffled_auc",
            variant="contrast",
            against="centre",
            above=0.05,
        ),
        Prediction(
            "The trained network beats the middle by more than a twentieth "
            "by shuffled AUC.",
            metric="shuffled_auc",
            variant="network",
            against="centre",
            above=0.05,
        ),
        Prediction(
            "A learnt centre is worth more than a hundredth of AUC to the "
            "network.",
            metric="auc",
            variant="network+centre",
            against="network",
            above=0.01,
        ),
        Prediction(
            "A network trained on the images of other scenes is no better "
            "than the middle: it loses more than a twentieth of shuffled "
            "AUC against the network.",
            metric="shuffled_auc",
            variant="network",
            against="blind",
            above=0.05,
        ),
    ),
    would_change=(
        "Real observers. These are made up: the trial tests the scores, not "
        "people. With two tenths of the looks in the middle contrast wins by "
        "this score, too. The seeds are no independent repetitions: the two "
        "maps compared are not trained, and all seeds score them on the same "
        "test scenes. The interval is therefore far too narrow; resampled "
        "over the 300 scenes, the difference has a standard error of 0.004."
    ),
    lesson="13_saliency",
    quick=Profile(
        seeds=5,
        budget=Budget(scenes=1000, epochs=6, test_scenes=300, batch_size=32),
    ),
    full=Profile(
        seeds=10,
        budget=Budget(scenes=1500, epochs=10, test_scenes=300, batch_size=32),
    ),
)
