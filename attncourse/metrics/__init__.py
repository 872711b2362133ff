"""Scoring maps, counting cost, and the statistics of a comparison."""

from attncourse.metrics.cost import Cost, cost, costs
from attncourse.metrics.fixations import (
    auc_judd,
    correlation,
    fixation_density,
    kl_divergence,
    nss,
    shuffled_auc,
    similarity,
)
from attncourse.metrics.intervals import (
    Interval,
    crossed_interval,
    paired_bootstrap,
    t_interval,
)
from attncourse.metrics.mass import mass_inside
from attncourse.metrics.pointing import PointingGame, pointing_game
from attncourse.metrics.ranks import rank_correlation
from attncourse.metrics.salient_objects import (
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
    "crossed_interval",
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
