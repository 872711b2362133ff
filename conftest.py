"""Threads of the tests: more than one worker runs at a time."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
