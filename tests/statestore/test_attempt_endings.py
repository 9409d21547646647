"""How often attempts at a Task ended without a result, from the log alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from alchemiscale_lake.statestore import attempt_endings
from alchemiscale_lake.statestore.attempt_endings import count_endings, recent_refusals
from tests.statestore.plain_tables import lake_of

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SCHEMA = {"task": pl.String, "seq": pl.Int64, "event": pl.String, "reason": pl.String, "at": pl.Datetime("us", "UTC")}


def log(*rows: tuple[str, str, str | None], ago_s: float = 0.0):  # type: ignore[no-untyped-def]
    """Return a lake with these entries: Task, event, reason."""
    full = [
        (task, seq, event, reason, NOW - timedelta(seconds=ago_s)) for seq, (task, event, reason) in enumerate(rows)
    ]
    return lake_of({"task_log": pl.DataFrame(full, schema=SCHEMA, orient="row")})


@pytest.mark.parametrize("fresh", ["completed", "failed", "status", "restarted"])
def test_endings_count_by_kind_since_the_last_fresh_start(fresh: str) -> None:
    lake = log(
        ("t", "created", None),
        ("t", "released", "lost: a"),
        ("t", fresh, None),
        ("t", "released", "lost: its worker: ended"),
        ("t", "claimed", None),
        ("t", "released", "lost: c"),
        ("t", "released", "walltime: d"),
        ("u", "created", None),
        ("u", "released", "lost: e"),
    )

    assert count_endings(lake, ["t"]) == {("t", "lost"): 2, ("t", "walltime"): 1}
    assert count_endings(lake, []) == {}


def test_refusals_are_remembered_for_two_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt_endings, "now_utc", lambda: NOW)
    rows = [("t", "released", f"{kind}: x") for kind in ("refused", "unreadable", "lost", "stopped", "walltime")]

    assert recent_refusals(log(*rows, ago_s=7199.0)) == {"t": (2, 7199.0)}
    assert recent_refusals(log(*rows, ago_s=7200.0)) == {}
