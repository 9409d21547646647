"""Durations for which observed values have not changed, by one clock: this machine's, or the bucket's.

Clocks of different machines are not compared. A watcher records when it first saw a value and, by its own monotonic
clock, how long it has been unchanged. Observations are stored in the lake, at `watch/<pool>/`, so that a dispatcher in
batch mode (`--once`) continues those of the last one:

- in a folder by the monotonic clock of this machine, which all its processes share until it reboots. For observations
  made on another machine, only the time between that machine's own checks counts;
- in a bucket by the bucket's clock, which dates the objects, whichever machine checks.
"""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from ..errors import NotFoundError, StorageError
from ..store import Lake, ObjectInfo

__all__ = ["Sightings", "machine_clock"]

_log = logging.getLogger(__name__)
_FOLDER: Final = "watch"
#: Interval between writes of the observations.
_SAVED_EVERY_S: Final = 300.0
_UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError)


def machine_clock() -> str:
    """Return an identifier of the clock behind `time.monotonic`: this machine since its last boot."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return boot.read_text().strip() if boot.exists() else socket.gethostname()


class Sightings:
    """Observations of one dispatcher.

    Parameters
    ----------
    lake : Lake
    pool : str
        Dispatchers of the same pool share their observations.
    clock : callable, optional
        Monotonic clock, seconds; default: that of this machine.
    clock_name : str, optional
        Identifier by which a later process recognises the same clock.
    """

    def __init__(
        self,
        lake: Lake,
        pool: str,
        *,
        clock: Callable[[], float] | None = None,
        clock_name: str | None = None,
    ) -> None:
        self._lake, self._clock = lake, clock or time.monotonic
        self._clock_name = clock_name or machine_clock()
        self._folder = f"{_FOLDER}/{quote(pool, safe='')}"
        self._seen: dict[str, dict[str, tuple[str, float]]] = {}
        self._looked_at: dict[str, float] = {}
        self._recalled: dict[tuple[str, str, str], float] = {}
        self._files: dict[str, set[str]] = {}
        self._saved_at: float | None = None

    def forget(self) -> None:
        """Restart all observations: while the lake did not answer, no attempt could write a heartbeat."""
        self._seen.clear()
        self._looked_at.clear()
        self._recalled.clear()

    def look(self, kind: str, signs: Mapping[str, str], *, at_most_s: float | None = None) -> dict[str, float]:
        """Record the current values, and return for how many seconds each has been unchanged.

        Parameters
        ----------
        kind : str
            Kind of value; values of this kind that are not in `signs` are forgotten.
        signs : mapping
            Value by owner.
        at_most_s : float, optional
            Maximum time since the last check that counts: a process that was suspended for an hour, possibly together
            with its neighbours, has not watched for an hour.
        """
        now = self._clock()
        passed_s = max(0.0, now - self._looked_at.get(kind, now))
        passed_s = passed_s if at_most_s is None else min(passed_s, at_most_s)
        before, seen = self._seen.get(kind, {}), dict[str, tuple[str, float]]()
        for whose, sign in signs.items():
            last = before.get(whose)
            if last is not None and last[0] == sign:
                seen[whose] = sign, last[1] + passed_s
            else:
                seen[whose] = sign, self._recalled.pop((kind, whose, sign), 0.0)
        self._seen[kind], self._looked_at[kind] = seen, now
        return {whose: unmoved_s for whose, (_, unmoved_s) in seen.items()}

    def note(self, kind: str, seen: Mapping[str, tuple[str, float]]) -> None:
        """Record values (value, seconds unchanged) whose age is known otherwise, to be stored with the rest.

        Parameters
        ----------
        kind : str
            Kind of the values, such as `OWN_LEASES`.
        seen : mapping of str to tuple of str, float
            Value, and how long it has been unchanged in s, by whom it describes.
        """
        self._seen[kind] = dict(seen)

    def unmoved_s(self, kind: str, whose: str, sign: str) -> float | None:
        """Return how long a value had been unchanged at the last check; None if it was not seen yet.

        Parameters
        ----------
        kind : str
            Kind of the values, such as `OWN_LEASES`.
        whose : str
            Attempt, host or process that the value describes.
        sign : str
            The value.
        """
        last = self._seen.get(kind, {}).get(whose)
        if last is not None and last[0] == sign:
            return last[1]
        return self._recalled.get((kind, whose, sign))

    # --- between processes ------------------------------------------------------------------------

    def recall(self) -> None:
        """Load the observations of earlier dispatchers of the pool.

        Raises
        ------
        StorageError
            If the lake does not answer.
        """
        files = [info for info in self._lake.objects.list_with_times(self._folder) if not info.is_temporary]
        self._files = {}
        for info in files:
            try:
                self._take_up(info, json.loads(self._lake.objects.get(info.path)))
            except NotFoundError:
                continue
            except _UNREADABLE as e:
                _log.warning("%s is ignored because it cannot be read: %s", info.path, e)
                self._files[info.path] = set()

    def save(self, kept: Collection[str], *, now: bool = False) -> None:
        """Store the observations of `kept` if due; a failing storage is logged as a warning.

        Parameters
        ----------
        kept : collection of str
            Owners that still matter; observations by machines that have disappeared are deleted.
        now : bool
            Store immediately.
        """
        reading = self._clock()
        if not now and self._saved_at is not None and reading - self._saved_at < _SAVED_EVERY_S:
            return
        kept = set(kept)
        content = {
            kind: {whose: [sign, unmoved_s] for whose, (sign, unmoved_s) in seen.items() if whose in kept}
            for kind, seen in self._seen.items()
        }
        try:
            if any(content.values()) or self._own_path in self._files:
                said = {"clock": self._clock_name, "at_s": reading, "seen": content}
                self._lake.objects.put(self._own_path, json.dumps(said).encode())
                self._files[self._own_path] = {whose for seen in content.values() for whose in seen}
            over = [path for path, whose in self._files.items() if kept.isdisjoint(whose) and path != self._own_path]
            self._lake.objects.delete(over)
            self._files = {path: whose for path, whose in self._files.items() if path not in over}
        except StorageError as e:
            _log.warning("the dispatcher's observations of other dispatchers could not be saved: %s", e)
        self._saved_at = reading

    @property
    def _in_bucket(self) -> bool:
        return self._lake.local_path is None

    @property
    def _own_path(self) -> str:
        name = "bucket" if self._in_bucket else quote(self._clock_name, safe="")
        return f"{self._folder}/{name}.json"

    def _take_up(self, info: ObjectInfo, said: Mapping[str, Any]) -> None:
        passed_s = self._passed_s(info, said)
        self._files[info.path] = set()
        for kind, seen in said["seen"].items():
            for whose, (sign, unmoved_s) in seen.items():
                key = str(kind), str(whose), str(sign)
                self._recalled[key] = max(self._recalled.get(key, 0.0), float(unmoved_s) + passed_s)
                self._files[info.path].add(str(whose))

    def _passed_s(self, info: ObjectInfo, said: Mapping[str, Any]) -> float:
        """Return the time since it was written, as far as a common clock exists."""
        if self._in_bucket:
            now = self._lake.objects.stamp(self._folder)
            return max(0.0, (now - info.modified_at).total_seconds())
        return max(0.0, self._clock() - float(said["at_s"])) if said["clock"] == self._clock_name else 0.0
