"""How long signs of others have not moved, by one clock: this machine's, or the bucket's.

Clocks of different machines are not compared. A watcher notes when it first saw a sign and, by its own
monotonic clock, for how long it has stayed the same. What was seen is kept in the lake, at
`watch/<pool>/`, so that a dispatcher that takes one turn and ends (`--once`) goes on where the last one was:

- on a folder by the monotonic clock of this machine, which all its processes share until it is booted again.
  Of what was watched on another machine, only the time between its own looks counts;
- in a bucket by the bucket's clock, which dates the objects, whichever machine looks.
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
#: What is seen is written down this often.
_SAVED_EVERY_S: Final = 300.0
_UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError)


def machine_clock() -> str:
    """Name the clock that `time.monotonic` reads: this machine since it was booted."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return boot.read_text().strip() if boot.exists() else socket.gethostname()


class Sightings:
    """What one dispatcher has seen of others.

    Parameters
    ----------
    lake : Lake
    pool : str
        Whose dispatchers continue each other's watch.
    clock : callable, optional
        Monotonic, seconds; by default that of this machine.
    clock_name : str, optional
        By which a later process knows that it reads the same clock.
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
        """Begin to watch anew: while the lake did not answer, nobody could give a sign of life."""
        self._seen.clear()
        self._looked_at.clear()
        self._recalled.clear()

    def look(self, kind: str, signs: Mapping[str, str], *, at_most_s: float | None = None) -> dict[str, float]:
        """Note what is seen now, and return for how many seconds each sign has been the same.

        Parameters
        ----------
        kind : str
            Kind of sign; those of a kind that are not among `signs` are forgotten.
        signs : mapping
            Sign by whose it is.
        at_most_s : float, optional
            The time since the last look counts for no more than this: a process that was stopped for an hour,
            and its neighbours with it, has not watched for an hour.
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
        """Note signs (sign, seconds unmoved) whose age is known otherwise, to be saved with the rest."""
        self._seen[kind] = dict(seen)

    def unmoved_s(self, kind: str, whose: str, sign: str) -> float | None:
        """Return for how long a sign has been the same as of the last look; None if it was not seen yet."""
        last = self._seen.get(kind, {}).get(whose)
        if last is not None and last[0] == sign:
            return last[1]
        return self._recalled.get((kind, whose, sign))

    # --- between processes ------------------------------------------------------------------------

    def recall(self) -> None:
        """Take up what earlier dispatchers of the pool have seen.

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
                _log.warning("%s is ignored, it cannot be read: %s", info.path, e)
                self._files[info.path] = set()

    def save(self, kept: Collection[str], *, now: bool = False) -> None:
        """Write down what is seen of those kept, if that is due; a storage that fails is warned of.

        Parameters
        ----------
        kept : collection of str
            Whose signs still matter; what machines that nobody hears of any more saw of others is deleted.
        now : bool
            Do not wait until it is due.
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
            _log.warning("what the dispatcher has seen of others could not be saved: %s", e)
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
        """Return the time since it was written, as far as one clock knows."""
        if self._in_bucket:
            now = self._lake.objects.stamp(self._folder)
            return max(0.0, (now - info.modified_at).total_seconds())
        return max(0.0, self._clock() - float(said["at_s"])) if said["clock"] == self._clock_name else 0.0
