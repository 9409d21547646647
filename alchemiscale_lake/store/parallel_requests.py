"""Concurrent small requests to the lake: in a bucket each takes a tenth of a second, and there are thousands."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final, TypeVar

__all__ = ["at_once"]

_AT_ONCE: Final = 16
_T = TypeVar("_T")
_R = TypeVar("_R")


class _Own(threading.local):
    """The threads that serve this one, kept for its next call: starting them is slower than a request to a folder."""

    threads: ThreadPoolExecutor | None = None
    process = 0
    serves = False

    def get(self) -> ThreadPoolExecutor:
        # a fork inherits the object, and none of its threads
        if self.threads is None or self.process != os.getpid():
            self.threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="requests", initializer=self._begin)
            self.process = os.getpid()
        return self.threads

    def _begin(self) -> None:
        self.serves = True


_own = _Own()


def at_once(call: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
    """Call with every item, several at a time; return the results in order.

    Parameters
    ----------
    call : callable
        Function that is safe to call from several threads.
    items : iterable of _T
        Its arguments.

    Raises
    ------
    Exception
        The exception of the first call that failed.
    """
    asked = list(items)
    if len(asked) < 2:
        return [call(item) for item in asked]
    if _own.serves:
        with ThreadPoolExecutor(min(_AT_ONCE, len(asked))) as threads:
            return list(threads.map(call, asked))
    answers = [_own.get().submit(call, item) for item in asked]
    try:
        return [answer.result() for answer in answers]
    finally:
        # whether it returns or raises, nothing runs on
        for answer in answers:
            answer.cancel()
        wait(answers)
