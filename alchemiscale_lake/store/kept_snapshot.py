"""A table's newest snapshot, brought up to date or used again instead of opened again while that is cheaper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from .commit import clocks_s, elapsed_s
from .delta_log import DeltaLog

__all__ = ["KeptSnapshot"]

#: Time and number of commits for which a snapshot is updated: one that has seen many commits is slower than a new one,
#: and one that was suspended may lack entries that maintenance has removed.
_KEEP_S: Final = 60.0
_KEEP_COMMITS: Final = 50
#: Time for which a snapshot that was brought up to date is used again if a folder shows no newer entry. A shared file
#: system may show it late, so that one who lost a race must look again.
_TRUST_S: Final = 1.0


class KeptSnapshot:
    """Return the newest snapshot.

    Parameters
    ----------
    open_table : callable
        Opens the newest version.
    log : DeltaLog
        Of the table. Checks each version that an update reached.
    """

    def __init__(self, open_table: Callable[[], DeltaTable], log: DeltaLog) -> None:
        self._open_table = open_table
        self._log = log
        self._read: tuple[DeltaTable, tuple[float, ...], object] | None = None
        self._delta: DeltaTable | None = None
        self._opened: tuple[float, ...] = ()
        self._opened_version = 0
        self._looked: tuple[float, ...] = ()

    def to_read(self) -> DeltaTable:
        """Return the newest snapshot, which nobody changes: the last one, if it is recent and still the newest.

        Thread-safe. Nothing may be committed through it.

        Raises
        ------
        NotALakeError, DamagedError, StorageError
        """
        if self._read is not None:
            delta, opened, entry = self._read
            if elapsed_s(opened) < _KEEP_S and entry is not None and self._log.newest_entry(delta.version()) == entry:
                return delta
        opened, delta = clocks_s(), self._open_table()
        self._read = delta, opened, self._log.newest_entry(delta.version())
        return delta

    def newest(self) -> DeltaTable:
        """Return the newest snapshot: the last one brought up to date, if it is recent.

        Not thread-safe: this changes the snapshot that it returned before.

        Raises
        ------
        NotALakeError, DamagedError, StorageError
        """
        delta = self._delta
        kept = (
            delta is not None
            and elapsed_s(self._opened) < _KEEP_S
            and delta.version() - self._opened_version < _KEEP_COMMITS
        )
        if delta is not None and kept and self._is_trusted(delta):
            return delta
        self._delta = None  # should this fail, the next call opens the table again
        self._delta = self._updated(delta) if delta is not None and kept else self._anew()
        return self._delta

    def drop(self) -> None:
        """Open the table next time: a new snapshot is cheaper, such as after a checkpoint."""
        self._delta = None

    def _is_trusted(self, delta: DeltaTable) -> bool:
        """Return whether a snapshot was up to date a moment ago, and the log still ends with it."""
        return elapsed_s(self._looked) < _TRUST_S and self._log.newest_entry(delta.version()) is not None

    def _updated(self, delta: DeltaTable) -> DeltaTable:
        """Bring a snapshot up to date at the cost of the new commits; open the table again if that fails."""
        self._looked = clocks_s()
        try:
            delta.update_incremental()
        except (DeltaError, OSError):
            return self._anew()
        self._log.check(delta.version())
        return delta

    def _anew(self) -> DeltaTable:
        opened, delta = clocks_s(), self._open_table()
        self._looked = self._opened = opened
        self._opened_version = delta.version()
        return delta
