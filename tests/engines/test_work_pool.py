"""The executor of work pools with flow runs that only exist in a list; real ones are in test_work_pool_live.py."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from alchemiscale_lake.errors import SettingsError
from alchemiscale_lake.execution import Assignment, AttemptSpec
from alchemiscale_lake.execution.heartbeat import Beat, leave_beat
from alchemiscale_lake.execution.release import Release, leave_release, read_release
from alchemiscale_lake.execution.stop_requests import is_asked_to_stop
from alchemiscale_lake.execution.stored_assignment import load_assignment
from alchemiscale_lake.settings import Pool
from alchemiscale_lake.store import Lake, now_utc
from tests.engines.work_pools import FakeRuns

# the API comes first: Prefect reads its address on import, which is why flows are imported late here
pytestmark = pytest.mark.usefixtures("api")

Make = Callable[..., Any]


def some_pool(**settings: Any) -> Pool:
    return Pool(kind="work-pool", work_pool="pods", **settings)


def an_assignment(lake: Lake, n: int = 1) -> Assignment:
    specs = (AttemptSpec(uuid.uuid4().hex, f"Task-{i}-a-b-c", "Transformation-1-a-b-c", "a-b-c") for i in range(n))
    return Assignment(lake.url, "cloud", tuple(specs))


@pytest.fixture
def runs() -> FakeRuns:
    return FakeRuns()


@pytest.fixture
def make(lake: Lake, runs: FakeRuns) -> Make:
    def build(pool: Pool | None = None, **patience: float) -> Any:
        from alchemiscale_lake.engines.overdue_runs import Patience
        from alchemiscale_lake.engines.work_pool import WorkPoolExecutor

        patience = {"look_s": 0.0, "confirm_s": 0.0} | patience
        return WorkPoolExecutor(lake, "cloud", pool or some_pool(), runs, Patience(**patience))  # type: ignore[arg-type]

    return build


def kind_of_release(lake: Lake, assignment: Assignment) -> list[str | None]:
    left = [read_release(lake, spec.scope, spec.attempt) for spec in assignment.attempts]
    return [release and release.kind for release in left]


# --- places and submission ------------------------------------------------------------------------


def test_places_are_what_limits_leave(lake: Lake, make: Make) -> None:
    executor = make(some_pool(cores=4, gpus=1, walltime="1h", tasks_per_job=3, limits={"maximum": 5}))
    executor.submit(an_assignment(lake), name="one", place="new-0")
    executor.submit(an_assignment(lake), name="two", place="new-1")

    (place, *others) = executor.places(10)

    assert len(others) == 2
    assert (place.slots, place.capacity.gpus, place.free.cores, place.ends_in_s) == (3, 1.0, 4, 3600.0)
    assert len({place.name, *(other.name for other in others)}) == 3
    assert executor.places(2) == []
    assert executor.places(0) == []


def test_few_are_submitted_at_a_time(make: Make) -> None:
    assert len(make(some_pool(limits={"maximum": 50, "submit_at_once": 4})).places(30)) == 4


def test_a_flow_run_carries_its_assignment(lake: Lake, make: Make, runs: FakeRuns) -> None:
    assignment = an_assignment(lake, 2)
    make(some_pool(walltime="1h")).submit(assignment, name="lig1_lig2 and 1 more", place="new-0")

    (run,) = runs.runs.values()
    assert load_assignment(lake, run.assignment) == assignment
    assert run.attempts == tuple(spec.attempt for spec in assignment.attempts)
    (asked,) = runs.asked
    assert asked["name"] == "lig1_lig2 and 1 more"
    assert asked["parameters"] == {"lake": lake.url, "walltime_s": 3600.0}


def test_a_template_gets_the_variables_it_knows(lake: Lake, make: Make, runs: FakeRuns) -> None:
    runs.job_variables = frozenset({"gpus", "cpu_request", "memory_limit", "active_deadline_seconds", "excluded_nodes"})
    executor = make(some_pool(cores=4, memory="2GiB", gpus=1, walltime="1h", retire_before="5m"))
    executor.submit(an_assignment(lake), name="", place="")
    executor.retire({"node-b", "node-a"})
    executor.submit(an_assignment(lake), name="", place="")

    expected = {"gpus": 1, "cpu_request": "4", "memory_limit": "2147483648", "active_deadline_seconds": 3900}
    assert [asked["job_variables"] for asked in runs.asked] == [
        expected,
        expected | {"excluded_nodes": ["node-a", "node-b"]},
    ]


def test_waiting_runs_are_reported(lake: Lake, make: Make, runs: FakeRuns) -> None:
    executor = make()
    assert (executor.pending().jobs, executor.pending().oldest_s) == (0, None)
    running, waiting = (executor.submit(an_assignment(lake), name="", place="") for _ in range(2))
    runs.becomes(running.run.id, "RUNNING")
    runs.becomes(waiting.run.id, "PENDING", since=now_utc() - timedelta(seconds=100))
    executor.look(now=True)

    told = executor.pending()

    assert told.jobs == 1
    assert 100.0 <= told.oldest_s < 110.0


def test_nothing_is_claimed_for_a_pool_without_a_worker(make: Make, runs: FakeRuns) -> None:
    executor = make()
    assert executor.places(1)

    runs.hindrance = "no worker serves it"

    assert executor.places(1) == []


# --- the end of a flow run ------------------------------------------------------------------------


def test_a_crash_is_reported_with_its_reason(lake: Lake, make: Make, runs: FakeRuns) -> None:
    assignment = an_assignment(lake)
    handle = make().submit(assignment, name="", place="")
    runs.becomes(runs.only, "RUNNING")
    runs.becomes(runs.only, "CRASHED", message="OOMKilled")

    assert handle.done()
    assert "OOMKilled" in str(handle.exception())
    assert kind_of_release(lake, assignment) == [None]


@pytest.mark.parametrize("state", ["FAILED", "CRASHED"])
def test_a_failed_start_is_not_a_failure_of_the_task(lake: Lake, make: Make, runs: FakeRuns, state: str) -> None:
    executor = make()
    assignment = an_assignment(lake)
    handle = executor.submit(assignment, name="", place="")
    runs.becomes(runs.only, state, message="ImagePullBackOff")

    assert handle.done()
    assert handle.exception() is None
    assert kind_of_release(lake, assignment) == ["refused"]
    assert executor.places(1) == [], "the next one would fare alike"


def test_a_deleted_flow_run_has_ended(lake: Lake, make: Make, runs: FakeRuns) -> None:
    handle = make().submit(an_assignment(lake), name="", place="")
    runs.runs.clear()

    assert handle.done()


def test_a_manually_cancelled_run_is_released_without_loss(lake: Lake, make: Make, runs: FakeRuns) -> None:
    assignment = an_assignment(lake)
    handle = make().submit(assignment, name="", place="")
    runs.becomes(runs.only, "CANCELLED")

    assert handle.done()
    assert handle.exception() is None
    assert kind_of_release(lake, assignment) == ["stopped"]


def test_cancelling_reaches_lake_and_prefect(lake: Lake, make: Make, runs: FakeRuns) -> None:
    assignment = an_assignment(lake, 2)
    handle = make().submit(assignment, name="", place="")
    runs.becomes(runs.only, "RUNNING")

    handle.cancel()

    assert all(is_asked_to_stop(lake, spec) for spec in assignment.attempts)
    assert runs.cancelled == [runs.only]
    assert not handle.done(), "its process has still to end"


# --- Prefect is unavailable -----------------------------------------------------------------------


def test_an_api_that_is_gone_ends_nothing(lake: Lake, make: Make, runs: FakeRuns) -> None:
    executor = make()
    handle = executor.submit(an_assignment(lake), name="", place="")
    runs.down = True
    executor.look(now=True)

    assert not handle.done()
    assert executor.places(5) == []
    handle.cancel()

    runs.down = False
    executor.look(now=True)
    assert not handle.over
    assert executor.places(5)


def test_what_could_not_be_submitted_is_submitted_later_once(lake: Lake, make: Make, runs: FakeRuns) -> None:
    executor = make()
    runs.loses_answer = True
    handle = executor.submit(an_assignment(lake), name="", place="")
    assert handle.run is None

    executor.look(now=True)
    executor.look(now=True)

    assert len(runs.runs) == 1
    assert handle.run.id == runs.only
    assert not handle.done()


def test_what_was_never_submitted_can_be_cancelled(lake: Lake, make: Make, runs: FakeRuns) -> None:
    runs.down = True
    assignment = an_assignment(lake)
    handle = make().submit(assignment, name="", place="")

    handle.cancel()

    assert handle.done()
    assert is_asked_to_stop(lake, assignment.attempts[0])


def test_a_refusal_releases_tasks(lake: Lake, make: Make, runs: FakeRuns) -> None:
    runs.refuses = SettingsError("unknown job variable")
    assignment = an_assignment(lake)

    assert make().submit(assignment, name="", place="").done()
    assert kind_of_release(lake, assignment) == ["refused"]


# --- after a dispatcher's death -------------------------------------------------------------------


def test_the_next_dispatcher_finds_what_goes_on(lake: Lake, make: Make, runs: FakeRuns) -> None:
    dead, two, ended = make(), an_assignment(lake, 2), an_assignment(lake)
    dead.submit(two, name="", place="")
    runs.becomes(runs.only, "RUNNING")
    gone = dead.submit(ended, name="", place="")
    runs.becomes(gone.run.id, "COMPLETED")
    attempts = [spec.attempt for spec in (*two.attempts, *ended.attempts)]

    found = make().find(dict.fromkeys(attempts, "a-b-c"))

    assert set(found) == set(attempts[:2])
    assert found[attempts[0]] is found[attempts[1]]
    assert found[attempts[0]].specs == two.attempts
    assert not found[attempts[0]].done()


def test_without_prefect_everything_is_taken_to_go_on(lake: Lake, make: Make, runs: FakeRuns) -> None:
    make().submit(an_assignment(lake), name="", place="")
    (run,) = runs.runs.values()
    runs.down = True
    executor = make()
    found = executor.find({run.attempts[0]: "a-b-c", "unknown": "a-b-c"})
    assert [handle.done() for handle in found.values()] == [False, False]

    runs.down = False
    executor.look(now=True)

    assert [handle.over for handle in found.values()] == [False, True]


def test_flow_runs_of_other_lakes_do_not_count(lake: Lake, make: Make, runs: FakeRuns) -> None:
    from dataclasses import replace

    make().submit(an_assignment(lake), name="", place="")
    runs.runs[runs.only] = replace(runs.runs[runs.only], lake="s3://elsewhere")

    assert len(make(some_pool(limits={"maximum": 2})).places(9)) == 2


# --- stalled flow runs ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "name", "patience", "ending"),
    [
        ("SCHEDULED", "Late", {"scheduled_s": 60.0}, "cancelled"),
        ("PENDING", "Submitting", {"submitting_s": 60.0}, "given_up"),
        ("PENDING", "InfrastructurePending", {"unschedulable_s": 60.0}, "cancelled"),
    ],
)
def test_a_run_that_never_starts_is_released(
    lake: Lake, make: Make, runs: FakeRuns, state: str, name: str, patience: dict[str, float], ending: str
) -> None:
    executor = make(**patience)
    assignment = an_assignment(lake)
    handle = executor.submit(assignment, name="", place="")
    runs.becomes(runs.only, state, name, since=now_utc() - timedelta(seconds=50))
    assert not handle.done()

    runs.becomes(runs.only, state, name, since=now_utc() - timedelta(seconds=70))

    assert handle.done()
    assert getattr(runs, ending) == [runs.only]
    assert kind_of_release(lake, assignment) == ["refused"]
    assert is_asked_to_stop(lake, assignment.attempts[0]), "it may start after all"


@pytest.mark.parametrize(("state", "name"), [("SCHEDULED", "AwaitingRetry"), ("PENDING", "Submitting")])
def test_an_evicted_pod_does_not_come_back(lake: Lake, make: Make, runs: FakeRuns, state: str, name: str) -> None:
    assignment = an_assignment(lake, 2)
    handle = make().submit(assignment, name="", place="")
    runs.becomes(runs.only, "RUNNING")
    leave_release(lake, assignment.attempts[0], Release("stopped", "SIGTERM", "node-1"))
    runs.becomes(runs.only, state, name)

    assert handle.done()
    assert handle.exception() is None
    assert runs.dropped == [runs.only]
    assert kind_of_release(lake, assignment) == ["stopped", "stopped"]


def test_a_run_cancelled_while_its_worker_starts_it_ends(lake: Lake, make: Make, runs: FakeRuns) -> None:
    """Its worker then refuses to start it, and Prefect waits for ever for it to end."""
    executor = make(cancelling_s=60.0)
    assignment = an_assignment(lake)
    handle = executor.submit(assignment, name="", place="")
    runs.becomes(runs.only, "CANCELLING", since=now_utc() - timedelta(seconds=50))
    assert not handle.done()

    runs.becomes(runs.only, "CANCELLING", since=now_utc() - timedelta(seconds=70))

    assert handle.done()
    assert handle.exception() is None
    assert runs.dropped == [runs.only]
    assert kind_of_release(lake, assignment) == ["stopped"]
    assert is_asked_to_stop(lake, assignment.attempts[0]), "it may start after all"


def test_a_run_that_started_ends_by_itself_when_cancelled(lake: Lake, make: Make, runs: FakeRuns) -> None:
    handle = make(cancelling_s=60.0).submit(an_assignment(lake), name="", place="")
    runs.becomes(runs.only, "RUNNING")
    runs.becomes(runs.only, "CANCELLING", since=now_utc() - timedelta(seconds=70))

    assert not handle.done()
    assert not runs.dropped


def beat(lake: Lake, spec: AttemptSpec, age_s: float) -> None:
    at = now_utc() - timedelta(seconds=age_s)
    leave_beat(lake, spec, Beat(at, at, at, "node-1"))


def test_silence_is_the_end_and_a_sign_of_life_is_not(lake: Lake, make: Make, runs: FakeRuns) -> None:
    executor = make(silent_s=60.0)
    assignment = an_assignment(lake)
    handle = executor.submit(assignment, name="", place="")
    runs.becomes(runs.only, "RUNNING", since=now_utc() - timedelta(hours=2))
    beat(lake, assignment.attempts[0], 30.0)
    assert not handle.done()
    listener = executor._listener
    listener._next_at.clear()
    beat(lake, assignment.attempts[0], 86400.0)
    assert not handle.done(), "it has moved; what time it is there does not matter"
    listener._next_at.clear()
    listener._beats = {run: (beats, at - 61.0) for run, (beats, at) in listener._beats.items()}
    assert not handle.done(), "once is no proof"

    assert handle.done()
    assert "no heartbeat" in str(handle.exception())
    assert runs.given_up == [runs.only]


def test_flow_runs_that_a_dead_dispatcher_left_do_not_fill_the_pool_for_ever(
    lake: Lake, make: Make, runs: FakeRuns
) -> None:
    make().submit(an_assignment(lake), name="", place="")
    runs.becomes(runs.only, "RUNNING", since=now_utc() - timedelta(hours=2))
    executor = make(some_pool(limits={"maximum": 1}), silent_s=60.0)
    assert executor.places(1) == []

    assert executor.places(1) == []
    assert len(executor.places(1)) == 1


# --- requests to Prefect --------------------------------------------------------------------------


def test_a_missing_work_pool_is_reported_with_the_remedy(lake: Lake) -> None:
    from alchemiscale_lake.engines.work_pool import open_work_pool

    with pytest.raises(SettingsError, match="prefect work-pool create pods"), open_work_pool("x", some_pool(), lake):
        pass


# --- credentials ----------------------------------------------------------------------------------

# in a mapping in place of the environment, which threads of Prefect's client read in C while a test would change it
NAMED = {"ALCHEMISCALE_LAKE_CREDENTIALS_BLOCK": "secret/lake-bucket"}


def save_block(value: Any) -> None:
    from prefect.blocks.system import Secret

    Secret(value=value).save("lake-bucket", overwrite=True)


def test_credentials_come_from_a_block_and_the_environment_wins() -> None:
    from alchemiscale_lake.prefect_api.credentials import load_credentials

    save_block({"AWS_ACCESS_KEY_ID": "theirs", "AWS_SECRET_ACCESS_KEY": "s3cret"})
    environ = {**NAMED, "AWS_ACCESS_KEY_ID": "mine"}

    assert load_credentials(environ) == ("AWS_SECRET_ACCESS_KEY",)
    assert environ == {**NAMED, "AWS_ACCESS_KEY_ID": "mine", "AWS_SECRET_ACCESS_KEY": "s3cret"}


def test_without_a_block_nothing_is_asked() -> None:
    from alchemiscale_lake.prefect_api.credentials import load_credentials

    assert load_credentials({}) == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("s3cret", "object of strings"),
        ({"LD_PRELOAD": "s3cret"}, "LD_PRELOAD"),
        ({"AWS_REGION": 1}, "object of strings"),
    ],
)
def test_an_invalid_credential_is_refused_and_not_printed(content: Any, said: str) -> None:
    from alchemiscale_lake.prefect_api.credentials import load_credentials

    save_block(content)
    environ = dict(NAMED)

    with pytest.raises(SettingsError, match=said) as raised:
        load_credentials(environ)
    assert environ == NAMED
    assert "s3cret" not in repr(raised.value) + str(raised.value.facts)


def test_a_block_that_is_missing_is_named() -> None:
    from alchemiscale_lake.prefect_api.credentials import load_credentials

    with pytest.raises(SettingsError, match="no Secret block 'nowhere'"):
        load_credentials({"ALCHEMISCALE_LAKE_CREDENTIALS_BLOCK": "nowhere"})
