"""A dispatcher and a lake that does not answer for a while, or not to the end."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.dispatch import dispatcher as dispatcher_module
from alchemiscale_lake.dispatch.cooling import Cooling
from alchemiscale_lake.dispatch.dispatch_settings import DispatchSettings
from alchemiscale_lake.dispatch.dispatcher import Dispatcher
from alchemiscale_lake.dispatch.outage import Outage
from alchemiscale_lake.errors import NotStartedError, StorageError
from alchemiscale_lake.execution.assignment import Assignment
from alchemiscale_lake.execution.release import Release, leave_release
from alchemiscale_lake.execution.stop_requests import is_asked_to_stop
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.settings import Pools
from alchemiscale_lake.statestore.claims import Selection
from alchemiscale_lake.statestore.receipts import find_receipts, leave_failure
from alchemiscale_lake.statestore.restarts import add_task_restart_patterns
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks, set_tasks_status
from alchemiscale_lake.store import Lake
from alchemiscale_lake.store.objects import ObjectStore
from alchemiscale_lake.store.table import LakeTable
from tests.engine import Engine, Flight
from tests.plain import SCOPE, leave_receipt, plain_chain, plain_receipt


@dataclass
class Storage:
    down: bool = False
    asked: int = 0


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """The lake's storage, with a switch."""
    made = Storage()

    def switched(verb: Callable[..., Any]) -> Callable[..., Any]:
        def request(*args: Any, **kwargs: Any) -> Any:
            if made.down:
                made.asked += 1
                raise StorageError("503 Slow Down")
            return verb(*args, **kwargs)

        return request

    for owner, verbs in (
        (ObjectStore, ("get", "put", "put_exclusive", "exists", "list")),
        (LakeTable, ("snapshot", "newest", "to_read")),
    ):
        for verb in verbs:
            monkeypatch.setattr(owner, verb, switched(getattr(owner, verb)))
    yield made
    made.down = False


@pytest.fixture
def network(lake: Lake) -> str:
    submitted = submit_network(lake, plain_chain([("a", "b"), ("b", "c"), ("c", "d")]), SCOPE)
    ensure_tasks(lake, submitted.network, 2, caller=Caller("ana"))
    return submitted.network


def dispatcher(lake: Lake, engine: Engine, *, pools: Pools | None = None, **settings: object) -> Dispatcher:
    chosen = DispatchSettings(**{"resources": Resources(), "poll_s": 0.01, **settings})  # type: ignore[arg-type]
    return Dispatcher(lake, engine, chosen, pools=pools, rng=np.random.default_rng(0))


def counts(lake: Lake) -> dict[str, int]:
    return dict(lake.task_log.states().tasks["status"].value_counts().iter_rows())


