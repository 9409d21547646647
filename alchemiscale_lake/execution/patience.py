"""Patience with a lake that does not answer: hours of computation may depend on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from ..errors import NotWritableError, StorageError
from .watch import Watch

__all__ = ["StoppedError", "patiently"]

_T = TypeVar("_T")
#: Time to wait for a lake that does not answer.
_PATIENCE_S: Final = 600.0


class StoppedError(Exception):
    """The attempt was stopped while waiting for the lake."""


def patiently(call: Callable[[], _T], watch: Watch, *, forbidden_is_final: bool = False) -> _T:
    """Call, again with increasing pauses while the storage does not answer.

    Parameters
    ----------
    call : callable
    watch : Watch
        Decides when to stop.
    forbidden_is_final : bool, default False
        Raise at once if the storage refuses the write.

    Raises
    ------
    StoppedError
        If the attempt was stopped meanwhile.
    StorageError
        If it did not answer for long.
    """
    give_up, pause_s = time.monotonic() + _PATIENCE_S, 1.0
    while True:
        try:
            return call()
        except StorageError as e:
            is_final = forbidden_is_final and isinstance(e, NotWritableError)
            if is_final or time.monotonic() + pause_s > give_up:
                raise
            cut = watch.cut()
            if cut is not None and cut.releases:
                raise StoppedError from None
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 30.0)
