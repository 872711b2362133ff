"""Scoring maps, counting cost, and the statistics of a comparison."""

from attncourse.measure.bootstrap import Interval, paired_bootstrap
from attncourse.measure.cost import Cost, cost, costs
from attncourse.measure.mass import mass_inside
from attncourse.measure.pointing import PointingGame, pointing_game

__all__ = [
    "Cost",
    "Interval",
    "PointingGame",
    "cost",
    "costs",
    "mass_inside",
    "paired_bootstrap",
    "pointing_game",
]
