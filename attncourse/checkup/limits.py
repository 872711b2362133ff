"""A time limit for code of others."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TooLong(BaseException):
    """No `Exception`, which the module itself might catch."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `TooLong` after some seconds.

    It takes a signal to interrupt a loop, so nothing is limited outside of
    the main thread or on a system without alarms.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    left, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left)
        signal.signal(signal.SIGALRM, before)
