from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest

from alchemiscale_lake.dispatch.pool_reports import PoolReport, pool_reports, report_pool, withdraw_report
from alchemiscale_lake.store import Lake

T0 = datetime(2025, 6, 1, 12, tzinfo=UTC)


def test_the_last_report_of_every_pool_is_read(lake: Lake) -> None:
    first = PoolReport(T0, "dispatch:a@1@host", workers=1)
    last = PoolReport(T0 + timedelta(minutes=1), "dispatch:a@1@host", 2, 3, 4, 5.5)
    other = PoolReport(T0, "dispatch:b@1@host")
    for name, report in (("a", first), ("a", last), ("a/b c%", other)):
        report_pool(lake, name, report)

    assert pool_reports(lake) == {"a": last, "a/b c%": other}


def test_a_lake_without_reports(lake: Lake) -> None:
    assert pool_reports(lake) == {}


def test_unknown_fields_and_invalid_reports_are_ignored(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    lake.objects.put("pools/new.json", json.dumps({"at": T0.isoformat(), "process": "p", "mood": "good"}).encode())
    lake.objects.put("pools/cut.json", b'{"at": "2025')
    lake.objects.put("pools/list.json", b"[]")

    with caplog.at_level(logging.WARNING):
        assert pool_reports(lake) == {"new": PoolReport(T0, "p")}
    assert "pools/cut.json is ignored" in caplog.text


def test_heard_of_for_ten_minutes() -> None:
    report = PoolReport(T0, "p")
    assert report.is_heard(T0 + timedelta(minutes=10))
    assert not report.is_heard(T0 + timedelta(minutes=10, seconds=1))


@pytest.mark.parametrize(("oldest_s", "stalled"), [(None, 0), (599.0, 0), (601.0, 3)])
def test_jobs_that_wait_for_long_are_stalled(oldest_s: float | None, stalled: int) -> None:
    assert PoolReport(T0, "p", jobs_pending=3, oldest_pending_s=oldest_s).stalled_jobs == stalled


def test_a_dispatcher_that_ends_takes_its_own_report_away(lake: Lake) -> None:
    report_pool(lake, "a", PoolReport(T0, "dispatch:a@1@host"))
    lake.objects.put("pools/cut.json", b"{")

    withdraw_report(lake, "a", "dispatch:a@2@host")
    withdraw_report(lake, "cut", "dispatch:a@1@host")
    assert list(pool_reports(lake)) == ["a"]
    withdraw_report(lake, "a", "dispatch:a@1@host")
    withdraw_report(lake, "a", "dispatch:a@1@host")
    assert pool_reports(lake) == {}
