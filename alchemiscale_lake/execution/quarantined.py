"""The list of hosts that are to run nothing for a while, as workers everywhere can read it.

One small object at the root of the lake. Who comes onto it is decided in `tasks` and `ledger`.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from ..errors import NotFoundError, StorageError
from ..store import Lake, now_utc

__all__ = ["is_quarantined", "publish_quarantine", "read_quarantine"]

_PATH: Final = "quarantine.json"
#: How long a worker believes what it read.
_REMEMBERED_S: Final = 30.0

_lock = threading.Lock()
_remembered: dict[str, tuple[float, dict[str, datetime]]] = {}


def publish_quarantine(lake: Lake, hosts: Mapping[str, datetime]) -> None:
    """Replace the list.

    Parameters
    ----------
    lake : Lake
    hosts : mapping
        Until when, by host name.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    content = {hostname: until.isoformat() for hostname, until in sorted(hosts.items())}
    lake.objects.put(_PATH, json.dumps(content).encode())
    with _lock:
        _remembered[lake.url] = (time.monotonic(), dict(hosts))


def read_quarantine(lake: Lake) -> dict[str, datetime]:
    """Return the list as it is now, entries that ran out included.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    try:
        content = json.loads(lake.objects.get(_PATH))
    except NotFoundError:
        return {}
    return {hostname: datetime.fromisoformat(until) for hostname, until in content.items()}


def is_quarantined(lake: Lake, hostname: str) -> datetime | None:
    """Return until when a host is to run nothing, None if it may.

    The list is read at most every half minute; while the lake does not answer, the last one stands.
    """
    with _lock:
        read_at, hosts = _remembered.get(lake.url, (None, {}))
        if read_at is None or time.monotonic() - read_at >= _REMEMBERED_S:
            with contextlib.suppress(StorageError):
                hosts = read_quarantine(lake)
            _remembered[lake.url] = (time.monotonic(), hosts)
    # the time is of a dispatcher's clock: one here that is off refuses for longer or shorter, but dispatchers
    # choose hosts by their own list, and take a host off this one once its time is over
    until = hosts.get(hostname)
    return until if until is not None and until > now_utc() else None
