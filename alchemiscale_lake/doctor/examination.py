"""The examination: all checks of a lake, in an order in which a damaged table spoils no other check.

What another process is writing just now may look wrong, so a check that finds something is repeated a moment later, and
only what it finds twice counts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from ..errors import DamagedMarkerError, LakeVersionError, MissingMarkerError
from ..schemas import FORMAT
from ..store import Lake, check_table, now_utc
from .clocks import check_clocks
from .histories import check_histories
from .lake_files import check_objects, check_unknown_files, findings_of, unknown_tables
from .lake_finding import EXIT_CODES, REPAIR, LakeFinding, Severity, worst
from .named_objects import check_named_objects, check_orphans, check_receipts
from .references import check_keys, check_references
from .upkeep import check_format, check_upkeep

__all__ = ["Diagnosis", "examine"]

_log = logging.getLogger(__name__)
#: Time after which a check that found something is repeated.
_PATIENCE_S: Final = 3.0

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Outcome of an examination.

    Attributes
    ----------
    findings : sequence of LakeFinding
        The worst first.
    n_files : int
        Files that were read or compared.
    n_bytes : int
        Bytes that were read.
    quick : bool
        Whether content was not compared with its digests.
    wall_time_s : float
    """

    findings: Sequence[LakeFinding]
    n_files: int
    n_bytes: int
    quick: bool
    wall_time_s: float

    @property
    def exit_code(self) -> int:
        """Return the exit code of a command that reports this."""
        return EXIT_CODES[worst(self.findings)]


def examine(
    place: str | Path, *, quick: bool = False, tell: Tell | None = None, patience_s: float = _PATIENCE_S
) -> Diagnosis:
    """Examine a lake; nothing is changed.

    Parameters
    ----------
    place : str or Path
        Folder, or URL of a bucket and prefix.
    quick : bool, default False
        Do not read data files and objects: only logs, sizes, and the columns that are compared.
    tell : callable, optional
        Called with a line before each step.
    patience_s : float, default 3.0
        Time after which a check that found something is repeated.

    Raises
    ------
    NotALakeError
        If there is no lake.
    LakeVersionError
        If a newer version of alchemiscale-lake wrote it.
    StorageError
        If the storage does not answer.
    """
    began = time.monotonic()
    opened = _opened(place)
    if isinstance(opened, LakeFinding):
        return Diagnosis([opened], 0, 0, quick, time.monotonic() - began)
    examination = _Examination(opened, quick, tell or _log.info, patience_s)
    findings = sorted(examination.run(), key=lambda found: -list(Severity).index(found.severity))
    return Diagnosis(findings, examination.n_files, examination.n_bytes, quick, time.monotonic() - began)


def _opened(place: str | Path) -> Lake | LakeFinding:
    """Return the lake, or why it does not open."""
    try:
        return Lake.open(place)
    except (MissingMarkerError, DamagedMarkerError):
        what = "missing or damaged: no other command opens the lake; nothing else was examined"
        return LakeFinding(Severity.DAMAGE, "lake", "lake.json", what, REPAIR)
    except LakeVersionError as e:
        if e.facts["format"] > FORMAT:
            raise
        return LakeFinding(Severity.DAMAGE, "lake", "lake.json", e.message, "alchemiscale-lake migrate")


class _Examination:
    """One run of all checks."""

    def __init__(self, lake: Lake, quick: bool, tell: Tell, patience_s: float) -> None:
        self._lake, self._quick, self._tell, self._patience_s = lake, quick, tell, patience_s
        self._now: datetime = now_utc()
        self.n_files = self.n_bytes = 0

    def run(self) -> Iterator[LakeFinding]:
        lake, tell, now = self._lake, self._tell, self._now
        yield from check_format(lake)
        yield from unknown_tables(lake)
        sound = []
        names = lake.tables
        for i, name in enumerate(names, 1):
            tell(f"table {i} of {len(names)}: {name}")
            found = list(self._twice(lambda name=name: self._table(name)))  # type: ignore[misc]
            yield from found
            if all(finding.severity is not Severity.DAMAGE for finding in found):
                sound.append(name)
                yield from check_upkeep(lake, name, now)
        if len(sound) < len(names):
            what = f"rows of damaged tables were not compared: {', '.join(sorted(set(names) - set(sound)))}"
            yield LakeFinding(Severity.NOTE, "lake", "tables", what, advice="repair them, and run `doctor` again")
        yield from self._twice(lambda: check_unknown_files(lake))
        yield from self._twice(lambda: check_keys(lake, sound, tell))
        yield from self._twice(lambda: check_references(lake, sound, tell))
        yield from self._twice(lambda: check_histories(lake, sound, tell))
        yield from self._twice(lambda: check_clocks(lake, sound, now, tell))
        yield from self._twice(lambda: check_receipts(lake, sound, tell))
        yield from check_orphans(lake, sound, now)
        yield from self._twice(lambda: check_named_objects(lake, sound, tell))
        if not self._quick:
            yield from self._twice(self._objects)

    def _table(self, name: str) -> list[LakeFinding]:
        checked = check_table(self._lake, name, read=not self._quick)
        self.n_files += checked.n_files
        self.n_bytes += checked.n_bytes
        return findings_of(self._lake, checked)

    def _objects(self) -> Iterator[LakeFinding]:
        for checked in check_objects(self._lake, self._tell):
            self.n_files += checked.n_files
            self.n_bytes += checked.n_bytes
            # those that are missing were found by the listing
            yield from (found for found in findings_of(self._lake, checked) if found.what != "is missing")

    def _twice(self, check: Callable[[], Iterable[LakeFinding]]) -> Iterator[LakeFinding]:
        """Yield what a check finds, and finds again a moment later."""
        found = list(check())
        if not found:
            return
        time.sleep(self._patience_s)
        again = {finding.identity for finding in check()}
        yield from (finding for finding in found if finding.identity in again)
