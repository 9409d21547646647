"""The list of quarantined hosts, as workers read it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alchemiscale_lake.errors import StorageError
from alchemiscale_lake.execution import quarantine_list as quarantined
from alchemiscale_lake.execution.quarantine_list import is_quarantined, publish_quarantine, read_quarantine
from alchemiscale_lake.store import Lake, now_utc


def test_hosts_are_quarantined_until_their_time(own_lake: Lake) -> None:
    assert is_quarantined(own_lake, "bad") is None
    until = now_utc() + timedelta(hours=1)
    publish_quarantine(own_lake, {"bad": until, "readmitted": now_utc() - timedelta(seconds=1)})
    assert is_quarantined(own_lake, "bad") == until
    assert is_quarantined(own_lake, "readmitted") is None
    assert is_quarantined(own_lake, "good") is None
    assert read_quarantine(own_lake)["bad"] == until


def test_the_quarantine_is_read_again_after_a_while(own_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    until = now_utc() + timedelta(hours=1)
    assert is_quarantined(own_lake, "bad") is None
    own_lake.objects.put("quarantine.json", f'{{"bad": "{until.isoformat()}"}}'.encode())
    assert is_quarantined(own_lake, "bad") is None
    monkeypatch.setattr(quarantined, "_REMEMBERED_S", 0.0)
    assert is_quarantined(own_lake, "bad") == until


def test_a_silent_storage_changes_no_quarantine(own_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(path: str) -> bytes:
        raise StorageError("no answer")

    until = now_utc() + timedelta(hours=1)
    publish_quarantine(own_lake, {"bad": until})
    monkeypatch.setattr(quarantined, "_REMEMBERED_S", 0.0)
    monkeypatch.setattr(own_lake.objects, "get", silent)
    assert is_quarantined(own_lake, "bad") == until


def test_a_list_replaces_the_one_before(own_lake: Lake) -> None:
    until = now_utc() + timedelta(hours=1)
    publish_quarantine(own_lake, {"bad": until})
    publish_quarantine(own_lake, {"worse": until})

    assert read_quarantine(own_lake) == {"worse": until}
    assert is_quarantined(own_lake, "bad") is None
