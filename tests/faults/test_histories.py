"""Random histories of a lake compared with a plain reference, with crashes between any two writes.

Two dispatchers share one lake; any operation may be interrupted at any fault point. After an interruption the lake
must have the state before or after the operation, never one in between; and repeating the operation must lead to the
state after it. No processes here: `test_kills.py` kills real ones.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
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
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.execution.stop_requests import is_asked_to_stop
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.rounds import advance_network, get_strategy, set_strategy
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.network_state import set_network_state
from alchemiscale_lake.statestore.receipts import find_receipts
from alchemiscale_lake.statestore.result_recording import record_receipts, unrecorded_attempts
from alchemiscale_lake.statestore.round_tasks import round_task_keys
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_ends import RECENT, end_recorded
from alchemiscale_lake.statestore.task_operations import (
    action_tasks,
    cancel_tasks,
    create_tasks,
    set_tasks_priority,
    set_tasks_status,
)
from alchemiscale_lake.statestore.unwanted_tasks import release_unwanted
from alchemiscale_lake.store import Lake
from tests.claims import end_claims, expire_claims, renew_leases
from tests.faults.reference import Reference, ReferenceTask
from tests.long import LONG, histories
from tests.plain import SCOPE, leave_receipt, plain_chain, plain_receipt

PAIRS = [("a", "b"), ("b", "c"), ("a", "c"), ("c", "d")]
#: Allowed successors in the log of one Task; checked on every history.
LEGAL = {
    "created": {"waiting"},
    "actioned": {"waiting", "running", "error"},
    "cancelled": {"waiting", "running", "error"},
    "weight": {"waiting", "running", "error"},
    "priority": {"waiting", "running", "error", "complete", "invalid", "deleted"},
    "claimed": {"running"},
    "renewed": {"running"},
    "completed": {"complete"},
    "failed": {"error"},
    "released": {"waiting"},
    "expired": {"waiting"},
    "status": {"waiting", "invalid", "deleted"},
    "restarted": {"waiting"},
}
ENDED = {"complete", "invalid", "deleted"}
#: Results of each Transformation that the Strategy of every network asks for, and its Tasks of one round.
REPEATS, PER_ROUND = 3, 4


class Names:
    """Replaces uuid4: the same names in every run of a history, so that hypothesis can repeat it."""

    def __init__(self) -> None:
        self.draw = random.Random(0)

    def __call__(self) -> uuid.UUID:
        return uuid.UUID(int=self.draw.getrandbits(128), version=4)


class Crash(BaseException):
    """Simulated death of the process: nothing may catch this."""


@pytest.fixture(scope="module")
def template() -> Path:
    """Return a lake with one network to copy: creating it takes a second."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        submit_network(Lake.create(Path(folder) / "template"), plain_chain(PAIRS[:2]), SCOPE, caller=Caller("user"))
        yield Path(folder) / "template"


