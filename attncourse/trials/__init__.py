"""Training, evaluation, and claims on trial.

`fit` and `evaluate` are the only training loop of the course. `run_trials`
runs variants x seeds and keeps the records that `load` reads back. A claim is
a file in `attncourse/trials/claims`; what its runs do beyond `fit` and
`evaluate` stands in `attncourse/trials/setups`.
"""

from attncourse.trials.budget import Budget
from attncourse.trials.claim import (
    Claim,
    Prediction,
    Profile,
    Verdict,
    claim,
    claims,
    load,
    verdict,
)
from attncourse.trials.loop import (
    History,
    classification,
    evaluate,
    fit,
    training_on,
)
from attncourse.trials.maps import (
    ClassActivation,
    ReplacedMap,
    shuffled_map,
    uniform_map,
    with_map_replaced,
)
from attncourse.trials.pilots import Pilot
from attncourse.trials.record import Curve, Record, Series, Time, VariantResult
from attncourse.trials.running import network, run_claims, run_pilots
from attncourse.trials.runs import Trial, Variant, run_trials
from attncourse.trials.scores import Scores, in_blocks, score
from attncourse.trials.statements import (
    Above,
    All,
    Gain,
    Margin,
    NoLoss,
    default_margin,
)

__all__ = [
    "Above",
    "All",
    "Budget",
    "Claim",
    "ClassActivation",
    "Curve",
    "Gain",
    "History",
    "Margin",
    "NoLoss",
    "Pilot",
    "Prediction",
    "Profile",
    "Record",
    "ReplacedMap",
    "Scores",
    "Series",
    "Time",
    "Trial",
    "Variant",
    "VariantResult",
    "Verdict",
    "claim",
    "claims",
    "classification",
    "default_margin",
    "evaluate",
    "fit",
    "in_blocks",
    "load",
    "network",
    "run_claims",
    "run_pilots",
    "run_trials",
    "score",
    "shuffled_map",
    "training_on",
    "uniform_map",
    "verdict",
    "with_map_replaced",
]
