"""Named points where a process can be killed, for the kill-and-recover tests.

`fault_point(name)` does nothing unless a hook is installed or `ALCHEMISCALE_LAKE_FAULT` names the point:
`results:before-event` kills this process there with SIGKILL, `results:before-event@3` at the third pass. There is one
such point between every two writes of an operation.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["fault_hook", "fault_point"]

_hook: Callable[[str], None] | None = None
_passed: Counter[str] = Counter()


def fault_point(name: str) -> None:
    """Pass the point `name`, or die there if requested."""
    if _hook is not None:
        _hook(name)
    wanted = os.environ.get("ALCHEMISCALE_LAKE_FAULT")
    if wanted is None:
        return
    place, _, nth = wanted.partition("@")
    if place == name:
        _passed[name] += 1
        if _passed[name] == int(nth or 1):
            os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def fault_hook(hook: Callable[[str], None]) -> Iterator[None]:
    """Call `hook(name)` at every fault point within the block; it may raise to simulate a crash."""
    global _hook
    before, _hook = _hook, hook
    try:
        yield
    finally:
        _hook = before
