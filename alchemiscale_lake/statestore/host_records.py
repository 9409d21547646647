"""Host records: recent results and user decisions, and which hosts are excluded now.

The only state is the results themselves and the decisions in `host_log`: every dispatcher on the lake, even one that
has just started, computes the same list. Results of the last two weeks count. They are read at once, only when the
table has grown, and within a twentieth of the time, so that a small campaign detects a bad host within a second and a
big one within fifteen. The rules are in `tasks.quarantine`; workers read the list that `publish` writes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from weakref import WeakKeyDictionary

import polars as pl

from ..caller import Caller
from ..errors import NotFoundError, SettingsError
from ..execution.host_faults import PAUSED
from ..execution.quarantine_list import publish_quarantine, read_quarantine
from ..ids import Scope
from ..settings import QuarantineRules
from ..store import HostDecision, Lake, collect, now_utc
from ..suggestions import did_you_mean
from ..tasks.quarantine import OUTCOMES, HostRecord, fold_outcomes

__all__ = [
    "failed_hosts",
    "host_records",
    "on_probation",
    "paused_hosts",
    "publish",
    "quarantine_host",
    "quarantined",
    "readmit_host",
    "require_known_host",
]

_LOOK_BACK: Final = timedelta(days=14)
_LONGEST_S: Final = 15.0
#: A host whose report is older, without results since, is not shown as paused.
_PAUSED_WITHIN: Final = timedelta(hours=2)
_PART_OF_TIME: Final = 0.05


@dataclass(slots=True)
class _Memory:
    """Cached data of one lake, and records by the last rules used."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    due_at: float = 0.0
    version: int = -1
    outcomes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=OUTCOMES))
    decisions: dict[str, HostDecision] = field(default_factory=dict)
    rules: QuarantineRules | None = None
    records: dict[str, HostRecord] = field(default_factory=dict)
    failed: dict[str, frozenset[str]] | None = None


_memories: WeakKeyDictionary[Lake, _Memory] = WeakKeyDictionary()
_memories_lock = threading.Lock()


def host_records(lake: Lake, rules: QuarantineRules) -> dict[str, HostRecord]:
    """Return the records of all hosts with recent results or a user decision.

    Parameters
    ----------
    lake : Lake
    rules : QuarantineRules
        `hosts` of the pools file.
    """
    memory = _remember(lake)
    with memory.lock:
        if memory.rules != rules:
            given = memory.decisions.values()
            readmitted = {d.hostname: d.readmitted_at for d in given if d.readmitted_at is not None}
            records = fold_outcomes(memory.outcomes, rules, readmitted)
            memory.records = records | {d.hostname: _decided(records, d) for d in given if d.until is not None}
            memory.rules = rules
        return dict(memory.records)


def quarantined(lake: Lake, rules: QuarantineRules, now: datetime | None = None) -> dict[str, datetime]:
    """Return the quarantined hosts, with the end of their quarantine.

    Parameters
    ----------
    lake : Lake
    rules : QuarantineRules
    now : datetime, optional
        Default: now.
    """
    now = now or now_utc()
    return {
        name: record.quarantined_until
        for name, record in host_records(lake, rules).items()
        if record.quarantined_until is not None and record.is_quarantined(now)
    }


def on_probation(lake: Lake, rules: QuarantineRules, now: datetime | None = None) -> set[str]:
    """Return hosts on probation: their quarantine is over, without a success since; one failure puts them back.

    A dispatcher that gives such a host one Task at a time loses only one, rather than as many as fit.

    Parameters
    ----------
    lake : Lake
    rules : QuarantineRules
        `hosts` of the pools file.
    now : datetime, optional
        Time, UTC, at which penalties are judged; by default, the present.
    """
    now = now or now_utc()
    records = host_records(lake, rules).values()
    return {record.hostname for record in records if record.is_on_probation(rules, now)}


