"""A bucket that answers 503, stalls, or breaks off during a request or its response."""

from __future__ import annotations

import random
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from typing import get_args

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import SettingsError, StorageError
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake, maintain
from alchemiscale_lake.store.bucket import BucketSettings
from alchemiscale_lake.store.storage_errors import scrub
from alchemiscale_lake.tasks import Event, TaskState, TaskStates
from tests.plain import SCOPE
from tests.s3 import SECRET, TOKEN, Fault, Way

ASSAYS = TABLES["assays"]
#: Timeout of 1 s, retries for 2 s, and three tries of a commit.
LONGEST_S = 60.0


def create(lake: Lake, name: str) -> int | None:
    """Create a Task unless it exists: an operation that a caller may safely repeat."""
    task = f"Task-{name}-{SCOPE}"

    def decide(states: TaskStates) -> list[Event]:
        known = task in states.of([task])
        return [] if known else [Event("created", TaskState(SCOPE, task, f"Transformation-1-{SCOPE}", None))]

    return lake.task_log.commit(decide, caller=Caller("t")).seq


CALLS: dict[str, Callable[[Lake], object]] = {
    "put": lambda lake: lake.objects.put("x/put", b"data"),
    "put_exclusive": lambda lake: lake.objects.put_exclusive(f"x/{uuid.uuid4().hex}", b"data"),
    "get": lambda lake: lake.objects.get("lake.json"),
    "exists": lambda lake: lake.objects.exists("lake.json"),
    "list": lambda lake: lake.objects.list("tables/results"),
    "delete": lambda lake: lake.objects.delete(["x/put"]),
    "open": lambda lake: Lake.open(lake.url),
    "append": lambda lake: lake.table("assays").append_new(ASSAYS.sample(1, ligand=uuid.uuid4().hex)),
    "commit": lambda lake: create(Lake.open(lake.url), uuid.uuid4().hex),
    "fold": lambda lake: lake.task_log.fold(),
    "maintain": lambda lake: maintain(lake),
}


@pytest.mark.parametrize("name", CALLS)
def test_503_for_a_while_is_not_even_noticed(name: str, bucket_lake: str, way: Way) -> None:
    lake = Lake.open(bucket_lake)
    rule = way.misbehave("unavailable", times=2)
    CALLS[name](lake)
    assert rule.applied == 2


@pytest.mark.parametrize(
    ("name", "fault"),
    [*((name, "stall") for name in CALLS if name != "maintain"), ("get", "unavailable"), ("commit", "unavailable")],
)
def test_a_bucket_that_is_gone_is_an_error_in_time(name: str, fault: Fault, bucket_lake: str, way: Way) -> None:
    lake = Lake.open(bucket_lake)
    create(lake, "a")  # so that there is something to fold
    way.misbehave(fault, times=10**6)
    began = time.monotonic()
    with pytest.raises(StorageError) as caught:
        CALLS[name](lake)
    assert time.monotonic() - began < LONGEST_S
    assert_no_secret(caught.value)
    way.behave()
    CALLS[name](lake)


def assert_no_secret(error: BaseException) -> None:
    said = "".join(traceback.format_exception(error))
    assert SECRET not in said
    assert TOKEN not in said


@pytest.mark.parametrize("fault", ["lost", "cut", "stall", "unavailable"])
@pytest.mark.parametrize("what", ["_delta_log/0", ".parquet"])
def test_a_commit_is_applied_once_whatever_the_outcome_of_its_writes(
    what: str, fault: Fault, bucket_lake: str, way: Way
) -> None:
    lake = Lake.open(bucket_lake)
    create(lake, "first")
    rule = way.misbehave(fault, method="PUT", path=what)
    assert create(lake, "second") == 2
    assert rule.applied == 1
    assert create(lake, "third") == 3
    log = Lake.open(bucket_lake).table("task_log").scan().sort("seq").collect()
    assert [task.split("-")[1] for task in log["task"]] == ["first", "second", "third"]
    assert log["seq"].to_list() == [1, 2, 3]


@pytest.mark.parametrize("fault", ["lost", "cut", "unavailable"])
def test_rows_are_appended_once_whatever_the_outcome_of_the_write(fault: Fault, bucket_lake: str, way: Way) -> None:
    table = Lake.open(bucket_lake).table("assays")
    rows = ASSAYS.sample(3)
    rule = way.misbehave(fault, method="PUT", path="assays/_delta_log")
    table.append_new(rows)
    assert rule.applied == 1
    assert table.append_new(rows) == 0
    assert table.scan().collect().height == 3


