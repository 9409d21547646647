from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from datetime import timedelta

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake, MaintenanceReport, UpkeepSettings, attempt_folder, maintain, now_utc
from alchemiscale_lake.store.messages import MESSAGES
from alchemiscale_lake.tasks import Event, TaskState
from tests.plain import SCOPE

DAY_S = 86400.0


@pytest.fixture
def lake(place: str) -> Lake:
    """In a folder, and in a bucket."""
    return Lake.open(place)


def leave(lake: Lake, attempt: str, names: Iterable[str]) -> None:
    for name in names:
        lake.objects.put(f"{attempt_folder(SCOPE, attempt)}/{name}", b"x")


def claimed(lake: Lake, *, held: bool = False) -> str:
    """Claim a new Task; unless it is held, release it. Return the attempt."""
    attempt = uuid.uuid4().hex
    task = f"Task-{uuid.uuid4().hex}-{SCOPE}"
    waiting = TaskState(SCOPE, task, f"Transformation-1-{SCOPE}", None)
    running = TaskState(SCOPE, task, waiting.transformation, None, "running", 10, attempt, "p", now_utc())
    events = [Event("created", waiting), Event("claimed", running, of_attempt=attempt)]
    events += [] if held else [Event("released", waiting, of_attempt=attempt)]
    for event in events:
        lake.task_log.commit(lambda _, event=event: [event], caller=Caller("t"))
    return attempt


def in_days(lake: Lake, days: float, **settings: bool) -> MaintenanceReport:
    return maintain(lake, UpkeepSettings(**settings), now=now_utc() + timedelta(days=days))


def names(lake: Lake, attempt: str) -> set[str]:
    folder = attempt_folder(SCOPE, attempt)
    return {found.path.removeprefix(f"{folder}/") for found in lake.objects.list_with_times(folder)}


LEFT = {*MESSAGES, "units/00/stdout.txt"}


def test_what_was_left_without_a_result_goes_after_30_days(lake: Lake) -> None:
    attempt = claimed(lake)
    leave(lake, attempt, LEFT)
    in_days(lake, 29)
    assert names(lake, attempt) == LEFT, "late results are accepted"
    report = in_days(lake, 31)
    assert names(lake, attempt) == set()
    assert {o.kind: o.n_objects for o in report.orphans} == {
        "messages": 0,
        "attempts without result": len(LEFT),
        "assignments": 0,
        "half-written": 0,
    }
    assert lake.objects.list("attempts") == []


def test_an_attempt_that_holds_its_task_keeps_everything(lake: Lake) -> None:
    attempt = claimed(lake, held=True)
    leave(lake, attempt, LEFT)
    in_days(lake, 400)
    assert names(lake, attempt) == LEFT


def test_of_a_recorded_attempt_only_messages_go(lake: Lake) -> None:
    attempt = claimed(lake)
    lake.table("results").append_new(TABLES["results"].sample(1, scope=SCOPE, attempt=attempt))
    leave(lake, attempt, LEFT | {"result.json.zst", "files/traj.xtc", "files/stop"})
    in_days(lake, 31)
    assert names(lake, attempt) == {"units/00/stdout.txt", "result.json.zst", "files/traj.xtc", "files/stop"}


def test_output_of_an_attempt_that_ended_without_a_result_is_kept(lake: Lake) -> None:
    attempt = claimed(lake)
    leave(lake, attempt, LEFT)
    lake.table("attempt_ends").append_new([{"scope": SCOPE, "attempt": attempt, "task": "Task-1", "reason": "lost"}])
    in_days(lake, 31)
    assert names(lake, attempt) == {"units/00/stdout.txt"}


def test_files_beside_a_receipt_are_kept_even_if_the_attempt_is_unknown(lake: Lake) -> None:
    attempt = uuid.uuid4().hex
    leave(lake, attempt, LEFT | {"receipt.arrow", "result.json.zst"})
    in_days(lake, 400)
    assert names(lake, attempt) == {"units/00/stdout.txt", "receipt.arrow", "result.json.zst"}


def test_one_young_object_keeps_all_of_its_attempt(lake: Lake) -> None:
    attempt = uuid.uuid4().hex
    leave(lake, attempt, LEFT)
    maintain(lake)
    assert names(lake, attempt) == LEFT


def test_assignments_go_when_all_their_attempts_are_over(lake: Lake) -> None:
    over, held = claimed(lake), claimed(lake, held=True)
    for name, attempts in {"old": [over], "mixed": [over, held]}.items():
        lake.objects.put(f"assignments/{name}.json", json.dumps({"attempts": attempts}).encode())
        lake.objects.put(f"assignments/{name}.job.json", b'{"job": "77"}')
    in_days(lake, 29)
    assert len(lake.objects.list("assignments")) == 4
    in_days(lake, 31)
    assert lake.objects.list("assignments") == ["assignments/mixed.job.json", "assignments/mixed.json"]


def test_halves_go_after_a_day_and_wholes_stay(lake: Lake) -> None:
    attempt = claimed(lake, held=True)
    leave(lake, attempt, {"beat.json", ".0123.part"})
    for name in ("digest.json.zst", ".4567.part"):
        lake.objects.put(f"imports/{SCOPE}/{name}", b"x")
    maintain(lake)
    assert names(lake, attempt) == {"beat.json", ".0123.part"}
    in_days(lake, 1.1)
    assert names(lake, attempt) == {"beat.json"}
    assert [o.path for o in lake.objects.list_with_times("imports")] == [f"imports/{SCOPE}/digest.json.zst"]


def test_a_dry_run_counts_and_deletes_nothing(lake: Lake) -> None:
    attempt = claimed(lake)
    leave(lake, attempt, LEFT)
    report = in_days(lake, 31, dry_run=True)
    assert sum(o.n_objects for o in report.orphans) == len(LEFT)
    assert names(lake, attempt) == LEFT