def publish(lake: Lake, hosts: Mapping[str, datetime]) -> None:
    """Publish the list of quarantined hosts for workers, if it has changed.

    Parameters
    ----------
    lake : Lake
    hosts : mapping
        End of the quarantine by host name, as returned by `quarantined`.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    if read_quarantine(lake) != dict(hosts):
        publish_quarantine(lake, hosts)


def paused_hosts(lake: Lake) -> dict[str, tuple[datetime, str]]:
    """Return hosts that recently released or refused Tasks because they lack something: last time, and reason.

    A host with a result since then has recovered. The host itself decides when it resumes; it is not in quarantine.
    """
    log = lake.table("task_log").scan()
    released = (pl.col("event") == "released") & (pl.col("at") > now_utc() - _PAUSED_WITHIN)
    said = pl.col("reason").str.extract_groups(rf"{PAUSED}: (?<why>.*) \((?<hostname>[^()]*)\)$")
    rows = collect(log.filter(released).select("at", said=said).unnest("said"), "paused hosts")
    last = rows.drop_nulls().sort("at").unique("hostname", keep="last")
    memory = _remember(lake)
    with memory.lock:
        seen = dict(memory.outcomes.group_by("hostname").agg(pl.col("ended_at").max()).iter_rows())
    return {
        host: (at, why)
        for at, why, host in last.select("at", "why", "hostname").iter_rows()
        if host not in seen or seen[host] < at
    }


def failed_hosts(lake: Lake, tasks: Collection[str] | None = None) -> dict[str, frozenset[str]]:
    """Return hosts where Tasks failed recently, for the given Tasks or all; Tasks without failures are left out.

    Parameters
    ----------
    lake : Lake
    tasks : collection of str, optional
        ScopedKeys of the Tasks.
    """
    memory = _remember(lake)
    with memory.lock:
        if memory.failed is None:
            rows = memory.outcomes.filter(~pl.col("ok")).group_by("task").agg(pl.col("hostname").unique())
            memory.failed = {task: frozenset(hosts) for task, hosts in rows.iter_rows()}
        failed = memory.failed
    return dict(failed) if tasks is None else {task: failed[task] for task in tasks if task in failed}


def quarantine_host(lake: Lake, hostname: str, until: datetime, *, caller: Caller, reason: str | None = None) -> None:
    """Quarantine a host until the given time, whatever its results are.

    Parameters
    ----------
    lake : Lake
    hostname : str
        Name of the host, as in the results.
    until : datetime
        End of the quarantine, UTC.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    reason : str, optional
        Free text, recorded in the log.

    Raises
    ------
    SettingsError
        If that time is in the past.
    """
    caller.require("admin", [Scope()])
    if until <= now_utc():
        raise SettingsError(
            f"{until.isoformat()} is in the past; give a later time, or end the quarantine with "
            f"`alchemiscale-lake hosts readmit {hostname}`",
            value=until,
        )
    lake.host_log.decide(hostname, until, caller=caller, reason=reason)
    _forget(lake)
    publish_quarantine(lake, read_quarantine(lake) | {hostname: until})


def readmit_host(lake: Lake, hostname: str, *, caller: Caller, reason: str | None = None) -> None:
    """End a host's quarantine and ignore its earlier results.

    Parameters
    ----------
    lake : Lake
    hostname : str
        Name of the host, as in the results.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    reason : str, optional
        Free text, recorded in the log.

    Raises
    ------
    NotFoundError
        If no result and no decision names this host.
    """
    caller.require("admin", [Scope()])
    require_known_host(lake, hostname)
    lake.host_log.decide(hostname, None, caller=caller, reason=reason)
    _forget(lake)
    publish_quarantine(lake, {name: until for name, until in read_quarantine(lake).items() if name != hostname})


def require_known_host(lake: Lake, hostname: str, *, otherwise: str = "") -> None:
    """Raise NotFoundError, with the name that was probably meant, if neither results nor decisions name a host.

    Parameters
    ----------
    lake : Lake
    hostname : str
    otherwise : str, optional
        Last clause of the message.
    """
    seen = [lake.table(table).scan().select("hostname") for table in ("results", "hosts")]
    named = collect(pl.concat(seen).unique().drop_nulls(), "names of hosts")["hostname"]
    known = {*named, *read_quarantine(lake), *paused_hosts(lake), *_remember(lake).decisions}
    if hostname not in known:
        meant = did_you_mean(hostname, known) or "; `alchemiscale-lake hosts` lists hosts"
        raise NotFoundError(f"the lake knows no host {hostname!r}{meant}{otherwise}", hostname=hostname)


def _decided(records: dict[str, HostRecord], decision: HostDecision) -> HostRecord:
    """Return the record of a host that a user quarantined: the longer quarantine applies."""
    record = records.get(decision.hostname, HostRecord(decision.hostname))
    assert decision.until is not None
    if record.quarantined_until is not None and record.quarantined_until >= decision.until:
        return record
    reason = f"{decision.reason or 'no reason given'} (by {decision.actor})"
    return replace(record, quarantined_until=decision.until, reason=reason)


def _by_clock_of_recorders(rows: pl.DataFrame) -> pl.DataFrame:
    """Correct `ended_at` for a host's clock that is ahead or behind, using its most promptly recorded result.

    Otherwise a host with its clock ahead would be quarantined for longer, one with its clock behind never.
    """
    lag = pl.max_horizontal(pl.col("recorded_at") - pl.col("ended_at"), pl.duration())
    return rows.with_columns(
        ended_at=pl.min_horizontal(pl.col("ended_at") + lag.min().over("hostname"), pl.col("recorded_at"))
    )


def _memory(lake: Lake) -> _Memory:
    with _memories_lock:
        return _memories.setdefault(lake, _Memory())


def _forget(lake: Lake) -> None:
    memory = _memory(lake)
    with memory.lock:
        memory.due_at = 0.0


def _remember(lake: Lake) -> _Memory:
    """Update the cache if due."""
    memory = _memory(lake)
    with memory.lock:
        began = time.monotonic()
        if began < memory.due_at:
            return memory
        table = lake.table("results")
        delta = table.to_read()
        decisions = lake.host_log.decisions()
        if delta.version() != memory.version or decisions != memory.decisions:
            recent = table.scan(delta).filter(
                (pl.col("recorded_at") > now_utc() - _LOOK_BACK)
                & pl.col("hostname").is_not_null()
                & pl.col("origin_attempt").is_null()
            )
            rows = collect(recent.select(*OUTCOMES, "recorded_at"), "outcomes of attempts by host")
            memory.outcomes = _by_clock_of_recorders(rows).select(list(OUTCOMES))
            memory.version, memory.decisions = delta.version(), decisions
            memory.rules, memory.failed = None, None
        took_s = time.monotonic() - began
        memory.due_at = time.monotonic() + min(_LONGEST_S, took_s / _PART_OF_TIME)
    return memory
