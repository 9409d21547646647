"""Listeners in this process for a flow's progress and report: a command's progress bar, a test.

A flow's parameters are data, so a listener cannot be one of them; and its return value is lost if Prefect
cannot record its end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ..dispatch.dispatch_report import Progress

__all__ = ["keeping", "listening", "reported", "tell"]

T = TypeVar("T")

_listeners: list[Callable[[Progress], None]] = []
_keepers: list[list[Any]] = []


@contextlib.contextmanager
def listening(listener: Callable[[Progress], None]) -> Iterator[None]:
    """Call `listener` with all progress in this process, in the dispatching thread."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def tell(progress: Progress) -> None:
    """Call every listener."""
    for listener in list(_listeners):
        listener(progress)


@contextlib.contextmanager
def keeping() -> Iterator[list[Any]]:
    """Yield a list that collects the reports of flows that finish within the block."""
    kept: list[Any] = []
    _keepers.append(kept)
    try:
        yield kept
    finally:
        _keepers.remove(kept)


def reported(report: T) -> T:
    """Store the report that a flow is about to return, and return it."""
    for kept in _keepers:
        kept.append(report)
    return report
