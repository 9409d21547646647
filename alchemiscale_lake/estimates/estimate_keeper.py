"""Continuous updates of estimates while results arrive.

Determines when networks are gathered during a dispatch, in a thread of its own. `estimates` gathers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final

import polars as pl

from ..errors import LakeError
from ..ids import ScopedKey
from ..store import Lake, collect
from .gathering import GatherReport, gather_networks

__all__ = ["EstimateKeeper", "networks_holding"]

_log = logging.getLogger(__name__)
_EVERY_S: Final = 60.0
#: Maximum fraction of the time spent on gathering.
_SHARE: Final = 0.1


def networks_holding(lake: Lake, transformations: Iterable[str]) -> list[str]:
    """Return the ScopedKeys of the networks that contain any of these Transformations, sorted.

    Parameters
    ----------
    lake : Lake
    transformations : iterable of str
        ScopedKeys.
    """
    wanted = sorted(set(transformations))
    scopes = sorted({str(ScopedKey.from_str(transformation).scope) for transformation in wanted})
    members = lake.table("network_members").scan()
    rows = members.filter(pl.col("scope").is_in(scopes) & pl.col("member").is_in(wanted))
    return sorted(collect(rows.select("network").unique(), "networks of Transformations")["network"])


class EstimateKeeper:
    """Periodically gathers the networks whose Transformations have new results. A context manager.

    An unresponsive lake only delays it; missed networks are gathered next time.

    Parameters
    ----------
    lake : Lake
    every_s : float
        Minimum time between two gatherings; longer if gathering itself takes long.
    at_end : bool
        Whether to gather the remaining networks on exit.
    on_gathered : callable, optional
        Called with the reports of each gathering, in the thread that gathered.
    """

    def __init__(
        self,
        lake: Lake,
        *,
        every_s: float = _EVERY_S,
        at_end: bool = True,
        on_gathered: Callable[[list[GatherReport]], None] | None = None,
    ) -> None:
        self._lake, self._every_s, self._at_end, self._on_gathered = lake, every_s, at_end, on_gathered
        self._new: set[str] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="estimates", daemon=True)

    def note(self, transformations: Iterable[str]) -> None:
        """Register Transformations with new results; returns at once."""
        with self._lock:
            self._new.update(transformations)

    def __enter__(self) -> EstimateKeeper:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._thread.join()
        if self._at_end and value is None:
            self._gather()

    def _keep(self) -> None:
        pause_s = self._every_s
        while not self._closed.wait(pause_s):
            began = time.monotonic()
            self._gather()
            pause_s = max(self._every_s, (time.monotonic() - began) / _SHARE)

    def _gather(self) -> None:
        with self._lock:
            taken, self._new = self._new, set()
        if not taken:
            return
        try:
            reports = gather_networks(self._lake, networks_holding(self._lake, taken))
            if self._on_gathered is not None:
                self._on_gathered(reports)
        except LakeError as e:
            _log.warning("estimates are not updated for now: %s", e)
            self.note(taken)
