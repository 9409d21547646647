"""Random histories of several pools: dispatchers killed at any fault point, failing storage, different clocks.

Every turn is one of a real `Dispatcher`; its assignments run in `world.py`. Whatever happens, no Task is run by two
workers unaware of each other, no host gets more than its capacity, every result exists once; and once faults stop,
every Task that may complete does so, once.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.dispatch import acts, dispatcher, observation, outage, policy_inputs
from alchemiscale_lake.dispatch.decision import Decision, decide
from alchemiscale_lake.dispatch.dispatch_settings import DispatchSettings
from alchemiscale_lake.dispatch.dispatcher import Dispatcher
from alchemiscale_lake.dispatch.picture import Due, Picture
from alchemiscale_lake.errors import StorageError, TransientError
from alchemiscale_lake.execution.stop_requests import is_asked_to_stop
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.settings import Pools
from alchemiscale_lake.statestore import host_records as hosts
from alchemiscale_lake.statestore.network_state import set_network_state
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import action_tasks, cancel_tasks, create_tasks, set_tasks_status
from alchemiscale_lake.store import Lake, task_log
from alchemiscale_lake.store import parallel_requests as at_once
from alchemiscale_lake.store.objects import ObjectStore
from tests.attempts import check_decision
from tests.faults.world import Clock, JobQueue, MachineClock, Worker, WorkerPool, World
from tests.long import LONG, histories
from tests.plain import SCOPE, plain_chain

NETWORK = f"{plain_chain([('a', 'b')])[-1][0]}-{SCOPE}"
NEEDS = {"SomeProtocol": {"cores": 1, "gpus": 0, "memory": "1GB", "duration": "20m"}}
WORKERS = {"kind": "slurm", "cores": 2, "memory": "4GB", "walltime": "10h"}
RENTED = {"kind": "work-pool", "work_pool": "k8s", "cores": 2, "memory": "4GB", "priority": 20, "walltime": "10h"}
POOLS = Pools.model_validate(
    {
        "pools": {
            "own": WORKERS | {"limits": {"maximum": 2}},
            "twin": WORKERS | {"limits": {"maximum": 2}},
            "rented": RENTED | {"burst": {"oldest_waiting": "30m"}, "limits": {"maximum": 2, "hard": 3}},
        },
        "protocols": NEEDS,
    }
)

#: Errors of a machine's clock: none, small, hours, and longer than a history lasts.
SKEWS_S = [0.0, 0.0, 90.0, -90.0, 7200.0, -7200.0, 30 * 86400.0, -30 * 86400.0]


class Crash(BaseException):
    """Simulated death of the process: nothing may catch this."""


@pytest.fixture(scope="module")
def template() -> Path:
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        submit_network(Lake.create(Path(folder) / "template"), plain_chain([("a", "b")]), SCOPE, caller=Caller("user"))
        yield Path(folder) / "template"


class PoolHistories(RuleBasedStateMachine):
    template: Path
    patch: pytest.MonkeyPatch
    #: Called before every request to the store, for the current history.
    passes: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self) -> None:
        super().__init__()
        draw = random.Random(0)
        self.patch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=draw.getrandbits(128), version=4))
        self.folder = Path(tempfile.mkdtemp(dir=self.template.parent))
        shutil.copytree(self.template, self.folder / "lake")
        self.lake = Lake.open(self.folder / "lake")
        self.clock = Clock()
        self.world = World(self.lake, self.clock)
        self.dead: set[str] = set()
        self.expired: set[str] = set()
        self.n_dispatchers = 0
        self.at: dict[str, Dispatcher] = {}
        self.engines: dict[str, WorkerPool | JobQueue] = {}
        self.take_over_the_clocks()

    def take_over_the_clocks(self) -> None:
        time = SimpleNamespace(monotonic=self.clock.monotonic, sleep=self.clock.sleep)
        for module in (acts, dispatcher, hosts, observation, outage):
            self.patch.setattr(module, "time", time)
        for name, module in list(sys.modules.items()):
            if name.startswith("alchemiscale_lake.") and hasattr(module, "now_utc"):
                self.patch.setattr(module, "now_utc", self.clock.now)
        self.patch.setattr(policy_inputs, "_REFRESH", self.clock.now() - self.clock.now())
        self.patch.setattr(task_log, "datetime", SimpleNamespace(now=self.clock.now))
        self.patch.setattr(dispatcher, "process_name", self.name_dispatcher)
        self.patch.setattr(dispatcher, "decide", checked_decision)
        self.patch.setattr(observation, "process_is_gone", lambda name: self.same_machine and name in self.dead)

    def name_dispatcher(self, role: str) -> str:
        self.n_dispatchers += 1
        return f"{role}@{self.n_dispatchers}@somewhere"

    def teardown(self) -> None:
        if self.engines:
            self.in_the_end_all_is_done()
            self.check_log()
        shutil.rmtree(self.folder)

    # --- the history ------------------------------------------------------------------------------

    @initialize(
        count=st.integers(2, 6),
        same_machine=st.booleans(),
        skews_s=st.lists(st.sampled_from(SKEWS_S), min_size=3, max_size=3),
        drift=st.sampled_from([0.0, 0.0, 0.01, -0.01]),
        policy=st.booleans(),
    )
    def begin(self, count: int, same_machine: bool, skews_s: list[float], drift: float, policy: bool) -> None:
        """Two pools that share only the lake, one of which has hosts with the other's names, and a queue."""
        self.same_machine, self.pools = same_machine, POOLS if policy else None
        self.machines = {
            name: MachineClock(skew_s, drift if name == "twin" else 0.0, 1e3 * 7**i)
            for i, (name, skew_s) in enumerate(zip(("own", "twin", "rented"), skews_s, strict=True))
        }
        if same_machine:
            self.machines = dict.fromkeys(self.machines, self.machines["twin"])
        (transformation,) = self.lake.table("transformations").scan().select("transformation").collect().to_series()
        self.tasks = sorted(create_tasks(self.lake, [transformation] * count, caller=Caller("user")))
        action_tasks(self.lake, self.tasks, NETWORK, caller=Caller("user"))
        for name in ("own", "twin", "rented"):
            self.engines[name] = self.new_engine(name)
        for name in self.engines:
            self.turn(name, None, 0)  # type: ignore[arg-type]
        for worker in self.world.alive():
            self.world.begin(worker)

    @rule(
        pool=st.sampled_from(["own", "twin", "rented"]),
        fate=st.sampled_from([None, None, None, "crash", "fail"]),
        nth=st.integers(1, 60),
    )
    def turn(self, pool: str, fate: str | None, nth: int) -> None:
        """One turn, interrupted at the nth fault point, or with the nth request to the storage failing for a while."""
        with (
            self.fate(fate, nth) as crashed,
            self.clock.on(self.machines[pool]),
            contextlib.suppress(TransientError),
        ):
            if pool not in self.at:
                self.at[pool] = self.new_dispatcher(pool)
            self.at[pool].turn()
        if crashed:
            self.kill(pool)
        self.nobody_is_given_up_who_beats()

    @rule(pool=st.sampled_from(["own", "twin", "rented"]), skew_s=st.sampled_from(SKEWS_S))
    def clock_jumps(self, pool: str, skew_s: float) -> None:
        """A machine's clock is set by a user or NTP."""
        self.machines[pool].skew_s = skew_s

    @precondition(lambda self: self.at)
    @rule(data=st.data())
    def kill_one(self, data: st.DataObject) -> None:
        self.kill(data.draw(st.sampled_from(sorted(self.at))))

    @precondition(lambda self: self.at)
    @rule(data=st.data(), fate=st.sampled_from([None, None, "crash", "fail"]), nth=st.integers(1, 30))
    def stop_one(self, data: st.DataObject, fate: str | None, nth: int) -> None:
        """A dispatcher is asked to end, and does, or dies of it."""
        pool = data.draw(st.sampled_from(sorted(self.at)))
        with self.fate(fate, nth), self.clock.on(self.machines[pool]):
            self.at[pool]._leave(once=pool == "rented")
        self.kill(pool)

    @precondition(lambda self: self.world.alive())
    @rule(data=st.data(), what=st.sampled_from(["begin", "begin", "good", "bad", "vanish", "stopped", "walltime"]))
    def work(self, data: st.DataObject, what: str) -> None:
        workers = self.world.alive()
        worker = workers[data.draw(st.integers(0, len(workers) - 1))]
        if worker.started_at is None and what != "vanish":
            self.world.begin(worker)
        if worker.ended or what == "begin" or (worker.started_at is None and what in ("good", "bad")):
            return
        if what in ("good", "bad"):
            self.world.finish(worker, ok=what == "good")
        elif what == "vanish":
            worker.ended = True
        else:
            self.world.say(worker, "walltime" if what == "walltime" else "stopped")

    @rule(seconds=st.sampled_from([5, 30, 61, 130, 700]), beating=st.booleans())
    def time_passes(self, seconds: float, beating: bool) -> None:
        """Workers write heartbeats, unless the storage fails."""
        self.clock.passed_s += seconds
        for worker in self.world.alive() if beating else ():
            self.world.heed(worker)
            if not worker.ended:
                self.world.beat(worker)

    @rule(data=st.data(), what=st.sampled_from(["action", "cancel", "waiting", "invalid"]))
    def decide(self, data: st.DataObject, what: str) -> None:
        task = data.draw(st.sampled_from(self.tasks))
        if what == "action":
            action_tasks(self.lake, [task], NETWORK, caller=Caller("user"))
        elif what == "cancel":
            cancel_tasks(self.lake, [task], NETWORK, caller=Caller("user"))
        else:
            set_tasks_status(self.lake, [task], what, caller=Caller("user"))  # type: ignore[arg-type]

    @rule(state=st.sampled_from(["active", "inactive", "active"]))
    def switch(self, state: str) -> None:
        """Off and on again, before anything notices."""
        set_network_state(self.lake, [NETWORK], state, caller=Caller("user"))

    # --- dispatchers ------------------------------------------------------------------------------

    def new_engine(self, name: str) -> WorkerPool | JobQueue:
        if name == "rented":
            return self.engines.get(name) or JobQueue(self.world, name, ("r1", "r2"))
        return WorkerPool(self.world, name, (f"{name}-1", f"{name}-2"))

    def new_dispatcher(self, pool: str) -> Dispatcher:
        durable = pool == "rented"
        self.engines[pool] = self.new_engine(pool)
        chosen = DispatchSettings(
            pool=pool,
            resources=Resources(),
            lease_s=6 * 3600.0 if durable else 60.0,
            capacity=Resources(2),
            maximum_workers=2,
        )
        made = Dispatcher(
            Lake.open(self.lake.url), self.engines[pool], chosen, pools=self.pools, rng=np.random.default_rng(0)
        )
        made._sightings._clock = self.clock.monotonic
        made._sightings._clock_name = "here" if self.same_machine else pool
        return made

    def kill(self, pool: str) -> None:
        one = self.at.pop(pool, None)
        if one is not None:
            self.dead.add(one._me.actor)

    @contextlib.contextmanager
    def fate(self, kind: str | None, nth: int):  # type: ignore[no-untyped-def]
        """Crash at the nth fault point, or fail at it and the next three; yield a list, not empty after a crash."""
        n, crashed = 0, list[str]()

        def at(name: str) -> None:
            nonlocal n
            n += 1
            if kind == "crash" and n == nth:
                crashed.append(name)
                raise Crash(name)
            if kind == "fail" and nth <= n < nth + 4:
                raise StorageError(f"503 at {name}")

        PoolHistories.passes = staticmethod(lambda: at("object"))
        with fault_hook(at), contextlib.suppress(Crash):
            try:
                yield crashed
            finally:
                PoolHistories.passes = staticmethod(lambda: None)

    # --- invariants -------------------------------------------------------------------------------

    @invariant()
    def nobody_works_on_what_another_holds(self) -> None:
        """A worker that no longer holds its Task, while another does, was asked to stop."""
        if not self.engines:
            return
        held = {task: state.attempt for task, state in self.lake.task_log.states().running().items()}
        for worker in self.world.alive():
            holder = held.get(worker.spec.task)
            if holder is not None and holder != worker.spec.attempt:
                assert is_asked_to_stop(self.lake, worker.spec), f"{worker.spec.attempt} of {worker.pool} goes on"

    def nobody_is_given_up_who_beats(self) -> None:
        """An expired lease alone does not end an attempt with heartbeats, whatever clocks show."""
        log = self.lake.table("task_log").scan().filter(pl.col("event") == "expired").select("of_attempt").collect()
        expired = set(log["of_attempt"])
        for worker in self.world.alive():
            if worker.beat_at is not None and (self.clock.now() - worker.beat_at).total_seconds() < 60.0:
                assert worker.spec.attempt not in expired or worker.spec.attempt in self.expired
        self.expired |= expired

    @invariant()
    def results_are_there_once(self) -> None:
        rows = self.lake.table("results").scan().select("attempt").collect()
        assert rows["attempt"].is_unique().all()

    def in_the_end_all_is_done(self) -> None:
        """No more faults; an active network; every Task actioned."""
        set_network_state(self.lake, [NETWORK], "active", caller=Caller("user"))
        for round_ in range(80):
            self.clock.passed_s += 60.0 if round_ < 20 else 1200.0
            for pool in self.engines:
                self.turn(pool, None, 0)  # type: ignore[arg-type]
            for worker in self.world.alive():
                self.finish_or_heed(worker)
            statuses = self.open_tasks()
            if not statuses:
                return
        raise AssertionError(f"never done: {statuses}")

    def finish_or_heed(self, worker: Worker) -> None:
        if worker.started_at is None:
            self.world.begin(worker)
        if not worker.ended:
            self.world.heed(worker)
        if not worker.ended and worker.started_at is not None:
            self.world.finish(worker, ok=True)

    def open_tasks(self) -> list[tuple[str, str]]:
        states = self.lake.task_log.states()
        actioned = states.live_actions()["task"].to_list()
        rows = states.tasks.select("task", "status").iter_rows()
        return [(t, s) for t, s in rows if s == "running" or (s == "waiting" and t in actioned)]

    def check_log(self) -> None:
        log = self.lake.table("task_log").scan().sort("seq", "idx").collect()
        completed = log.filter(pl.col("event") == "completed").group_by("task").len()
        assert (completed["len"] == 1).all()
        for (_,), rows in log.group_by("task", maintain_order=True):
            before = None
            for row in rows.iter_rows(named=True):
                if row["event"] == "claimed":
                    assert before is not None
                    assert before["status"] == "waiting"
                if row["event"] == "expired":
                    assert before is not None
                    assert before["lease_expires_at"] is not None
                before = row
        self.no_good_result_is_lost()

    def no_good_result_is_lost(self) -> None:
        """Every receipt in the lake is in the tables, including late ones."""
        left = {path.parent.name for path in (self.folder / "lake" / "attempts").rglob("receipt.arrow")}
        for pool in sorted(self.at):
            self.at[pool]._settle(Due(heartbeat=True, sweep=True, sweep_all=True))
        assert left == set(self.lake.table("results").scan().select("attempt").collect()["attempt"])


@pytest.mark.parametrize("n_histories", [5, pytest.param(500, marks=LONG)])
def test_random_histories_of_pools(n_histories: int, template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    PoolHistories.template, PoolHistories.patch = template, monkeypatch
    monkeypatch.setattr(at_once, "_AT_ONCE", 1)  # the same order of requests every time
    for verb in ("get", "put", "put_exclusive", "exists"):
        monkeypatch.setattr(ObjectStore, verb, interruptible(getattr(ObjectStore, verb)))
    run_state_machine_as_test(
        PoolHistories,
        settings=histories(n_histories, steps=25),
    )


def checked_decision(seen: Picture) -> Decision:
    """Decide, and check that this keeps the promises and can be repeated."""
    decision = decide(seen)
    check_decision(seen, decision)
    assert decide(seen) == decision
    return decision


def interruptible(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Make a request to the store fail if that is its fate."""

    def request(self: ObjectStore, *args: Any, **kwargs: Any) -> Any:
        PoolHistories.passes()
        return verb(self, *args, **kwargs)

    return request
