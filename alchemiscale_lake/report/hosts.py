"""Hosts as a table: outcomes of their attempts, and quarantine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from ..amounts import format_seconds
from ..settings import QuarantineRules
from ..store import Lake
from ..tasks.quarantine import HostRecord
from .table import Table

__all__ = ["hosts_table"]

_COLUMNS = (
    "hostname",
    "attempts",
    "failures",
    "fast_failures",
    "quarantined_until",
    "reason",
    "next_penalty",
    "last_seen_at",
    "gpu_model",
)


def hosts_table(
    lake: Lake,
    records: Mapping[str, HostRecord],
    rules: QuarantineRules,
    now: datetime,
    paused: Mapping[str, tuple[datetime, str]] | None = None,
) -> Table:
    """Build a table with one row per host, quarantined ones first; `paused` maps a host to (when, why).

    Parameters
    ----------
    lake : Lake
    records : mapping of str to HostRecord
        By name of the host.
    rules : QuarantineRules
        `hosts` of the pools file.
    now : datetime
        Time, UTC, at which ages and limits are judged.
    paused : mapping of str to tuple of datetime, str, optional
        Time and reason, by name of the host, of workers that start nothing.
    """
    paused = paused or {}
    records = {**{name: HostRecord(name) for name in paused}, **records}
    models = _gpu_models(lake)
    ordered = sorted(records.values(), key=lambda r: (not r.is_quarantined(now), r.hostname))
    rows = []
    for record in ordered:
        held = record.is_quarantined(now)
        rows.append(
            (
                record.hostname,
                record.attempts,
                record.failures,
                record.fast_failures,
                record.quarantined_until if held else None,
                record.reason if held else _paused(paused.get(record.hostname)),
                format_seconds(record.next_penalty_s(rules, now)),
                record.last_seen_at,
                models.get(record.hostname),
            )
        )
    styles = tuple(
        "red" if record.is_quarantined(now) else "yellow" if record.hostname in paused else "" for record in ordered
    )
    return Table(_COLUMNS, rows, row_styles=styles)


def _paused(pause: tuple[datetime, str] | None) -> str | None:
    return None if pause is None else f"paused itself at {pause[0]:%Y-%m-%d %H:%M} UTC: {pause[1]}"


def _gpu_models(lake: Lake) -> dict[str, str]:
    """Return the GPU model by host name, from the newest description."""
    rows = lake.table("hosts").scan().filter(pl.col("gpu_model").is_not_null())
    last = rows.select("hostname", "gpu_model", "first_seen_at").collect().sort("first_seen_at")
    return dict(last.select("hostname", "gpu_model").iter_rows())