class Histories(RuleBasedStateMachine):
    template: Path

    def __init__(self) -> None:
        super().__init__()
        uuid.uuid4 = Names()
        self.folder = Path(tempfile.mkdtemp(dir=self.template.parent))
        shutil.copytree(self.template, self.folder / "lake")
        self.lakes = [Lake.open(self.folder / "lake") for _ in range(2)]
        self.ref = Reference()
        self.attempts: dict[str, AttemptSpec] = {}
        self.left: dict[str, bool] = {}
        self.steps = 0

    def teardown(self) -> None:
        end_recorded(self.lakes[0], caller=Caller("d0"))
        self.ref.end_recorded(self.tasks_of_attempts())
        assert tasks_of(self.lakes[0]) == tasks_of_reference(self.ref)
        assert tasks_of(self.lakes[0]) == tasks_of(self.lakes[1])
        self.check_log()
        shutil.rmtree(self.folder)

    # --- the history ------------------------------------------------------------------------------

    @initialize(count=st.integers(1, 4))
    def first_tasks(self, count: int) -> None:
        """Start with something for every operation to work on."""
        network, transformations = self.network_of(2)
        self.ref.networks[network] = transformations
        created = create_tasks(
            self.lakes[0], [sorted(transformations)[i % 2] for i in range(count)], caller=Caller("user")
        )
        action_tasks(self.lakes[0], created, network, caller=Caller("user"))
        states = self.lakes[0].task_log.states().of(created)
        self.ref.tasks |= {task: ReferenceTask(states[task].transformation) for task in created}
        self.ref.action(created, network, None)

    @rule(who=st.integers(0, 1), n=st.integers(2, len(PAIRS)), cut=st.none() | st.integers(1, 9))
    def submit(self, who: int, n: int, cut: int | None) -> None:
        chain = plain_chain(PAIRS[:n])

        def verb(lake: Lake) -> None:
            submit_network(lake, chain, SCOPE, caller=Caller("user"))

        def expect(ref: Reference) -> None:
            network, transformations = self.network_of(n)
            ref.networks[network] = transformations

        self.play(who, verb, expect, cut)

    @rule(who=st.integers(0, 1), data=st.data(), cut=st.none() | st.integers(1, 4))
    def create(self, who: int, data: st.DataObject, cut: int | None) -> None:
        network = data.draw(st.sampled_from(sorted(self.ref.networks)))
        transformation = data.draw(st.sampled_from(sorted(self.ref.networks[network])))
        heirs = [
            n
            for n, t in self.ref.tasks.items()
            if t.transformation == transformation and t.status not in ("invalid", "deleted")
        ]
        extends = data.draw(st.none() | st.sampled_from(heirs)) if heirs else None
        count = data.draw(st.integers(1, 3))
        lake = self.lakes[who]
        before = set(self.ref.tasks)
        with self.cut(cut):
            create_tasks(lake, [transformation] * count, extends=extends, caller=Caller("user"))
        # keys are drawn by the lake; either all of them appear or none
        states = Lake.open(lake.url).task_log.states()
        new = sorted(set(states.tasks["task"]) - before)
        assert len(new) in ({count} if cut is None else {0, count})
        self.ref.tasks |= {task: ReferenceTask(transformation, extends) for task in new}

    @rule(who=st.integers(0, 1), data=st.data(), cut=st.none() | st.integers(1, 12))
    def advance(self, who: int, data: st.DataObject, cut: int | None) -> None:
        """A scheduler runs the next round, possibly interrupted; the other one completes it."""
        network = data.draw(st.sampled_from(sorted(self.ref.networks)))
        if get_strategy(self.lakes[who], network) is None:
            limits = {"settings": {"repeats": REPEATS}, "max_tasks_per_round": PER_ROUND}
            set_strategy(self.lakes[who], [network], "fixed-repeats", caller=Caller("user"), **limits)
        before = asked_in(self.lakes[who], network)
        with self.cut(cut):
            advance_network(self.lakes[who], network, caller=Caller(f"d{who}"))
        self.lakes[who] = Lake.open(self.lakes[who].url)
        advance_network(self.lakes[1 - who], network, caller=Caller(f"d{1 - who}"))
        after = asked_in(self.lakes[who], network)
        new = {task: transformation for task, transformation in after.items() if task not in before}
        if network in self.ref.closed:
            assert not new
        elif new:
            missing = self.ref.missing(network, REPEATS, self.tasks_of_attempts())
            assert len(new) == min(PER_ROUND, missing.total())
            assert Counter(new.values()) <= missing
        self.ref.tasks |= {task: ReferenceTask(transformation) for task, transformation in new.items()}
        self.ref.action(sorted(new), network, None)
        # whatever became of them, Tasks of rounds exist once, and nothing else was made
        assert set(after) <= set(self.ref.tasks)

    @precondition(lambda self: self.ref.tasks)
    @rule(
        who=st.integers(0, 1),
        data=st.data(),
        weight=st.none() | st.sampled_from([0.0, 0.25, 1.0]),
        cut=st.none() | st.integers(1, 2),
    )
    def action(self, who: int, data: st.DataObject, weight: float | None, cut: int | None) -> None:
        tasks, network = self.some_tasks(data), data.draw(st.sampled_from(sorted(self.ref.networks)))
        self.play(
            who,
            lambda lake: action_tasks(lake, tasks, network, weight=weight, caller=Caller("user")),
            lambda ref: ref.action(tasks, network, weight),
            cut,
        )

    @precondition(lambda self: self.ref.tasks)
    @rule(who=st.integers(0, 1), data=st.data(), cut=st.none() | st.integers(1, 2))
    def cancel(self, who: int, data: st.DataObject, cut: int | None) -> None:
        tasks, network = self.some_tasks(data), data.draw(st.sampled_from(sorted(self.ref.networks)))
        self.play_stopping(
            who,
            lambda lake: cancel_tasks(lake, tasks, network, caller=Caller("user")),
            lambda ref: ref.cancel(tasks, network),
            cut,
        )

    @rule(
        who=st.integers(0, 1),
        data=st.data(),
        state=st.sampled_from(["inactive", "active", "deleted"]),
        cut=st.none() | st.integers(1, 6),
    )
    def set_network_state(self, who: int, data: st.DataObject, state: str, cut: int | None) -> None:
        network = data.draw(st.sampled_from(sorted(self.ref.networks)))
        self.play_stopping(
            who,
            lambda lake: set_network_state(lake, [network], state, caller=Caller("user")),
            lambda ref: ref.set_state(network, state),
            cut,
        )

    @rule(who=st.integers(0, 1), data=st.data(), cut=st.none() | st.integers(1, 2))
    def close_and_die(self, who: int, data: st.DataObject, cut: int | None) -> None:
        """The caller dies before it stops running Tasks; a dispatcher does it, possibly at its second try."""
        network = data.draw(st.sampled_from(sorted(self.ref.networks)))
        lake = self.lakes[who]
        lake.network_log.set([network], caller=Caller("user"), state="inactive")
        with self.cut(cut):
            release_unwanted(lake, caller=Caller(f"d{who}"))
        self.lakes[who] = Lake.open(lake.url)
        release_unwanted(self.lakes[who], caller=Caller(f"d{who}"))
        self.ref.set_state(network, "inactive")

    @precondition(lambda self: self.ref.tasks)
    @rule(who=st.integers(0, 1), data=st.data(), priority=st.integers(1, 20))
    def prioritise(self, who: int, data: st.DataObject, priority: int) -> None:
        tasks = self.some_tasks(data)
        self.play(
            who,
            lambda lake: set_tasks_priority(lake, tasks, priority, caller=Caller("user")),
            lambda ref: ref.prioritise(tasks, priority),
            None,
        )

    @precondition(lambda self: self.ref.tasks)
    @rule(who=st.integers(0, 1), data=st.data(), to=st.sampled_from(["waiting", "waiting", "invalid", "deleted"]))
    def set_status(self, who: int, data: st.DataObject, to: str) -> None:
        tasks = self.some_tasks(data, most=2)
        self.play_stopping(
            who,
            lambda lake: set_tasks_status(lake, tasks, to, caller=Caller("user")),
            lambda ref: ref.set_status(tasks, to),
            None,
        )

    @precondition(lambda self: self.ref.claimable())
    @rule(who=st.integers(0, 1), count=st.integers(1, 4), seed=st.integers(0, 99), cut=st.none() | st.integers(1, 2))
    def claim(self, who: int, count: int, seed: int, cut: int | None) -> None:
        possible = self.ref.claimable()
        with self.cut(cut):
            claim_tasks(
                self.lakes[who], "p", count, lease_s=0.0, caller=Caller(f"d{who}"), rng=np.random.default_rng(seed)
            )
        running = Lake.open(self.lakes[who].url).task_log.states().running()
        held = {task.attempt for task in self.ref.tasks.values()}
        new = {s.task: s for s in running.values() if s.attempt not in held}
        assert set(new) <= possible
        # strict priority within the network: nothing is overtaken by a lower rank of the same network
        self.check_priority(possible, set(new))
        assert len(new) in ({min(count, len(possible))} if cut is None else {0, min(count, len(possible))})
        for state in new.values():
            assert state.attempt is not None
            assert state.attempt not in self.attempts, "an attempt was given out twice"
            self.ref.claim(state.task, state.attempt)
            self.attempts[state.attempt] = AttemptSpec(state.attempt, state.task, state.transformation, state.scope)

    @precondition(lambda self: self.attempts)
    @rule(who=st.integers(0, 1), data=st.data())
    def renew(self, who: int, data: st.DataObject) -> None:
        spec = data.draw(st.sampled_from(sorted(self.attempts.values(), key=lambda a: a.attempt)))
        seq = self.lakes[who].task_log.states().seq
        renew_leases(self.lakes[who], {spec.attempt: spec.task}, lease_s=0.0, caller=Caller(f"d{who}"))
        renewed = self.lakes[who].task_log.states().seq > seq
        assert renewed == (self.ref.tasks[spec.task].attempt == spec.attempt)

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), ok=st.booleans())
    def finish(self, data: st.DataObject, ok: bool) -> None:
        """A worker leaves its receipt, possibly long after its lease ended."""
        spec = data.draw(st.sampled_from(sorted(self.attempts.values(), key=lambda a: a.attempt)))
        first = leave_receipt(self.lakes[0], plain_receipt(spec, ok=ok))
        assert first == (spec.attempt not in self.left)
        self.left.setdefault(spec.attempt, ok)

    @precondition(lambda self: set(self.attempts) - set(self.left))
    @rule(who=st.integers(0, 1), ok=st.booleans(), cut=st.none() | st.integers(1, 12))
    def finish_and_record(self, who: int, ok: bool, cut: int | None) -> None:
        """The normal end of an attempt, whoever records it."""
        spec = self.attempts[min(set(self.attempts) - set(self.left))]
        leave_receipt(self.lakes[0], plain_receipt(spec, ok=ok))
        self.left[spec.attempt] = ok
        self.record_these(who, [spec.attempt], cut)

    @precondition(lambda self: self.left)
    @rule(who=st.integers(0, 1), data=st.data(), cut=st.none() | st.integers(1, 12))
    def record(self, who: int, data: st.DataObject, cut: int | None) -> None:
        attempts = data.draw(st.lists(st.sampled_from(sorted(self.left)), min_size=1, max_size=3, unique=True))
        self.record_these(who, attempts, cut)

    @precondition(lambda self: set(self.attempts) - set(self.left))
    @rule(who=st.integers(0, 1), ok=st.sampled_from([True, True, False]))
    def record_and_die(self, who: int, ok: bool) -> None:
        """The recorder is killed between the result and its event: recorded, but the Task is still open."""
        spec = self.attempts[min(set(self.attempts) - set(self.left))]
        leave_receipt(self.lakes[0], plain_receipt(spec, ok=ok))
        self.left[spec.attempt] = ok
        lake = self.lakes[who]

        def die(name: str) -> None:
            if name == "results:before-event":
                raise Crash(name)

        with fault_hook(die), contextlib.suppress(Crash):
            record_receipts(lake, find_receipts(lake, {spec.attempt: SCOPE}), caller=Caller(f"d{who}"))
        self.lakes[who] = Lake.open(lake.url)
        self.ref.store(spec.attempt, ok)

    @rule(who=st.integers(0, 1), recently=st.booleans(), cut=st.none() | st.integers(1, 2))
    def tell(self, who: int, recently: bool, cut: int | None) -> None:
        """End the Tasks of recorded results."""

        def verb(lake: Lake) -> None:
            end_recorded(lake, caller=Caller(f"d{who}"), within=RECENT if recently else None)

        self.play(who, verb, lambda ref: ref.end_recorded(self.tasks_of_attempts()), cut)

    @rule(who=st.integers(0, 1), cut=st.none() | st.integers(1, 12))
    def sweep(self, who: int, cut: int | None) -> None:
        """Find receipts of attempts without a waiting dispatcher."""
        forgotten = unrecorded_attempts(self.lakes[who])
        held = {task.attempt for task in self.ref.tasks.values()}
        assert set(forgotten) == set(self.attempts) - set(self.ref.results) - held
        found = find_receipts(self.lakes[who], forgotten)
        assert {r.attempt for r in found} == set(forgotten) & set(self.left)
        if found:
            self.record_these(who, [r.attempt for r in found], cut)

    @precondition(lambda self: any(t.attempt for t in self.ref.tasks.values()))
    @rule(who=st.integers(0, 1), reason=st.none() | st.just("stopped"), cut=st.none() | st.integers(1, 2))
    def end_all(self, who: int, reason: str | None, cut: int | None) -> None:
        """Leases expire while they are watched, or are released."""
        held = {t.attempt: name for name, t in self.ref.tasks.items() if t.attempt}

        def expect(ref: Reference) -> None:
            for attempt in held:
                ref.give_up(attempt)

        watched = list(self.lakes[who].task_log.states().running().values())

        def verb(lake: Lake) -> None:
            if reason is None:
                expire_claims(lake, watched, caller=Caller(f"d{who}"))
            else:
                end_claims(lake, held, caller=Caller(f"d{who}"), reason=reason)

        self.play(who, verb, expect, cut)

    @precondition(lambda self: any(t.attempt for t in self.ref.tasks.values()))
    @rule(who=st.integers(0, 1), data=st.data())
    def expire_in_vain(self, who: int, data: st.DataObject) -> None:
        """A holder renews between the watcher's last check and its commit."""
        held = {t.attempt: name for name, t in self.ref.tasks.items() if t.attempt}
        attempt = data.draw(st.sampled_from(sorted(held)))
        watched = self.lakes[who].task_log.states().of([held[attempt]]).values()
        renew_leases(self.lakes[1 - who], {attempt: held[attempt]}, lease_s=60.0, caller=Caller(f"d{1 - who}"))
        assert expire_claims(self.lakes[who], watched, caller=Caller(f"d{who}")) == 0

    @rule(who=st.integers(0, 1), cut=st.none() | st.integers(1, 2))
    def upkeep(self, who: int, cut: int | None) -> None:
        """Fold, compact and checkpoint, possibly interrupted; then continue with the lake reopened."""
        with self.cut(cut):
            self.lakes[who].task_log.fold()
        delta = self.lakes[who].table("task_log").snapshot()
        delta.optimize.compact()
        delta.create_checkpoint()
        self.lakes[who] = Lake.open(self.lakes[who].url)

    # --- running an operation ---------------------------------------------------------------------

    def record_these(self, who: int, attempts: list[str], cut: int | None) -> None:
        def verb(lake: Lake) -> None:
            record_receipts(lake, find_receipts(lake, dict.fromkeys(attempts, SCOPE)), caller=Caller(f"d{who}"))

        before = set(self.ref.results)

        def expect(ref: Reference) -> None:
            for attempt in sorted(attempts, key=lambda a: not self.left[a]):
                ref.record(attempt, self.attempts[attempt].task, self.left[attempt])

        self.play(who, verb, expect, cut, finish=cut is not None)
        assert set(self.ref.results) == before | set(attempts)

    def play(
        self,
        who: int,
        verb: Callable[[Lake], object],
        expect: Callable[[Reference], None],
        cut: int | None,
        *,
        finish: bool = False,
    ) -> None:
        """Run an operation, interrupted at the `cut`-th fault point if it has that many; `finish` repeats it."""
        lake = self.lakes[who]
        after = self.ref.copy()
        expect(after)
        with self.cut(cut) as was_cut:
            verb(lake)
        if was_cut:
            self.lakes[who] = lake = Lake.open(lake.url)
            if finish:
                verb(lake)
            elif tasks_of(lake) == tasks_of_reference(self.ref) and tasks_of_reference(self.ref) != tasks_of_reference(
                after
            ):
                return  # nothing was committed: the state before
            else:
                verb(lake)
        self.ref = after

    def play_stopping(
        self, who: int, verb: Callable[[Lake], object], expect: Callable[[Reference], None], cut: int | None
    ) -> None:
        """Run an operation that may take Tasks from workers: each of them, and no other, is notified."""
        held = {task.attempt for task in self.ref.tasks.values()}
        told = self.stopped()
        self.play(who, verb, expect, cut)
        lost = held - {task.attempt for task in self.ref.tasks.values()} - {None}
        new = self.stopped() - told
        assert new <= lost
        assert cut is not None or new | told >= lost

    def tasks_of_attempts(self) -> dict[str, str]:
        return {attempt: spec.task for attempt, spec in self.attempts.items()}

    def stopped(self) -> set[str]:
        return {attempt for attempt, spec in self.attempts.items() if is_asked_to_stop(self.lakes[0], spec)}

    @contextlib.contextmanager
    def cut(self, nth: int | None):  # type: ignore[no-untyped-def]
        """Crash at the nth fault point; yield a list that is not empty if that was reached."""
        passed, crashed = [], []

        def hook(name: str) -> None:
            passed.append(name)
            if len(passed) == nth:
                crashed.append(name)
                raise Crash(name)

        with fault_hook(hook), contextlib.suppress(Crash):
            yield crashed

    def network_of(self, n: int) -> tuple[str, set[str]]:
        """Return ScopedKeys of the network with the first `n` pairs and of its Transformations."""
        transformations = {f"Transformation-{a}_{b}-{SCOPE}" for a, b in PAIRS[:n]}
        return f"{plain_chain(PAIRS[:n])[-1][0]}-{SCOPE}", transformations

    def some_tasks(self, data: st.DataObject, most: int = 4) -> list[str]:
        return data.draw(st.lists(st.sampled_from(sorted(self.ref.tasks)), min_size=1, max_size=most, unique=True))

    # --- invariants -------------------------------------------------------------------------------

    @invariant()
    def both_see_the_reference(self) -> None:
        """Check alternately, since this is the most expensive part of a step."""
        self.steps += 1
        assert tasks_of(self.lakes[self.steps % 2]) == tasks_of_reference(self.ref)

    @invariant()
    def results_are_there_once(self) -> None:
        rows = self.lakes[0].table("results").scan().select("attempt", "ok").collect()
        assert rows["attempt"].is_unique().all()
        assert dict(rows.iter_rows()) == self.ref.results
        units = self.lakes[0].table("unit_results").scan().select("attempt").collect()
        assert sorted(units["attempt"]) == sorted(self.ref.results)

    def check_priority(self, possible: set[str], drawn: set[str]) -> None:
        for network in set(self.ref.networks) - set(self.ref.closed):
            on = {
                n
                for n in possible
                if self.ref.tasks[n].actions.get(network, 0) > 0 and len(self.ref.tasks[n].actions) == 1
            }
            best_left = min((self.ref.tasks[n].priority for n in on - drawn), default=None)
            if best_left is not None:
                assert all(self.ref.tasks[n].priority <= best_left for n in on & drawn)

    def check_log(self) -> None:
        """Every history is legal: seq without gaps, ended Tasks stay ended, one holder at a time."""
        log = self.lakes[0].table("task_log").scan().sort("seq", "idx").collect()
        if not len(log):
            return
        assert log["seq"].unique().to_list() == list(range(1, log["seq"].max() + 1))
        for (_,), rows in log.group_by("task", maintain_order=True):
            assert rows["event"][0] == "created"
            before = None
            for row in rows.iter_rows(named=True):
                assert row["status"] in LEGAL[row["event"]]
                if before is not None and before["status"] in ENDED and row["status"] != before["status"]:
                    assert row["status"] in ("invalid", "deleted")
                    assert before["status"] == "complete"
                if row["event"] == "claimed":
                    assert before is not None
                    assert before["status"] == "waiting"
                before = row


