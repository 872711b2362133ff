"""Training, evaluation, and claims on trial.

`fit` and `evaluate` are the only training loop of the course. `trial` runs
arms x seeds and keeps the record that `load` reads back. A claim is a file
in `attncourse/trials/claims`.
"""

from attncourse.trials.claim import (
    Budget,
    Claim,
    Prediction,
    Profile,
    claim,
    claims,
    run_claim,
)
from attncourse.trials.loop import History, classification, evaluate, fit
from attncourse.trials.maps import (
    ClassActivation,
    ReplacedMap,
    shuffled_map,
    uniform_map,
    with_map_replaced,
)
from attncourse.trials.record import ArmResult, Record, Series, Time, load
from attncourse.trials.runs import Arm, trial

__all__ = [
    "Arm",
    "ArmResult",
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
    "claim",
    "claims",
    "classification",
    "evaluate",
    "fit",
    "load",
    "run_claim",
    "shuffled_map",
    "trial",
    "uniform_map",
    "with_map_replaced",
]
