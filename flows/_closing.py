"""Closing engines: what fails or hangs there changes nothing about the campaign that ran in them.

When an engine is closed, results are in the lake and claims are given back. A connection that is slow to
close is worth a line on stderr, and not the exit code of a campaign that took a week.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

__all__ = ["Closing", "forgiving"]

_log = logging.getLogger(__name__)
#: What is being closed gets so long, in seconds, beyond any time-out of its own.
_PATIENCE_S: Final = 30.0


class Closing:
    """Closes things in reverse order, each in its own time; use it as a context.

    What raises, or does not return in time, is left behind: one warning names all of it, and the next is
    closed. An error of the block itself goes on unchanged.

    Parameters
    ----------
    what : str
        For people: what is closed as a whole.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._steps: list[tuple[Callable[[], object], float]] = []

    def callback(self, close: Callable[[], object], *, within_s: float = _PATIENCE_S) -> None:
        """Have something closed at the end.

        Parameters
        ----------
        close : callable
            Called in a thread of its own, so that it may hang.
        within_s : float
            It is waited for so long.
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
def forgiving(what: str) -> Iterator[None]:
    """Turn any error of the block, which closes something, into one warning."""
    try:
        yield
    except Exception as e:
        _log.warning("%s did not close properly (%s); no result is affected", what, _described(e))


def _problem(close: Callable[[], object], within_s: float) -> str | None:
    """Close, and return what went wrong; None if nothing did."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            close()
        except BaseException as e:  # of a thread that has nobody else to tell
            raised.append(e)

    thread = threading.Thread(target=run, name="closing", daemon=True)
    thread.start()
    thread.join(within_s)
    if thread.is_alive():
        return f"no answer within {within_s:g} s"
    return _described(raised[0]) if raised else None


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
