"""Diagnosis of any attention module, in words and numbers.

`checkup(module, inputs)` runs one probe after another on a copy of the
module, each in a file of its own under `attncourse/checkup/probes`, and
returns a `Report`; of a network it examines the attention layers.
`assert_healthy` does so in a test, `watch` looks on during training, and
`python -m attncourse checkup` works from the command line.
"""

from attncourse.checkup.driver import checkup
from attncourse.checkup.finding import Finding, Report
from attncourse.checkup.testing import assert_healthy
from attncourse.checkup.watching import watch

__all__ = ["Finding", "Report", "assert_healthy", "checkup", "watch"]