def asked_in(lake: Lake, network: str) -> dict[str, str]:
    """Return the Tasks of all rounds of a network, with their Transformations; rounds have numbers without gaps."""
    rows = lake.table("strategy_rounds").scan().filter(network=network).collect()
    assert rows.select("round", "transformation").is_unique().all()
    numbers = sorted(rows["round"].unique())
    assert numbers == list(range(1, len(numbers) + 1))
    asked: dict[str, str] = {}
    for number in numbers:
        n_tasks = rows.filter(round=number).select("transformation", "n_tasks")
        asked |= round_task_keys(network, number, dict(n_tasks.iter_rows()))
    return asked


def tasks_of(lake: Lake) -> dict[str, tuple[object, ...]]:
    states = lake.task_log.states()
    rows = states.tasks.select("task", "transformation", "extends", "status", "priority", "attempt").rows()
    actions = states.networks_of([row[0] for row in rows])
    closed = {name: state.state for name, state in lake.network_log.states().items() if state.state != "active"}
    names = sorted(lake.table("networks").scan().select("network").collect()["network"])
    networks = tuple((name, closed.get(name, "active")) for name in names)
    return {"": networks, **{row[0]: (*row[1:], tuple(sorted(actions[row[0]].items()))) for row in rows}}


def tasks_of_reference(ref: Reference) -> dict[str, tuple[object, ...]]:
    return {
        "": tuple((name, ref.closed.get(name, "active")) for name in sorted(ref.networks)),
        **{
            name: (t.transformation, t.extends, t.status, t.priority, t.attempt, tuple(sorted(t.standing().items())))
            for name, t in ref.tasks.items()
        },
    }


@pytest.mark.parametrize("n_histories", [20, pytest.param(10_000, marks=LONG)])
def test_random_histories_agree_with_the_reference(
    n_histories: int, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Histories.template = template
    monkeypatch.setattr(uuid, "uuid4", Names())  # and undo at the end what every history sets anew
    run_state_machine_as_test(
        Histories,
        settings=histories(n_histories, steps=16),
    )
