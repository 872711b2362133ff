"""Every mechanism against its peers, side by side: ``attncourse bench``."""

from attncourse.bench.growth import Growth
from attncourse.bench.race import Bench, Race, load_bench, run_bench

__all__ = ["Bench", "Growth", "Race", "load_bench", "run_bench"]
