"""Who in this process hears of a flow's progress and its report: a command's progress bar, a test.

A flow's parameters are data, so a listener cannot be one of them; and its return value is lost if
Prefect cannot be told of its end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from alchemiscale_lake.dispatch.report import Progress

__all__ = ["keeping", "listening", "reported", "tell"]

T = TypeVar("T")

_listeners: list[Callable[[Progress], None]] = []
_keepers: list[list[Any]] = []


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


@contextlib.contextmanager
def keeping() -> Iterator[list[Any]]:
    """Yield a list that gets the reports of flows which reach their end within the block."""
    kept: list[Any] = []
    _keepers.append(kept)
    try:
        yield kept
    finally:
        _keepers.remove(kept)


def reported(report: T) -> T:
    """Keep what a flow is about to return, and return it."""
    for kept in _keepers:
        kept.append(report)
    return report
