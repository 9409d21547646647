"""Estimates kept current while results arrive.

Owns when networks are gathered during a dispatch, in a thread of its own. What gathering does is
`estimates`'.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Final

import polars as pl

from ..errors import LakeError
from ..ids import ScopedKey
from ..store import Lake, collect
from .estimates import gather_networks

__all__ = ["EstimateKeeper", "networks_holding"]

_log = logging.getLogger(__name__)
_EVERY_S: Final = 60.0
#: Gathering takes no more than this share of the time.
_SHARE: Final = 0.1


def networks_holding(lake: Lake, transformations: Iterable[str]) -> list[str]:
    """ScopedKeys of the networks that hold any of these Transformations, sorted."""
    wanted = sorted(set(transformations))
    scopes = sorted({str(ScopedKey.from_str(transformation).scope) for transformation in wanted})
    members = lake.table("network_members").scan()
    rows = members.filter(pl.col("scope").is_in(scopes) & pl.col("member").is_in(wanted))
    return sorted(collect(rows.select("network").unique(), "networks of Transformations")["network"])


class EstimateKeeper:
    """Gathers, now and then, the networks whose Transformations got results. Use it as a context.

    A lake that does not answer delays it and stops nobody else; what was missed is gathered next time.

    Parameters
    ----------
    lake : Lake
    every_s : float
        Least time between two gatherings; longer where gathering itself takes long.
    at_end : bool
        Whether to gather what is left when the context ends.
    """

    def __init__(self, lake: Lake, *, every_s: float = _EVERY_S, at_end: bool = True) -> None:
        self._lake, self._every_s, self._at_end = lake, every_s, at_end
        self._new: set[str] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="estimates", daemon=True)

    def note(self, transformations: Iterable[str]) -> None:
        """Tell of Transformations that got results; returns at once."""
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
            gather_networks(self._lake, networks_holding(self._lake, taken))
        except LakeError as e:
            _log.warning("estimates are not brought up to date for now: %s", e)
            self.note(taken)
