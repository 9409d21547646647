"""Reading of the heartbeats of many attempts: a few at once, thousands in the background.

Each is one request, which takes a tenth of a second in a bucket; a turn does not wait for thousands of them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Final

from ..execution.heartbeat import Beat, read_beat
from ..store import Lake
from ..store.parallel_requests import at_once

__all__ = ["HeartbeatReader"]

#: Up to this number, the caller waits for the answers.
_FEW: Final = 32


class HeartbeatReader:
    """Reads heartbeats; one batch at a time.

    Parameters
    ----------
    lake : Lake
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._batch: _Batch | None = None

    def ask(self, attempts: Mapping[str, str]) -> None:
        """Start to read the heartbeats of these attempts (attempt -> Scope), unless a batch is still being read."""
        if self._batch is None:
            self._batch = _Batch(self._lake, attempts)
            self._batch.start(in_background=len(attempts) > _FEW)

    def answer(self) -> dict[str, Beat] | None:
        """Return the heartbeats of the last batch, once; None while none was read.

        Raises
        ------
        StorageError
            If the lake did not answer.
        """
        batch = self._batch
        if batch is None or not batch.done.is_set():
            return None
        self._batch = None
        if batch.error is not None:
            raise batch.error
        return batch.beats


class _Batch:
    def __init__(self, lake: Lake, attempts: Mapping[str, str]) -> None:
        self._lake, self._attempts = lake, dict(attempts)
        self.done = threading.Event()
        self.beats: dict[str, Beat] = {}
        self.error: Exception | None = None

    def start(self, *, in_background: bool) -> None:
        if in_background:
            # a daemon: nobody waits for it at the end of the process
            threading.Thread(target=self._read, name="heartbeats", daemon=True).start()
        else:
            self._read()

    def _read(self) -> None:
        try:
            asked = list(self._attempts.items())
            found = at_once(lambda one: read_beat(self._lake, one[1], one[0]), asked)
            self.beats = {attempt: beat for (attempt, _), beat in zip(asked, found, strict=True) if beat is not None}
        except Exception as e:  # raised again where the answer is taken
            self.error = e
        finally:
            self.done.set()
