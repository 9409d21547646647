"""Closing engines: errors and hangs there do not affect the outcome of the campaign.

When an engine is closed, results are in the lake and claims are released. A connection that is slow to close
is worth a line on stderr, but must not change the exit code of a campaign that took a week.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

__all__ = ["Closing", "ignoring_errors"]

_log = logging.getLogger(__name__)
#: Default time limit for closing something, in seconds, beyond its own time-outs.
_PATIENCE_S: Final = 30.0


class Closing:
    """Closes resources in reverse order, each with a time limit; use it as a context manager.

    A callback that raises or does not return in time is abandoned, and the next one is called; one warning lists
    all of them. An error of the block itself propagates unchanged.

    Parameters
    ----------
    what : str
        Name of the closed resource, for the warning.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._steps: list[tuple[Callable[[], object], float]] = []

    def callback(self, close: Callable[[], object], *, within_s: float = _PATIENCE_S) -> None:
        """Register a callback for the end of the block.

        Parameters
        ----------
        close : callable
            Called in a separate thread, so that it may hang.
        within_s : float
            Time limit.
        """
        self._steps.append((close, within_s))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        wrong = []
        while self._steps:
            problem = _problem(*self._steps.pop())
            if problem is not None:
                wrong.append(problem)
        if wrong:
            _log.warning("%s did not close properly (%s); no result is affected", self._what, "; ".join(wrong))


@contextlib.contextmanager
def ignoring_errors(what: str) -> Iterator[None]:
    """Turn any error of the block, which closes a resource, into one warning."""
    try:
        yield
    except Exception as e:
        _log.warning("%s did not close properly (%s); no result is affected", what, _described(e))


def _problem(close: Callable[[], object], within_s: float) -> str | None:
    """Close, and return the problem; None if there was none."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            close()
        except BaseException as e:  # reported by the calling thread
            raised.append(e)

    thread = threading.Thread(target=run, name="closing", daemon=True)
    thread.start()
    thread.join(within_s)
    if thread.is_alive():
        return f"no response within {within_s:g} s"
    return _described(raised[0]) if raised else None


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
