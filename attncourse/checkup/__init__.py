"""Diagnosis of any attention module, in words and numbers.

`checkup(module, inputs)` runs one probe after another on a copy of the
module, each in a file of its own under `attncourse/checkup/probes`, and
returns a `Report`. `python -m attncourse checkup` does the same from the
command line.
"""

from attncourse.checkup.driver import checkup
from attncourse.checkup.finding import Finding, Report

__all__ = ["Finding", "Report", "checkup"]
