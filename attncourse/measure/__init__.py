"""Scoring maps, counting cost, and the statistics of a comparison."""

from attncourse.measure.cost import Cost, cost, costs
from attncourse.measure.fixations import (
    auc_judd,
    correlation,
    fixation_density,
    kl_divergence,
    nss,
    shuffled_auc,
    similarity,
)
from attncourse.measure.intervals import (
    Interval,
    paired_bootstrap,
    t_interval,
)
from attncourse.measure.mass import mass_inside
from attncourse.measure.pointing import PointingGame, pointing_game
from attncourse.measure.ranks import rank_correlation
from attncourse.measure.salient_objects import (
    max_f_beta,
    mean_absolute_error,
)

__all__ = [
    "Cost",
    "Interval",
    "PointingGame",
    "auc_judd",
    "correlation",
    "cost",
    "costs",
    "fixation_density",
    "kl_divergence",
    "mass_inside",
    "max_f_beta",
    "mean_absolute_error",
    "nss",
    "paired_bootstrap",
    "pointing_game",
    "rank_correlation",
    "shuffled_auc",
    "similarity",
    "t_interval",
]
