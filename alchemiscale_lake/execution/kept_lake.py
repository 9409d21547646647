"""The lake of a worker, opened once a minute: short attempts would spend more time on opening it than on their work."""

from __future__ import annotations

import threading
import time
from typing import Final

from ..store import Lake

__all__ = ["kept_lake"]

#: A lake is opened again after this time, since it may have been migrated, s.
_KEPT_S: Final = 60.0
_lock = threading.Lock()
_kept: dict[str, tuple[float, Lake]] = {}


def kept_lake(url: str) -> Lake:
    """Return a lake that was opened less than a minute ago, for all threads of this process.

    Parameters
    ----------
    url : str
        URL or folder of the lake.

    Raises
    ------
    LakeError
        If it cannot be opened.
    """
    with _lock:
        now_s = time.monotonic()
        for other in [other for other, (opened_s, _) in _kept.items() if now_s - opened_s >= _KEPT_S]:
            del _kept[other]
        if url not in _kept:
            _kept[url] = now_s, Lake.open(url)
        return _kept[url][1]
