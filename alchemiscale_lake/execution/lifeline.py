"""Connection of a running attempt to the lake: polls for stop requests and writes heartbeats.

Runs in a thread of its own, so that an unresponsive storage does not delay the attempt.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from types import TracebackType
from typing import Final, Self

from ..errors import LakeError
from ..store import Lake, now_utc
from .assignment import AttemptSpec
from .heartbeat import Beat, leave_beat, remove_beat
from .host import hostname, queue_job
from .progress import Vitals

__all__ = ["Lifeline"]

_log = logging.getLogger(__name__)

#: Polling interval for stop requests: free in a folder, one request in a bucket.
_ASK_FOLDER_S: Final = 1.0
_ASK_BUCKET_S: Final = 5.0
#: An attempt that ends sooner writes no heartbeat.
_FIRST_BEAT_S: Final = 1.0
#: Maximum wait at the end for a storage that does not answer.
_PATIENCE_S: Final = 2.0


class Lifeline:
    """Polls and writes heartbeats within its block.

    Parameters
    ----------
    lake : Lake
    spec : AttemptSpec
    stop : callable
        Called with the id of the attempt; returns True if it is to stop.
    beat_s : float
        Interval of heartbeats, once `begin` was called.

    Attributes
    ----------
    told : Future
        Done once the attempt is to stop.
    vitals : Vitals
        Content of the heartbeats.
    """

    def __init__(self, lake: Lake, spec: AttemptSpec, stop: Callable[[str], bool], *, beat_s: float = 30.0) -> None:
        self.told: Future[None] = Future()
        self.vitals = Vitals()
        self._lake, self._spec, self._stop, self._beat_s = lake, spec, stop, beat_s
        self._ask_s = _ASK_FOLDER_S if lake.local_path is not None else _ASK_BUCKET_S
        self._end = threading.Event()
        self._started_at: datetime | None = None
        self._next_beat = 0.0
        self._has_beaten = False
        self._thread = threading.Thread(target=self._run, name=f"lifeline-{spec.attempt[:8]}", daemon=True)

    def begin(self, started_at: datetime) -> None:
        """Start the heartbeats."""
        self._next_beat, self._started_at = time.monotonic() + _FIRST_BEAT_S, started_at

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join(_PATIENCE_S)
        # a heartbeat still in progress would be written after the removal
        if self._has_beaten and not self._thread.is_alive():
            with contextlib.suppress(LakeError, OSError):
                remove_beat(self._lake, self._spec)

    def _run(self) -> None:
        while not self._end.wait(self._ask_s):
            try:
                if not self.told.done() and self._stop(self._spec.attempt):
                    self.told.set_result(None)
                if self._started_at is not None and time.monotonic() >= self._next_beat:
                    self._next_beat = time.monotonic() + self._beat_s
                    self._has_beaten = True
                    leave_beat(self._lake, self._spec, self._beat(self._started_at))
            except (LakeError, OSError) as e:
                _log.warning("attempt %s: could not write its heartbeat to the lake: %s", self._spec.attempt, e)

    def _beat(self, started_at: datetime) -> Beat:
        vitals = self.vitals
        return Beat(
            at=now_utc(),
            started_at=started_at,
            progress_at=max(vitals.progress_at, started_at),
            hostname=hostname(),
            queue_job=queue_job(),
            units_done=vitals.units_done,
            units_total=vitals.units_total,
            work=vitals.work,
        )
