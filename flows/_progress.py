"""Who in this process hears of a flow's progress: a command's progress bar, a test.

A flow's parameters are data, so a listener cannot be one of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from alchemiscale_lake.ledger.dispatcher import Progress

__all__ = ["listening", "tell"]

_listeners: list[Callable[[Progress], None]] = []


@contextlib.contextmanager
def listening(listener: Callable[[Progress], None]) -> Iterator[None]:
    """Let `listener` hear of all progress in this process, in the thread that dispatches."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def tell(progress: Progress) -> None:
    """Tell every listener."""
    for listener in list(_listeners):
        listener(progress)
