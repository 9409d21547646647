"""Reports of dispatchers on their pools: objects `pools/<name>.json` with workers and free capacity.

Read by the policy of other pools, which must not wait for a pool without a dispatcher.
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
#: A pool whose last report is older has no capacity.
HEARD_WITHIN: Final = timedelta(minutes=10)
#: A job that has waited in its queue for longer does not count as capacity.
STALLED_AFTER_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class PoolReport:
    """Report of a dispatcher on its pool.

    Attributes
    ----------
    at : datetime
        Time of the report.
    process : str
        Process and machine of the dispatcher.
    workers : int
        Number of workers.
    slots_free : int
        Number of Tasks that these could start now.
    jobs_pending : int
        Number of jobs that wait in the queue.
    oldest_pending_s : float or None
        Waiting time of the oldest of them; None if unknown, and then none counts as stalled.
    """

    at: datetime
    process: str
    workers: int = 0
    slots_free: int = 0
    jobs_pending: int = 0
    oldest_pending_s: float | None = None

    @property
    def stalled_jobs(self) -> int:
        """Return the number of jobs that have waited in the queue for long."""
        return self.jobs_pending if (self.oldest_pending_s or 0.0) > STALLED_AFTER_S else 0

    def is_heard(self, now: datetime) -> bool:
        """Return whether it is recent enough to count.

        If a dispatcher's clock is off by more than that, in either direction, its report is ignored: other pools then
        take Tasks that would have waited for it. A dead dispatcher whose clock was ahead is not waited for.
        """
        return abs(now - self.at) <= HEARD_WITHIN


def report_pool(lake: Lake, name: str, report: PoolReport) -> None:
    """Write a report; it replaces the last one.

    Parameters
    ----------
    lake : Lake
    name : str
        Name of the pool.
    report : PoolReport
        State of the pool as seen by its dispatcher.
    """
    said = asdict(report) | {"at": report.at.isoformat()}
    lake.objects.put(_path(name), json.dumps(said).encode())


def withdraw_report(lake: Lake, name: str, process: str) -> None:
    """Delete a dispatcher's own report as it ends, so that no pool leaves Tasks to it.

    Parameters
    ----------
    lake : Lake
    name : str
        Name of the pool.
    process : str
        Process that wrote it; a report of another is kept.
    """
    path = _path(name)
    try:
        report = _read(lake.objects.get(path))
    except (NotFoundError, *_UNREADABLE):
        return
    if report.process == process:
        lake.objects.delete([path])


def pool_reports(lake: Lake) -> dict[str, PoolReport]:
    """Return the last report of every pool, by name, whatever its age."""
    found = {}
    for path in lake.objects.list(_FOLDER):
        try:
            report = _read(lake.objects.get(path))
        except NotFoundError:
            continue
        except _UNREADABLE as e:
            _log.warning("%s is ignored: it is not a valid pool report: %s", path, e)
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
        raise ValueError(f"{at} has no time zone")
    known = {field.name for field in fields(PoolReport)}
    # a newer dispatcher may add keys
    return PoolReport(**{k: v for k, v in said.items() if k in known} | {"at": at})
