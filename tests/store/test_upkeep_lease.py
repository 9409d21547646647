"""The maintenance lease: who holds it, when it may be taken over, and how its holder notices."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from alchemiscale_lake.errors import UpkeepRunningError
from alchemiscale_lake.store import Location, ObjectStore
from alchemiscale_lake.store.upkeep_lease import hold_upkeep

SEVENTH, EIGHTH = "upkeep/00000007.json", "upkeep/00000008.json"
ELSEWHERE = {"hostname": "elsewhere", "pid": 1}


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return ObjectStore(Location.parse(tmp_path / "lake"))


def until(objects: ObjectStore, path: str) -> float:
    return float(json.loads(objects.get(path))["until"])


def test_it_is_held_during_the_block_and_released_after_it(objects: ObjectStore) -> None:
    with hold_upkeep(objects):
        assert until(objects, "upkeep/00000001.json") > time.time() + 1700
        with pytest.raises(UpkeepRunningError, match=f"already running, as process {os.getpid()} on"):
            hold_upkeep(objects).__enter__()
    assert until(objects, "upkeep/00000001.json") == 0.0

    with hold_upkeep(objects):
        assert objects.list("upkeep") == ["upkeep/00000002.json"]


def test_a_failure_releases_it(objects: ObjectStore) -> None:
    with pytest.raises(ZeroDivisionError), hold_upkeep(objects):
        _ = 1 / 0
    assert until(objects, "upkeep/00000001.json") == 0.0


@pytest.mark.parametrize("holder", [{"until": 0.0}, {"hostname": os.uname().nodename, "pid": 2**22 + 1}, {"pid": None}])
def test_the_place_of_one_that_died_is_taken_over(objects: ObjectStore, holder: dict[str, object]) -> None:
    objects.put(SEVENTH, json.dumps({**ELSEWHERE, "until": time.time() + 600, **holder}).encode())
    with hold_upkeep(objects):
        assert objects.list("upkeep") == [EIGHTH]


@pytest.mark.parametrize("left", [b"", b"\0\0\0", b"{", b"[]", b"{}"])
def test_a_truncated_lease_has_no_holder(objects: ObjectStore, left: bytes) -> None:
    objects.put(SEVENTH, left)
    with hold_upkeep(objects):
        assert objects.list("upkeep") == [EIGHTH]


@pytest.mark.parametrize("ahead_s", [600.0, -86400.0, 30 * 86400.0])
def test_one_that_lives_elsewhere_is_waited_for_whatever_its_clock_says(
    objects: ObjectStore, ahead_s: float, tmp_path: Path
) -> None:
    """It holds the lease until it has not renewed it for half an hour, by the clock that dates files."""
    objects.put(SEVENTH, json.dumps({**ELSEWHERE, "until": time.time() + ahead_s}).encode())
    path = tmp_path / "lake" / SEVENTH
    for silent_s, minutes in ((0, 30), (600, 20)):
        os.utime(path, (time.time() - silent_s, time.time() - silent_s))
        with pytest.raises(UpkeepRunningError, match=f"already running.*try again in {minutes} minutes"):
            hold_upkeep(objects).__enter__()

    os.utime(path, (time.time() - 1860, time.time() - 1860))
    with hold_upkeep(objects):
        assert objects.list("upkeep") == [EIGHTH]


def test_the_newest_of_several_leases_counts(objects: ObjectStore) -> None:
    """One that was killed before it deleted the former ones leaves them."""
    for path, ends in ((SEVENTH, 0.0), (EIGHTH, time.time() + 600)):
        objects.put(path, json.dumps({**ELSEWHERE, "until": ends}).encode())
    with pytest.raises(UpkeepRunningError, match="already running"):
        hold_upkeep(objects).__enter__()


def test_one_of_two_that_start_at_once_is_refused(objects: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "put_exclusive", lambda *_: False)
    with pytest.raises(UpkeepRunningError, match="just been started"):
        hold_upkeep(objects).__enter__()


def test_renewing_writes_now_and_then(objects: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with hold_upkeep(objects) as lease:
        written: list[str] = []
        put = objects.put
        monkeypatch.setattr(objects, "put", lambda path, data: written.append(path) or put(path, data))
        lease.renew()
        lease.renew()
        assert written == ["upkeep/00000001.json"]
        lease._next_s = 0.0  # a minute later
        lease.renew()
        assert len(written) == 2


def test_a_replaced_holder_stops_and_leaves_the_lease_of_the_other(objects: ObjectStore) -> None:
    said = {**ELSEWHERE, "until": time.time() + 600}
    with hold_upkeep(objects) as lease:
        objects.put("upkeep/00000002.json", json.dumps(said).encode())
        with pytest.raises(UpkeepRunningError, match="took over"):
            lease.renew()
    assert until(objects, "upkeep/00000001.json") > 0, "not written any more"
    assert json.loads(objects.get("upkeep/00000002.json")) == said