def wait_for(what: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 30.0
    while not what():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_an_outage_ends_nothing_and_loses_no_claim(lake: Lake, network: str, storage: Storage) -> None:
    engine, stop = Engine(lake), threading.Event()
    thread = threading.Thread(target=lambda: dispatcher(lake, engine, lease_s=0.5).run(until="stopped", stop=stop))
    thread.start()
    wait_for(lambda: len(engine.flights) == 2)
    storage.down = True
    wait_for(lambda: storage.asked >= 2)
    storage.down = False
    assert counts(lake) == {"running": 2, "waiting": 4}, "its leases ran out, and it holds them"
    engine.at_once = True
    for flight in engine.flights[:2]:
        engine.land(flight)
    wait_for(lambda: counts(lake) == {"complete": 6})
    stop.set()
    thread.join()
    assert lake.table("results").scan().collect()["task"].is_unique().all()
    assert not len(lake.table("task_log").scan().filter(pl.col("event").is_in(["released", "expired"])).collect())


def test_a_long_outage_is_an_error_and_stops_the_engine(
    lake: Lake, network: str, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher_module, "Outage", functools.partial(Outage, give_up_s=0.2, first_pause_s=0.05))
    monkeypatch.setattr(dispatcher_module, "_FAREWELL_S", 0.0)

    class Doomed(Engine):
        def submit(self, assignment: Assignment, *, name: str, place: str) -> Flight:
            storage.down = True
            return super().submit(assignment, name=name, place=place)

    engine = Doomed(lake, slots=1)
    with pytest.raises(StorageError, match="503"):
        dispatcher(lake, engine).run()
    assert all(flight.cancelled for flight in engine.flights)


def test_a_claim_of_unknown_outcome_is_released_after_the_outage(lake: Lake, network: str) -> None:
    engine = Engine(lake, durable=True, whole_jobs=True)
    turn = dispatcher(lake, engine, lease_s=6 * 3600.0)

    def lose_the_answer(name: str) -> None:
        if name == "commit:task_log:after":
            raise StorageError("503 after the fact")

    with fault_hook(lose_the_answer), pytest.raises(StorageError):
        turn.turn()
    assert counts(lake) == {"running": 2, "waiting": 4}, "held for six hours, by nobody"
    turn.turn()
    assert counts(lake) == {"running": 2, "waiting": 4}
    assert {s.attempt for s in lake.task_log.states().running().values()} == set(engine.flights[0].attempts)


def test_a_failure_recorded_at_the_second_try_is_looked_at_by_restart_policies(lake: Lake, network: str) -> None:
    add_task_restart_patterns(lake, network, ["asked to fail"], 1, caller=Caller("ana"))
    engine = Engine(lake, slots=1)
    turn = dispatcher(lake, engine)
    turn.turn()
    engine.land(engine.flights[0], ok=False)

    def cut(name: str) -> None:
        if name == "results:before-event":
            raise StorageError("503")

    with fault_hook(cut), pytest.raises(StorageError):
        turn.turn()
    turn.turn()
    assert "error" not in counts(lake)
    assert (turn.report.failed, turn.report.restarted) == (1, 1)


def test_a_wish_to_stop_that_was_not_heard_is_said_again(lake: Lake, network: str, storage: Storage) -> None:
    engine = Engine(lake)
    turn = dispatcher(lake, engine)
    turn.turn()
    (spec,) = engine.flights[0].assignment.attempts
    set_tasks_status(lake, [spec.task], "invalid", caller=Caller("ana"))
    storage.down = True
    with pytest.raises(StorageError):
        turn.turn()
    storage.down = False
    turn.turn()
    assert is_asked_to_stop(lake, spec)
    assert engine.flights[0].cancelled


def test_a_good_result_beats_the_news_that_its_worker_is_lost(lake: Lake, network: str) -> None:
    engine = Engine(lake, slots=1)
    turn = dispatcher(lake, engine)
    turn.turn()
    (spec,) = engine.flights[0].assignment.attempts
    leave_receipt(lake, plain_receipt(spec))  # after it was looked for, before it was given up
    assert leave_failure(lake, spec, "local", "WorkerLost: again").result["ok"]


def test_a_lost_worker_that_comes_back_finds_the_place_taken(lake: Lake, network: str) -> None:
    engine = Engine(lake, slots=1)
    turn = dispatcher(lake, engine)
    turn.turn()
    (spec,) = engine.flights[0].assignment.attempts
    leave_failure(lake, spec, "local", "WorkerLost: again")
    assert not leave_receipt(lake, plain_receipt(spec))
    (found,) = find_receipts(lake, {spec.attempt: spec.scope})
    assert found.result["exception"] == "WorkerLost: again", "what is recorded is what lies in the lake"


def test_a_rejected_submission_is_not_a_failure_of_the_task(lake: Lake, network: str) -> None:
    engine = Engine(lake, slots=1)
    turn = dispatcher(lake, engine)
    for n in range(6):
        turn._cooling = Cooling(refusals=turn._cooling.refusals)
        turn._tried = None
        turn.turn()
        engine.crash(engine.flights[n], NotStartedError("sbatch: MaxSubmitJobs reached"))
        turn.turn()
    assert "error" not in counts(lake)
    log = lake.table("task_log").scan().filter(pl.col("event") == "released").collect()
    assert set(log["reason"]) == {"refused: sbatch: MaxSubmitJobs reached"}


def test_a_task_that_is_refused_again_and_again_waits_ever_longer_also_from_shot_to_shot(
    lake: Lake, network: str
) -> None:
    (task,) = lake.task_log.states().tasks["task"].head(1)
    set_tasks_status(lake, lake.task_log.states().tasks["task"].tail(5).to_list(), "invalid", caller=Caller("ana"))
    for n in range(1, 4):
        engine = Engine(lake, slots=1)
        turn = dispatcher(lake, engine)
        turn.turn()
        left_s = turn._cooling.until_s.get(task, 0.0) - time.monotonic()
        assert n == 1 or 30 * 2 ** (n - 2) - 10 < left_s <= 30 * 2 ** (n - 2)
        assert len(engine.flights) == (n == 1)
        turn._cooling = Cooling(refusals=turn._cooling.refusals)
        turn._tried = None
        turn.turn()
        leave_release(lake, engine.flights[0].assignment.attempts[0], Release("refused", "too big", "node"))
        engine.crash(engine.flights[0])
        turn.turn()


def test_tasks_of_others_that_a_pool_holds_back_do_not_keep_a_drained_dispatcher(lake: Lake, network: str) -> None:
    pools = Pools.model_validate(
        {
            "pools": {
                "own": {"kind": "local", "cores": 2},
                "cloud": {
                    "kind": "work-pool",
                    "work_pool": "k",
                    "priority": 9,
                    "cores": 2,
                    "burst": {"oldest_waiting": "10h"},
                },
            }
        }
    )
    meant = Selection(networks=("AlchemicalNetwork-other-org-campaign-project",))
    one = dispatcher(lake, Engine(lake), pools=pools, pool="cloud", selection=meant)
    assert one.run().claimed == 0
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    everything = dispatcher(lake, Engine(lake), pools=pools, pool="cloud")
    everything.run(stop=stop)
    assert stop.is_set(), "its own it waits for"
