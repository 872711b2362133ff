"""Does looking closely only where it matters save work, or accuracy too?"""

from attncourse.trials.budget import Budget
from attncourse.trials.claim import ACCURACY, MASS, Claim, Prediction, Profile
from attncourse.trials.setups.dynamic_capacity import VARIANTS, run

CLAIM = Claim(
    statement=(
        "A network that looks closely at three patches of a hundred is more "
        "accurate than one that looks closely everywhere."
    ),
    source=(
        "[Almahairi et al. (2016)](https://arxiv.org/abs/1511.07838) report "
        "similar or better accuracy at lower cost; surveys say lower cost and "
        "higher accuracy; a public replication found the fine network better."
    ),
    scene=(
        "A digit of 16 pixels among sixteen fragments, on 80 x 80 pixels. "
        "Three of a hundred patches are looked at closely."
    ),
    variants=VARIANTS,
    control="fine",
    run=run,
    example=(1, 1, 80, 80),
    metrics={
        "accuracy": ACCURACY,
        "hit": "share of scenes whose first patch has its middle on the digit",
        "hit_any": "share of scenes with any patch on the digit",
        "mass": MASS,
        "drop_moved": "accuracy lost when the patches move by half the image",
    },
    predictions=(
        Prediction(
            "Three salient patches are more accurate than the fine network "
            "everywhere.",
            metric="accuracy",
            variant="saliency",
            against="fine",
            above=0.0,
        ),
        Prediction(
            "Three salient patches lose less than three points of accuracy "
            "against the fine network everywhere.",
            metric="accuracy",
            variant="saliency",
            against="fine",
            above=-0.03,
        ),
        Prediction(
            "They beat a wider coarse network of as many multiply-adds by "
            "more than five points.",
            metric="accuracy",
            variant="saliency",
            against="coarse-wide",
            above=0.05,
        ),
        Prediction(
            "They beat a thinner fine network of as many multiply-adds.",
            metric="accuracy",
            variant="saliency",
            against="fine-thin",
            above=0.0,
        ),
        Prediction(
            "They beat as many patches at random by more than twenty points.",
            metric="accuracy",
            variant="saliency",
            against="random",
            above=0.2,
        ),
        Prediction(
            "They beat as many patches at the centre by more than twenty "
            "points.",
            metric="accuracy",
            variant="saliency",
            against="centre",
            above=0.2,
        ),
        Prediction(
            "They beat the patches with the most ink, for which no network "
            "is asked.",
            metric="accuracy",
            variant="saliency",
            against="ink",
            above=0.0,
        ),
        Prediction(
            "The first patch is on the digit in more than eight of ten "
            "scenes.",
            metric="hit",
            variant="saliency",
            against=None,
            above=0.8,
            kind="share",
        ),
        Prediction(
            "The hint loss makes the network more accurate.",
            metric="accuracy",
            variant="saliency",
            against="no-hint",
            above=0.0,
        ),
        Prediction(
            "The choice is a cause: with the patches moved by half the image "
            "the network loses more than twenty points.",
            metric="drop_moved",
            variant="saliency",
            against=None,
            above=0.2,
        ),
    ),
    would_change=(
        "Images in which more than one patch matters. More patches for the "
        "trained network hardly matter: see the accuracies at eight and at "
        "all positions in the record. Training with more of them is not tried"
        " here. The length of the training was fixed by pilots and by a "
        "shorter trial, run before and not recorded here."
    ),
    lesson="11_dynamic_capacity",
    quick=Profile(
        seeds=5,
        budget=Budget(scenes=2000, epochs=5, test_scenes=1000, batch_size=64),
    ),
    full=Profile(
        seeds=10,
        budget=Budget(scenes=4000, epochs=8, test_scenes=2000, batch_size=64),
    ),
)
