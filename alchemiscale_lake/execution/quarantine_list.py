"""The list of quarantined hosts, readable by workers everywhere.

One small object at the root of the lake. `tasks` and `statestore` decide which hosts are on it.
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
#: Time for which a worker caches the list.
_REMEMBERED_S: Final = 30.0

_lock = threading.Lock()
_remembered: dict[str, tuple[float, dict[str, datetime]]] = {}


def publish_quarantine(lake: Lake, hosts: Mapping[str, datetime]) -> None:
    """Replace the list.

    Parameters
    ----------
    lake : Lake
    hosts : mapping
        End of the quarantine by host name.

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
    """Return the current list, including expired entries.

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
    """Return the end of a host's quarantine, None if it may run Tasks.

    The list is read at most every half minute; while the lake does not answer, the last one is used.

    Parameters
    ----------
    lake : Lake
    hostname : str
        Name of the host, as in the results.
    """
    with _lock:
        read_at, hosts = _remembered.get(lake.url, (None, {}))
        if read_at is None or time.monotonic() - read_at >= _REMEMBERED_S:
            with contextlib.suppress(StorageError):
                hosts = read_quarantine(lake)
            _remembered[lake.url] = (time.monotonic(), hosts)
    # the time is by a dispatcher's clock: a wrong clock here only refuses for longer or shorter, since dispatchers
    # choose hosts by their own list, and take a host off this one once its time is over
    until = hosts.get(hostname)
    return until if until is not None and until > now_utc() else None
