"""A limit on the time that an answer may take."""

import ctypes
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock, Thread, get_ident
from time import monotonic
from typing import Any

SECONDS = 30.0  # of wall time, for all calls of one check
STEP = 0.5  # an answer may catch the first interruption


class TimeIsUp(BaseException):
    """Raised inside an answer when its time is over."""


@dataclass
class Clock:
    """The time that is left for an answer, over all calls of a check.

    A thread waits beside the call and raises :class:`TimeIsUp` in the
    calling thread when the time is over, and again every half second until
    the call has ended. That needs no signal, so it works on Linux, macOS and
    Windows, in the main thread of a script or of a notebook's kernel and in
    any other. Python takes notice of it between two steps of its own: a
    loop in Python ends, one long call of torch or of `time.sleep` is left to
    finish first. A debugger is not interrupted. Time is counted in steps of
    half a second, so that a machine that stands still takes one step and not
    the whole time.
    """

    left: float = field(default_factory=lambda: SECONDS)

    def call(self, code: Callable, args: tuple, kwargs: dict) -> Any:
        """Return `code(*args, **kwargs)`.

        Raises
        ------
        TimeIsUp
            If it takes more time than is left.
        """
        begun = monotonic()
        guard = _Guard(get_ident(), max(self.left, 0.01))
        try:
            try:
                guard.start()
                return code(*args, **kwargs)
            finally:
                guard.end()
        except TimeIsUp:
            guard.end()  # the first call may have been interrupted itself
            raise
        finally:
            counted = guard.waited + STEP
            self.left -= min(monotonic() - begun, counted)


class _Guard(Thread):
    """Interrupts a thread after some seconds, until it is ended."""

    def __init__(self, caller: int, seconds: float) -> None:
        super().__init__(daemon=True)
        self.caller, self.seconds, self.waited = caller, seconds, 0.0
        self.over, self.lock = Event(), Lock()

    def run(self) -> None:
        step = min(self.seconds, STEP)
        while not self.over.wait(step):
            self.waited += step
            step = min(max(self.seconds - self.waited, 0), STEP) or STEP
            if self.waited < self.seconds:
                continue
            with self.lock:
                if not self.over.is_set() and not _debugged(self.caller):
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(self.caller), ctypes.py_object(TimeIsUp)
                    )

    def end(self) -> None:
        """End it; an interruption under way still arrives in here.

        Withdrawing it with a null pointer would be shorter, but Python 3.11
        then loops for ever where a profile function is set.
        """
        with self.lock:
            self.over.set()
        for _ in range(2):
            pass  # at a backward jump Python looks for interruptions


def _debugged(thread: int) -> bool:
    frame = sys._current_frames().get(thread)
    while frame is not None:
        if frame.f_globals.get("__name__") == "bdb":
            return True
        frame = frame.f_back
    return False
