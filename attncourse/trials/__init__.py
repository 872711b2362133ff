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
    run_claims,
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
from attncourse.trials.record import Record, Series, Time, VariantResult
from attncourse.trials.runs import Trial, Variant, run_trials

__all__ = [
    "Budget",
    "Claim",
    "ClassActivation",
    "History",
    "Prediction",
    "Profile",
    "Record",
    "ReplacedMap",
    "Series",
    "Time",
    "Trial",
    "Variant",
    "VariantResult",
    "Verdict",
    "claim",
    "claims",
    "classification",
    "evaluate",
    "fit",
    "load",
    "run_claims",
    "run_trials",
    "shuffled_map",
    "training_on",
    "uniform_map",
    "verdict",
    "with_map_replaced",
]
