"""Stop requests: the first releases running Tasks, the second exits immediately."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

import psutil

__all__ = ["PARENT_VARIABLE", "stop_event"]

#: Set by `up` for the flow runs it starts: they end with it.
PARENT_VARIABLE = "ALCHEMISCALE_LAKE_UP_PID"
_LOOK_S = 0.5


@contextlib.contextmanager
def stop_event() -> Iterator[threading.Event]:
    """Yield an event that is set by Ctrl-C, SIGTERM, or the end of the `up` that started this run.

    A second Ctrl-C kills this process and its children. Outside the main thread, where Python cannot handle
    signals, they are not handled.
    """
    stop = threading.Event()
    parent = os.environ.get(PARENT_VARIABLE)
    if parent is not None:
        threading.Thread(target=_watch, args=(int(parent), stop), daemon=True).start()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            # SIGTERM may follow a Ctrl-C that reached the whole process group; it is not a second request
            if number == signal.SIGINT:
                _end_at_once(number)
            return
        stop.set()
        sys.stderr.write("\nstopping: releasing running Tasks (Ctrl-C again to stop now)\n")

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(parent: int, stop: threading.Event) -> None:
    while not stop.wait(_LOOK_S):
        if not psutil.pid_exists(parent):
            stop.set()


def _end_at_once(number: int) -> None:
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    os._exit(128 + number)
