"""Output of the ProtocolUnits of an attempt: stdout, stderr and log, running or stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from ..errors import NotFoundError
from ..execution.capture import STREAMS, Stream
from ..execution.heartbeat import read_beat
from ..execution.live_output import live_runs, read_from
from ..store import Lake, collect
from .task_attempts import task_attempts

__all__ = ["OutputPart", "UnitOutput", "attempt_output", "live_parts"]

#: Most of a running unit's stream that is returned at once.
_LIVE_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True)
class OutputPart:
    """New output of one stream of a running unit.

    Attributes
    ----------
    key : str
        Identifies the stream in the attempt.
    name : str
        Name of the unit.
    try_number : int
    stream : str
        `stdout`, `stderr` or `log`.
    text : bytes
    """

    key: str
    name: str
    try_number: int
    stream: Stream
    text: bytes


@dataclass(frozen=True, slots=True)
class UnitOutput:
    """Output of one execution.

    Attributes
    ----------
    attempt : str
    unit : str or None
        gufe key of the ProtocolUnit; None for a step that is running and not a unit.
    name : str
        Name of the unit.
    try_number : int
        1 for the first execution within the attempt.
    ok : bool or None
        Whether it succeeded; None while it runs.
    exception, traceback : str or None
    started_at : datetime or None
    streams : mapping of str to bytes
        Content of `stdout`, `stderr` and `log`, as far as asked for and not empty.
    """

    attempt: str
    unit: str | None
    name: str
    try_number: int
    ok: bool | None
    exception: str | None
    traceback: str | None
    started_at: datetime | None
    streams: Mapping[str, bytes]


def attempt_output(
    lake: Lake,
    task: str,
    attempt: str | None = None,
    *,
    unit: str | None = None,
    streams: Collection[Stream] = STREAMS,
) -> list[UnitOutput]:
    """Return the output of an attempt at a Task, in the order in which its units ran.

    Parameters
    ----------
    lake : Lake
    task : str
        ScopedKey.
    attempt : str, optional
        The newest one that has run by default.
    unit : str, optional
        Only executions of this unit: its name or gufe key.
    streams : collection of str
        Streams to read.

    Raises
    ------
    NotFoundError
        If the Task has no such attempt or unit. The message names those that there are.
    StorageError
        If the lake does not answer.
    """
    attempts = task_attempts(lake, [task])
    chosen = _chosen(attempts, task, attempt)
    if chosen is None:
        return []
    found = _stored(lake, chosen, streams) or _live(lake, chosen, streams)
    if unit is None:
        return found
    kept = [one for one in found if unit in (one.unit, one.name)]
    if not kept:
        names = ", ".join(dict.fromkeys(one.name for one in found)) or "none yet"
        raise NotFoundError(f"attempt {chosen['attempt']} has no unit {unit!r}; it has {names}", unit=unit)
    return kept


def live_parts(lake: Lake, scope: str, task: str, attempt: str, seen: dict[str, int]) -> list[OutputPart]:
    """Return what a running attempt has written since the last call, if its work folder can be read from here.

    Parameters
    ----------
    lake : Lake
    scope : str
        Scope of the Task.
    task : str
        ScopedKey.
    attempt : str
        Identifier of the attempt.
    seen : dict of str to int
        Bytes that were returned already, by stream; updated.
    """
    beat = read_beat(lake, scope, attempt)
    parts = []
    for run in live_runs(beat.work, scope, task, attempt) if beat is not None and beat.work else []:
        for stream in STREAMS:
            key = f"{run.folder.name}/{stream}"
            if text := read_from(run.path(stream), seen.get(key, 0), _LIVE_BYTES):
                seen[key] = seen.get(key, 0) + len(text)
                parts.append(OutputPart(key, run.name, run.try_number, stream, text))
    return parts


def _chosen(attempts: pl.DataFrame, task: str, attempt: str | None) -> dict[str, Any] | None:
    if attempt is not None:
        rows = attempts.filter(pl.col("attempt") == attempt)
        if rows.is_empty():
            known = ", ".join(attempts["attempt"]) or "none"
            raise NotFoundError(f"{task} has no attempt {attempt!r}; it has {known}", attempt=attempt)
        return rows.row(0, named=True)
    ran = attempts.filter(pl.col("started_at").is_not_null())
    return ran.row(-1, named=True) if len(ran) else None


def _stored(lake: Lake, attempt: Mapping[str, Any], streams: Collection[Stream]) -> list[UnitOutput]:
    here = (pl.col("scope") == attempt["scope"]) & (pl.col("attempt") == attempt["attempt"])
    units = collect(lake.table("unit_results").scan().filter(here), "units").sort("started_at", "try_number", "name")
    return [
        UnitOutput(
            row["attempt"],
            row["unit"],
            row["name"],
            row["try_number"],
            row["ok"],
            row["exception"],
            row["traceback"],
            row["started_at"],
            _texts(lake, row, streams),
        )
        for row in units.iter_rows(named=True)
    ]


def _texts(lake: Lake, row: Mapping[str, Any], streams: Collection[Stream]) -> dict[str, bytes]:
    texts: dict[str, bytes] = {}
    for stream in streams:
        if (path := row[f"{stream}_path"]) is not None:
            try:
                texts[stream] = lake.objects.get(path)
            except NotFoundError:
                texts[stream] = f"[{path} is not in the lake any more]\n".encode()
    return texts


def _live(lake: Lake, attempt: Mapping[str, Any], streams: Collection[Stream]) -> list[UnitOutput]:
    beat = read_beat(lake, attempt["scope"], attempt["attempt"])
    if beat is None or beat.work is None:
        return []
    found: Sequence[Any] = live_runs(beat.work, attempt["scope"], attempt["task"], attempt["attempt"])
    return [
        UnitOutput(
            attempt["attempt"],
            run.unit,
            run.name,
            run.try_number,
            None,
            None,
            None,
            None,
            {s: text for s in streams if (text := read_from(run.path(s), -_LIVE_BYTES, _LIVE_BYTES))},
        )
        for run in found
    ]