@pytest.mark.parametrize("fault", ["lost", "stall", "half"])
def test_one_knows_ones_own_object_again(fault: Fault, bucket_lake: str, way: Way) -> None:
    objects = Lake.open(bucket_lake).objects
    way.misbehave(fault, method="PUT", path="receipt.arrow")
    if fault == "stall":  # nothing was written, and it is unknown whether it will be
        with pytest.raises(StorageError):
            objects.put_exclusive("x/receipt.arrow", b"mine")
    assert objects.put_exclusive("x/receipt.arrow", b"mine")
    assert not objects.put_exclusive("x/receipt.arrow", b"mine"), "alike, but by another"
    assert objects.get("x/receipt.arrow") == b"mine"


def test_another_ones_object_is_not_taken_for_ones_own(bucket_lake: str, way: Way) -> None:
    objects = Lake.open(bucket_lake).objects
    objects.put_exclusive("x/receipt.arrow", b"another's")
    way.misbehave("lost", method="PUT", path="receipt.arrow")
    assert not objects.put_exclusive("x/receipt.arrow", b"mine")
    assert objects.get("x/receipt.arrow") == b"another's"


@pytest.mark.parametrize("fault", ["half", "lost", "cut"])
def test_what_is_read_is_whole(fault: Fault, bucket_lake: str, way: Way) -> None:
    lake = Lake.open(bucket_lake)
    data = bytes(range(256)) * 400
    lake.objects.put("x/large", data)
    create(lake, "a")
    way.misbehave(fault, method="GET", path="large")
    assert lake.objects.get("x/large") == data
    way.misbehave(fault, method="GET", path="task_log/_delta_log")
    way.misbehave(fault, method="GET", path="task_log/scope")
    assert Lake.open(bucket_lake).task_log.states().seq == 1


def test_writers_in_a_storm(bucket_lake: str, way: Way) -> None:
    """Three writers, with all kinds of faults; each Task is created once, no commit is lost."""
    draw = random.Random(20250601)
    # each stalled request costs the client a second, so there are fewer of them
    faults = [fault for fault in get_args(Fault) if fault != "stall"] * 4 + ["stall"]
    calm = threading.Event()
    created: list[str] = []

    def storm() -> None:
        while not calm.wait(0.2):
            way.misbehave(draw.choice(faults), after=draw.randint(0, 10))

    def write(who: int) -> None:
        lake = Lake.open(bucket_lake)
        for i in range(4):
            name = f"{who}x{i}"
            while True:
                try:
                    create(lake, name)
                    break
                except StorageError:
                    continue
            created.append(name)

    writers = [threading.Thread(target=write, args=(who,), daemon=True) for who in range(3)]
    weather = threading.Thread(target=storm, daemon=True)
    for thread in [*writers, weather]:
        thread.start()
    for thread in writers:
        thread.join()
    calm.set()
    weather.join()
    way.behave()
    log = Lake.open(bucket_lake).table("task_log").scan().sort("seq").collect()
    assert log["seq"].to_list() == list(range(1, 13))
    assert sorted(task.split("-")[1] for task in log["task"]) == sorted(created)


def test_no_credential_is_in_any_object(bucket_lake: str, way: Way) -> None:
    lake = Lake.open(bucket_lake)
    for call in CALLS.values():
        call(lake)
    for found in lake.objects.list_with_times(""):
        data = lake.objects.get(found.path)
        assert SECRET.encode() not in data, found.path
        assert TOKEN.encode() not in data, found.path
    assert not any(SECRET in request or TOKEN in request for request in way.requests)


def test_secrets_are_removed_from_messages_of_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abcd/efgh")
    said = scrub(
        "PUT https://ana:pw@host/b?X-Amz-Signature=0123&X-Amz-Credential=AK%2F2025&x=1 key abcd/efgh "
        "Authorization: AWS4-HMAC-SHA256 Credential=AK/2025, Signature=77ff"
    )
    assert said == (
        "PUT https://***@host/b?X-Amz-Signature=***&X-Amz-Credential=***&x=1 key *** "
        "Authorization: AWS4-HMAC-SHA256 Credential=***, Signature=***"
    )


def test_an_error_with_a_secret_in_its_cause_comes_without_it(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import obstore

    def leak(*_: object, **__: object) -> None:
        raise OSError(f"refused {SECRET}")

    lake = Lake.create(bucket)
    monkeypatch.setattr(obstore, "put", leak)
    with pytest.raises(StorageError, match=r"refused \*\*\*") as caught:
        lake.objects.put("x", b"")
    assert_no_secret(caught.value)


@pytest.mark.parametrize(("name", "value"), [("TIMEOUT_S", "soon"), ("TIMEOUT_S", "0"), ("RETRIES", "-1")])
def test_a_patience_that_makes_no_sense_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"ALCHEMISCALE_LAKE_S3_{name}", value)
    with pytest.raises(SettingsError, match=f"ALCHEMISCALE_LAKE_S3_{name}"):
        BucketSettings.from_environment()
