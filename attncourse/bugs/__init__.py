"""Wrong attention code on display, for lessons, trials and tests.

Each exhibit runs without an error. Its docstring says what is wrong, and a
test shows that the course's own tests reject it. Do not import these to
use them.
"""
