"""What dispatchers say of their pools: objects `pools/<name>.json` that say who works and what is free.

Read by the policy of other pools, which must not wait for one that nobody works for.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, unquote

from ..errors import NotFoundError
from ..store import Lake

__all__ = ["HEARD_WITHIN", "STALLED_AFTER_S", "PoolReport", "pool_reports", "report_pool", "withdraw_report"]

_log = logging.getLogger(__name__)
_FOLDER: Final = "pools"
_UNREADABLE: Final = (ValueError, TypeError, KeyError)
#: A pool whose dispatcher was not heard of for longer has no room.
HEARD_WITHIN: Final = timedelta(minutes=10)
#: A job that its queue lets wait for longer is no room either.
STALLED_AFTER_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class PoolReport:
    """What a dispatcher knows of its pool.

    Attributes
    ----------
    at : datetime
        When it said so.
    process : str
        Who: process and machine.
    workers : int
        Workers that are there.
    slots_free : int
        Tasks that those could start now.
    jobs_pending : int
        Jobs that wait in the queue.
    oldest_pending_s : float or None
        How long the oldest of them has waited; None if nobody knows, and then none counts as stalled.
    """

    at: datetime
    process: str
    workers: int = 0
    slots_free: int = 0
    jobs_pending: int = 0
    oldest_pending_s: float | None = None

    @property
    def stalled_jobs(self) -> int:
        """Jobs that the queue lets wait for long."""
        return self.jobs_pending if (self.oldest_pending_s or 0.0) > STALLED_AFTER_S else 0

    def is_heard(self, now: datetime) -> bool:
        """Whether it is recent enough to count.

        A dispatcher whose clock is off by more than that, either way, is not heard: other pools then take
        Tasks that would have waited for it. One that died with a clock ahead is not waited for.
        """
        return abs(now - self.at) <= HEARD_WITHIN


def report_pool(lake: Lake, name: str, report: PoolReport) -> None:
    """Leave a report; it takes the place of the last one."""
    said = asdict(report) | {"at": report.at.isoformat()}
    lake.objects.put(_path(name), json.dumps(said).encode())


def withdraw_report(lake: Lake, name: str, process: str) -> None:
    """Take a dispatcher's report away as it ends, so that nobody leaves Tasks to its pool. Another's stays."""
    path = _path(name)
    try:
        report = _read(lake.objects.get(path))
    except (NotFoundError, *_UNREADABLE):
        return
    if report.process == process:
        lake.objects.delete([path])


def pool_reports(lake: Lake) -> dict[str, PoolReport]:
    """Read the last report of every pool, by name, however old it is."""
    found = {}
    for path in lake.objects.list(_FOLDER):
        try:
            report = _read(lake.objects.get(path))
        except NotFoundError:
            continue
        except _UNREADABLE as e:
            _log.warning("%s is passed over: it is no report of a pool: %s", path, e)
            continue
        found[unquote(path.removeprefix(f"{_FOLDER}/").removesuffix(".json"))] = report
    return found


def _path(name: str) -> str:
    return f"{_FOLDER}/{quote(name, safe='')}.json"


def _read(data: bytes) -> PoolReport:
    said = json.loads(data)
    if not isinstance(said, dict):
        raise TypeError(f"{type(said).__name__} instead of an object")
    at = datetime.fromisoformat(said["at"])
    if at.tzinfo is None:
        raise ValueError(f"{at} names no time zone")
    known = {field.name for field in fields(PoolReport)}
    # a newer dispatcher may say more
    return PoolReport(**{k: v for k, v in said.items() if k in known} | {"at": at})
