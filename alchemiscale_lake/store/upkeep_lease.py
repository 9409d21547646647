"""The maintenance lease, taken by exclusive create: one maintenance run at a time.

`upkeep/<n>.json` with the highest n is the lease. Creating n + 1 takes it over, which is allowed if the previous lease
has expired or was released, or its holder died on this machine. Two runs at once would waste work but lose no data.

A lease expires when its holder has not renewed it for long, by the clock that dates the lake's objects; the clocks of
the two machines are not compared.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from ..errors import NotFoundError, UpkeepRunningError
from .objects import ObjectStore

__all__ = ["UpkeepLease", "hold_upkeep"]

_FOLDER: Final = "upkeep"
_LASTS: Final = timedelta(minutes=30)
_RENEWED_AFTER_S: Final = 60.0
#: Value of `until` of a released lease. Other values, by the holder's clock, are only informative.
_ENDED: Final = 0.0


@dataclass(slots=True)
class UpkeepLease:
    """The lease as seen by its holder."""

    _objects: ObjectStore
    _n: int
    _content: dict[str, Any]
    _next_s: float = 0.0

    def renew(self) -> None:
        """Renew the lease; call this often, it writes only now and then.

        Raises
        ------
        UpkeepRunningError
            If it expired and another maintenance run has taken over.
        StorageError
        """
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + _RENEWED_AFTER_S
        if self._objects.exists(_path(self._n + 1)):
            raise UpkeepRunningError("another maintenance run took over, as this one had not renewed its lease")
        self._say(time.time() + _LASTS.total_seconds())

    def _end(self) -> None:
        self._say(_ENDED)

    def _say(self, until: float) -> None:
        self._objects.put(_path(self._n), json.dumps({**self._content, "until": until}).encode())


@contextlib.contextmanager
def hold_upkeep(objects: ObjectStore) -> Iterator[UpkeepLease]:
    """Hold the lease during the block.

    Raises
    ------
    UpkeepRunningError
        If another maintenance run holds it.
    StorageError
    """
    listed = {n: info.modified_at for info in objects.list_with_times(_FOLDER) if (n := _number(info.path)) is not None}
    found = sorted(listed)
    last = found[-1] if found else 0
    if last:
        _refuse_if_held(objects, last, listed[last])
    content = {"hostname": socket.gethostname(), "pid": os.getpid(), "until": time.time() + _LASTS.total_seconds()}
    if not objects.put_exclusive(_path(last + 1), json.dumps(content).encode()):
        raise UpkeepRunningError("maintenance of this lake has just been started by another process")
    # the highest stays for ever, so that no number is used twice
    objects.delete(_path(n) for n in found)
    lease = UpkeepLease(objects, last + 1, content)
    try:
        yield lease
    finally:
        if not objects.exists(_path(last + 2)):
            lease._end()


def _refuse_if_held(objects: ObjectStore, n: int, written_at: datetime) -> None:
    try:
        holder = json.loads(objects.get(_path(n)))
        holder = {"hostname": str(holder["hostname"]), "pid": int(holder["pid"]), "until": float(holder["until"])}
    except NotFoundError:
        return  # taken over in between; creating the next one will fail
    except (ValueError, TypeError, KeyError):
        return  # truncated or damaged: nobody can hold it
    # a date far ahead comes from a file system that uses its clients' clocks; two runs at once are then better than
    # none
    silent_s = abs((objects.stamp(_FOLDER) - written_at).total_seconds())
    if holder["until"] == _ENDED or silent_s > _LASTS.total_seconds() or _died_here(holder):
        return
    raise UpkeepRunningError(
        f"maintenance of this lake is already running, as process {holder['pid']} on {holder['hostname']}; "
        f"if that has died, try again in {(_LASTS.total_seconds() - silent_s) / 60:.0f} minutes",
        holder=holder,
    )


def _died_here(holder: dict[str, Any]) -> bool:
    if holder["hostname"] != socket.gethostname():
        return False
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _path(n: int) -> str:
    return f"{_FOLDER}/{n:08d}.json"


def _number(path: str) -> int | None:
    name = path.removeprefix(f"{_FOLDER}/").removesuffix(".json")
    return int(name) if name.isdigit() else None
