"""Ctrl-C, SIGTERM and SIGHUP as events: the first asks for a clean end, the second ends at once (faults.md, F19)."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def is_meant_to_stay(number: int) -> bool:
    """Whether this is SIGHUP in a run under nohup, which is to outlive its terminal."""
    return number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN


@contextmanager
def interruptible(ask: Callable[[], None]) -> Iterator[None]:
    """While inside, the first signal calls `ask` (from the main thread, between two bytecodes), the next one raises.

    A handler and not `except KeyboardInterrupt`: the exception may arise between any two steps, also where a half-done
    step cannot be taken back. Outside of the main thread signals are somebody else's, and nothing is installed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        ask()

    before = [(number, signal.signal(number, handle)) for number in SIGNALS if not is_meant_to_stay(number)]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
