"""A dispatcher continues the observations of the previous one of its pool, by one clock."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from alchemiscale_lake.dispatch.sightings import Sightings
from alchemiscale_lake.errors import StorageError
from alchemiscale_lake.store import Lake, ObjectStore
from alchemiscale_lake.store.objects import ObjectInfo


def sightings(lake: Lake, at_s: float, machine: str = "here") -> Sightings:
    """Return the observation of a new process at this time."""
    made = Sightings(lake, "a pool/with signs", clock=lambda: at_s, clock_name=machine)
    made.recall()
    return made


def look(lake: Lake, at_s: float, sign: str = "x", machine: str = "here") -> float:
    made = sightings(lake, at_s, machine)
    (unmoved_s,) = made.look("leases", {"a1": sign}).values()
    made.save(["a1"])
    return unmoved_s


def test_processes_of_one_machine_watch_as_one(lake: Lake) -> None:
    assert [look(lake, at_s) for at_s in (100.0, 400.0, 1000.0)] == [0.0, 300.0, 900.0]
    assert look(lake, 1100.0, sign="renewed") == 0.0
    assert look(lake, 1200.0, sign="renewed") == 100.0


def test_of_another_machine_only_what_it_saw_itself_counts(lake: Lake) -> None:
    """Its clock is meaningless here; and a rebooted machine has another clock."""
    assert look(lake, 5000.0) == 0.0
    assert look(lake, 5600.0) == 600.0
    assert look(lake, 10.0, machine="there") == 600.0
    assert look(lake, 70.0, machine="there") == 660.0
    assert look(lake, 5700.0) == 700.0, "the longest that one clock saw"


def test_a_machine_whose_clock_went_back_counts_nothing(lake: Lake) -> None:
    look(lake, 5000.0)
    assert look(lake, 100.0) == 0.0


def test_a_bucket_dates_what_was_seen(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects are dated by one clock, whichever machine checks."""
    bucket_now = datetime(2031, 1, 1, tzinfo=UTC)
    listing = ObjectStore.list_with_times

    def dated(self: ObjectStore, prefix: str) -> list[ObjectInfo]:
        return [ObjectInfo(info.path, info.n_bytes, saved_at) for info in listing(self, prefix)]

    monkeypatch.setattr(Lake, "local_path", None)
    monkeypatch.setattr(ObjectStore, "list_with_times", dated)
    monkeypatch.setattr(ObjectStore, "stamp", lambda self, path: bucket_now)
    saved_at = bucket_now
    assert look(lake, 9.0, machine="one") == 0.0
    bucket_now += timedelta(hours=2)
    assert look(lake, 7e6, machine="two") == 7200.0


def test_sightings_without_an_owner_are_deleted(lake: Lake) -> None:
    look(lake, 1.0, machine="gone")
    made = sightings(lake, 2.0)
    made.look("leases", {"a2": "y"})
    made.save(["a2"])
    assert [path.rpartition("/")[2] for path in lake.objects.list("watch")] == ["here.json"]


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"seen": {"leases": {"a1": 3}}}', b'{"seen": 1}'])
def test_what_cannot_be_read_is_ignored(lake: Lake, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    look(lake, 1.0)
    (path,) = lake.objects.list("watch")
    lake.objects.put(path, content)
    with caplog.at_level(logging.WARNING):
        assert look(lake, 100.0) == 0.0
    assert path in caplog.text
    assert look(lake, 200.0) == 100.0


def test_it_is_saved_now_and_then(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, written = 0.0, list[str]()
    put: Callable[..., None] = ObjectStore.put
    monkeypatch.setattr(ObjectStore, "put", lambda self, path, data: (written.append(path), put(self, path, data)))
    made = Sightings(lake, "p", clock=lambda: now_s, clock_name="here")
    made.save([])
    assert written == [], "there was nothing to see"
    for minute in range(11):
        now_s = 300.0 + 60.0 * minute
        made.look("leases", {"a1": "x"})
        made.save(["a1"])
    assert len(written) == 3


def test_a_storage_that_fails_costs_only_the_memory(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = sightings(lake, 1.0)
    made.look("leases", {"a1": "x"})

    def fail(*_: object) -> None:
        raise StorageError("503")

    monkeypatch.setattr(ObjectStore, "put", fail)
    made.save(["a1"])
    assert "503" in caplog.text
