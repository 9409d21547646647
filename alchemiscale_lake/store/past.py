"""A lake as it was: its facts up to a moment, exact also after maintenance, which never deletes a row.

Facts are appended with their times, so a past state is a filter. Times are those of the writers' clocks. A single table
can also be read at one of its own versions, as long as maintenance keeps the files of that version.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any, Final, NoReturn

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from ..errors import NotFoundError, NotWritableError, SettingsError
from ..schemas import FORMAT, TableSchema
from .decoded_table import DecodedTable
from .location import Location
from .objects import ObjectStore
from .storage_errors import collect
from .table import LakeTable

__all__ = ["TIMES", "Moment", "PastTable", "parse_moment", "resolved"]

#: When the rows of a table were written; those of other tables belong to rows of these.
TIMES: Final[Mapping[str, str]] = {
    "gufe_objects": "ingested_at",
    "networks": "created_at",
    "transformations": "ingested_at",
    "calculations": "recorded_at",
    "tasks": "created_at",
    "task_log": "at",
    "network_log": "at",
    "results": "recorded_at",
    "pruned_files": "pruned_at",
    "hosts": "first_seen_at",
    "imports": "imported_at",
    "host_log": "at",
    "result_estimates": "gathered_at",
    "transformation_estimates": "estimated_at",
    "edge_estimates": "estimated_at",
    "network_estimates": "estimated_at",
    "network_findings": "found_at",
    "strategy_rounds": "at",
    "design_files": "at",
    "assays": "entered_at",
    "assay_log": "at",
    "link_log": "at",
    "cost_models": "trained_at",
    "migrations": "at",
}
#: Tables whose rows came with those of others: a column that both have, and where it is.
_WITH: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "network_members": ("network", ("networks",)),
    "replicates": ("attempt", ("results",)),
    "unit_results": ("attempt", ("results", "attempt_ends")),
    "result_files": ("attempt", ("results", "attempt_ends")),
    "refused_files": ("attempt", ("results", "attempt_ends")),
}
#: Folded from the log, so that in the past they are empty: states follow from the log.
_DERIVED: Final = frozenset({"task_snapshots", "action_snapshots"})
#: Events by which an attempt ends without a result.
_ENDS: Final = ("released", "expired", "status", "failed", "completed")
_VERSION: Final = re.compile(r"([a-z_]+)@(\d+)")


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in the history of a lake.

    Attributes
    ----------
    at : datetime or None
        Facts up to this time, UTC; None if it follows from `seq`, or for the present.
    seq : int or None
        Number of the last commit to the task log; overrides `at` there.
    versions : mapping of str to int
        Versions of single tables.
    """

    at: datetime | None = None
    seq: int | None = None
    versions: Mapping[str, int] = field(default_factory=dict)


def parse_moment(text: str) -> Moment:
    """Parse a date, a time, the number of a commit to the task log, or `TABLE@VERSION`.

    A date without a time is its end, UTC; so is a time without a zone.

    Raises
    ------
    SettingsError
        If it is none of these.

    Examples
    --------
    >>> parse_moment("2026-11-29").at.isoformat()
    '2026-11-29T23:59:59.999999+00:00'
    >>> parse_moment("1200").seq, dict(parse_moment("results@7").versions)
    (1200, {'results': 7})
    """
    text = text.strip()
    if text.isdigit():
        return Moment(seq=int(text))
    if (named := _VERSION.fullmatch(text)) is not None:
        return Moment(versions={named[1]: int(named[2])})
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return Moment(datetime.combine(date.fromisoformat(text), time.max, UTC))
        at = datetime.fromisoformat(text)
    except ValueError as e:
        raise SettingsError(
            f"{text!r} is not a point in time; give a date (2026-11-29), a time (2026-11-29T12:00), the number of a "
            "commit to the task log (1200), or the version of a table (results@7)"
        ) from e
    return Moment(at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC))


def resolved(moment: Moment, log: LakeTable) -> Moment:
    """Return the moment with the time of its commit.

    Parameters
    ----------
    moment : Moment
    log : LakeTable
        The task log.

    Raises
    ------
    NotFoundError
        If there is no such commit.
    """
    if moment.seq is None:
        return moment
    found = collect(log.scan().filter(pl.col("seq") == moment.seq).select(pl.col("at").max()), "the log of Tasks")["at"]
    if found.is_empty() or found[0] is None:
        raise NotFoundError(
            f"the task log has no commit {moment.seq}; give a date, or an earlier commit", seq=moment.seq
        )
    return Moment(found[0], moment.seq, moment.versions)


class PastTable(LakeTable):
    """A table as it was at a moment. It can only be read.

    Parameters
    ----------
    location, schema, objects, format_
        As of `LakeTable`.
    moment : Moment
        Resolved.
    sibling : callable
        Returns another table of the same past lake by name.
    """

    def __init__(
        self,
        location: Location,
        schema: TableSchema,
        objects: ObjectStore,
        format_: int = FORMAT,
        *,
        moment: Moment,
        sibling: Callable[[str], LakeTable],
    ) -> None:
        super().__init__(location, schema, objects, format_)
        self._moment, self._sibling = moment, sibling

    def scan(self, delta: DeltaTable | None = None) -> pl.LazyFrame:
        """Scan the rows that there were."""
        version = self._moment.versions.get(self.schema.name)
        if version is not None:
            return super().scan(self._at_version(version))
        frame = super().scan(delta)
        return frame if self._moment.at is None else self._until(frame, self._moment.at)

    def plain_files(self, delta: DeltaTable) -> list[str]:
        """Return none: files also have later rows."""
        return []

    def append(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: the past does not change.

        Parameters
        ----------
        *args, **kwargs
            As of `LakeTable.append`.

        Raises
        ------
        NotWritableError
        """
        raise NotWritableError(f"table '{self.schema.name}' is read as of {self._moment.at}; open the lake to write")

    replace = append

    def _until(self, frame: pl.LazyFrame, at: datetime) -> pl.LazyFrame:
        name = self.schema.name
        if name in _DERIVED:
            return frame.filter(pl.lit(False))
        if name == "attempt_ends":
            log = self._sibling("task_log").scan().filter(pl.col("event").is_in(_ENDS))
            return frame.join(log.select(attempt="of_attempt").unique(), on="attempt", how="semi")
        if name in _WITH:
            column, tables = _WITH[name]
            there = pl.concat([self._sibling(each).scan().select(column) for each in tables]).unique()
            return frame.join(there, on=column, how="semi")
        if name == "task_log" and self._moment.seq is not None:
            return frame.filter(pl.col("seq") <= self._moment.seq)
        return frame.filter(pl.col(TIMES[name]) <= at)

    def _at_version(self, version: int) -> DeltaTable:
        name = self.schema.name
        try:
            delta = DecodedTable(self._uri, version=version, storage_options=self._options)
            missing = [path for path in delta.file_uris() if not self.objects.exists(self._within(path))]
        except (DeltaError, OSError, ValueError) as e:
            raise self._gone_version(version) from e
        if missing or name in _DERIVED:
            raise self._gone_version(version)
        return delta

    def _within(self, uri: str) -> str:
        return f"{self.folder}/{uri.rpartition(f'/{self.folder}/')[2]}"

    def _gone_version(self, version: int) -> NotFoundError:
        newest = self.snapshot().version()
        return NotFoundError(
            f"table '{self.schema.name}' cannot be read at version {version}: its newest is {newest}, and maintenance "
            "deletes the files of old versions; a date is answered from the rows, which are all kept",
            table=self.schema.name,
            version=version,
        )
