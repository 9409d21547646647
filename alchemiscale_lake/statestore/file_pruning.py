"""Pruning of kept files: which rows are given up, and the deletion of content that no other row needs.

Rows are given up first, in `pruned_files`; then content that no row, and no attempt that may still be recorded, relies
on is deleted. So nothing that a table points to is deleted, and a pruning that was killed is continued by the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Final

import polars as pl

from ..amounts import format_seconds
from ..caller import Caller
from ..faults import fault_point
from ..ids import Scope
from ..store import ContentFolder, Lake, attempt_folder, collect, condemn, content_folders, now_utc, remove_content
from ..store.parallel_requests import at_once
from ..tasks.states import ACTIONABLE
from .network_members import network_transformations
from .stored_files import pruned_files, stored_files

__all__ = ["Pruning", "Retention", "prune_files"]

#: An attempt that was claimed, or left a mark, within this time may still leave a result.
_MAY_RETURN: Final = timedelta(days=30)
#: Folders that are condemned before it is read again who needs them.
_BATCH: Final = 500
_ROW: Final = ("scope", "task", "attempt", "path", "n_bytes", "ended_at", "object_path")


@dataclass(frozen=True, slots=True)
class Retention:
    """Which kept files are given up.

    Attributes
    ----------
    keep_s : float or None
        Time since the end of their attempt for which files are kept, seconds; None for ever.
    scopes : tuple of str
        Scopes or patterns of them that this is limited to; empty for all.
    networks : tuple of str
        ScopedKeys of the networks that this is limited to; empty for all.
    pattern : str
        Only files whose path matches; `*` also matches `/`.
    """

    keep_s: float | None = None
    scopes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    pattern: str = "*"

    @property
    def rule(self) -> str:
        """Return the rule in words, as `pruned_files` has it."""
        age = "" if self.keep_s is None else f"older than {format_seconds(self.keep_s)}"
        return age if self.pattern == "*" else f"{age}, {self.pattern}"


@dataclass(frozen=True, slots=True)
class Pruning:
    """Outcome of a pruning; of a dry run, what it would do.

    Attributes
    ----------
    rows : polars.DataFrame
        Files given up: scope, task, attempt, path, n_bytes, ended_at, object_path.
    n_spared : int
        Files that the rule concerns, and that are kept because an unfinished Task continues theirs.
    n_deleted : int
        Copies of content deleted.
    deleted_bytes : int
        Their size.
    dry_run : bool
        Nothing was changed.
    """

    rows: pl.DataFrame
    n_spared: int
    n_deleted: int
    deleted_bytes: int
    dry_run: bool


def prune_files(
    lake: Lake,
    retention: Retention,
    *,
    caller: Caller,
    dry_run: bool = False,
    now: datetime | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Pruning:
    """Give up kept files by a rule, and delete content that nothing needs; beside any number of writers.

    Content of attempts that were killed before they left a result is deleted too, after 30 days.

    Parameters
    ----------
    lake : Lake
    retention : Retention
    caller : Caller
        Needs the right `domain` in the Scopes concerned.
    dry_run : bool, default False
        Only report.
    now : datetime, optional
        Time from which ages are measured; default: the clock that dates the lake's objects.
    tell : callable, optional
        Called with a line before each step.

    Raises
    ------
    NotFoundError
        If a network is not in the lake. Nothing is changed.
    PermissionDeniedError
        If the caller may not do this. Nothing is changed.
    StorageError
        If the storage keeps failing. What was done stays, and the next pruning continues.
    """
    at = now or (now_utc() if dry_run else lake.objects.stamp("files"))
    tell("files: looking for those to give up")
    rows, n_spared = _given_up(lake, retention, at)
    caller.require("domain", rows["scope"].unique())
    if not dry_run and len(rows):
        facts = {"pruned_at": now_utc(), "pruned_by": caller.name, "reason": retention.rule}
        keys = rows.select("scope", "attempt", "path").to_dicts()
        lake.table("pruned_files").append_new([key | facts for key in keys])
        fault_point("prune:rows-written")
    tell("files: looking for content that nothing needs")
    known = _Known.of(lake, at, without=rows)
    doomed = [found for folder in _folders(lake, retention, caller, rows) if (found := known.unneeded(folder))]
    if not dry_run:
        removed = list[ContentFolder]()
        for start in range(0, len(doomed), _BATCH):
            tell(f"files: deleting content {start + 1} of {len(doomed)}")
            removed += _remove(lake, doomed[start : start + _BATCH], at)
        doomed = removed
    sizes = [size for folder in doomed for size in folder.contents.values()]
    return Pruning(rows, n_spared, len(sizes), sum(sizes), dry_run)


def _given_up(lake: Lake, retention: Retention, now: datetime) -> tuple[pl.DataFrame, int]:
    """Return the rows that the rule gives up, and the number of those that are spared."""
    results = lake.table("results").scan().select("scope", "attempt", "task", "transformation", "ended_at")
    chosen = pl.lit(retention.keep_s is not None)
    if retention.keep_s is not None:
        chosen = pl.col("ended_at") < now - timedelta(seconds=retention.keep_s)
    if retention.networks:
        members = {member for network in retention.networks for member in network_transformations(lake, network)}
        chosen &= pl.col("transformation").is_in(list(members))
    files = stored_files(lake).filter(pl.col("object_path").str.starts_with("files/"))
    rows = collect(files.join(results.filter(chosen), on=["scope", "attempt"]).select(_ROW), "kept files")
    wanted = [_is_chosen(scope, path, retention) for scope, path in rows.select("scope", "path").iter_rows()]
    rows = rows.filter(pl.Series(wanted, dtype=pl.Boolean)).sort("scope", "task", "attempt", "path")
    tasks = lake.task_log.states().tasks
    extended = tasks.filter(pl.col("status").is_in(list(ACTIONABLE)) & pl.col("extends").is_not_null())["extends"]
    spared = pl.col("task").is_in(extended.to_list())
    return rows.filter(~spared), int(rows.select(spared.sum()).item() or 0)


def _is_chosen(scope: str, path: str, retention: Retention) -> bool:
    among = not retention.scopes or any(Scope.parse(one).is_superset(Scope.parse(scope)) for one in retention.scopes)
    return among and fnmatchcase(path, retention.pattern)


def _folders(lake: Lake, retention: Retention, caller: Caller, rows: pl.DataFrame) -> Iterator[ContentFolder]:
    """Yield the folders of content that may have become unneeded, in Scopes where the caller may delete."""
    # a copied result refers to content in the Scope where it was computed
    scopes = {path.split("/")[1] for path in rows["object_path"].unique()}
    for scope in lake.objects.children("files"):
        wanted = _is_chosen(scope, "", replace(retention, pattern="*")) if not retention.networks else False
        if (wanted or scope in scopes) and caller.may("domain", scope):
            yield from content_folders(lake.objects, scope)


def _remove(lake: Lake, folders: Sequence[ContentFolder], now: datetime) -> Iterator[ContentFolder]:
    """Delete what is unneeded in folders; yield what was deleted."""
    fresh = at_once(lambda folder: condemn(lake.objects, folder), folders)
    # read after the marks: an attempt that was recorded since has its rows, one that was not is in the log
    known = _Known.of(lake, now)
    doomed = [found for folder in fresh if (found := known.unneeded(folder))]
    fault_point("prune:decided")
    at_once(lambda folder: remove_content(lake.objects, folder), doomed)
    yield from doomed


@dataclass(frozen=True, slots=True)
class _Known:
    """What the tables say about content: its rows, and attempts that may still get some."""

    lake: Lake
    since: datetime
    live: Mapping[str, frozenset[str]]
    named: Mapping[str, frozenset[str]]
    recorded: frozenset[str]
    active: frozenset[str]

    @classmethod
    def of(cls, lake: Lake, now: datetime, *, without: pl.DataFrame | None = None) -> _Known:
        """Read it, as if some rows had been given up."""
        since = now - _MAY_RETURN
        # rows are written before their result: those of an attempt that is recorded here are read after it
        results = collect(lake.table("results").scan().select("attempt"), "table 'results'")
        log = lake.table("task_log").scan().filter((pl.col("event") == "claimed") & (pl.col("at") > since))
        claimed = collect(log.select("of_attempt").drop_nulls(), "the log of Tasks")
        running = [state.attempt for state in lake.task_log.states().running().values()]
        given_up = collect(pruned_files(lake), "table 'pruned_files'")
        rows = collect(lake.table("result_files").scan().select(*given_up.columns, "object_path"), "kept files")
        live = rows.join(given_up, on=given_up.columns, how="anti")
        if without is not None:
            live = live.join(without, on=given_up.columns, how="anti")
        return cls(
            lake=lake,
            since=since,
            live=_attempts(live, "object_path"),
            named=_attempts(rows.with_columns(pl.col("object_path").str.replace(r"/[^/]*$", "")), "object_path"),
            recorded=frozenset(results["attempt"]),
            active=frozenset(claimed["of_attempt"]) | frozenset(filter(None, running)),
        )

    def unneeded(self, folder: ContentFolder) -> ContentFolder | None:
        """Return what may be deleted of a folder; None if that is nothing."""
        if any(self._may_need(folder, attempt, at) for attempt, at in folder.marks.items()):
            return None
        contents = {path: size for path, size in folder.contents.items() if path not in self.live}
        unfinished = {path: at for path, at in folder.unfinished.items() if at < self.since}
        if not contents and not unfinished:
            return None
        relied_on = frozenset[str]().union(*(self.live.get(path, ()) for path in folder.contents))
        marks = {attempt: at for attempt, at in folder.marks.items() if attempt not in relied_on}
        return replace(folder, contents=contents, unfinished=unfinished, marks=marks)

    def _may_need(self, folder: ContentFolder, attempt: str, marked_at: datetime) -> bool:
        """Return whether an attempt may rely on content without a row that says so."""
        if attempt in self.recorded:
            # its rows were lost otherwise, and a repair restores them
            return attempt not in self.named.get(folder.path, ())
        if attempt in self.active or marked_at >= self.since:
            return True
        return self.lake.objects.exists(f"{attempt_folder(folder.scope, attempt)}/receipt.arrow")


def _attempts(rows: pl.DataFrame, column: str) -> dict[str, frozenset[str]]:
    grouped = rows.group_by(column).agg("attempt")
    return {place: frozenset(attempts) for place, attempts in grouped.select(column, "attempt").iter_rows()}
