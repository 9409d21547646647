"""Contract tests for engines, as a mixin.

A test class inherits `ExecutorContract`, and defines how to open its engine and how to lose what it runs:

    class TestMyEngine(ExecutorContract):
        durable, whole_jobs = False, True

        def open(self, lake): ...
        def lose(self, executor, handle, spec): ...

Every attempt needs one core, and `open` allows at least two at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from alchemiscale_lake.dispatch.executor import Executor, Handle, Pending, Place
from alchemiscale_lake.execution import AttemptSpec
from alchemiscale_lake.execution.heartbeat import read_beat
from alchemiscale_lake.execution.receipt import has_receipt
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.store import Lake
from tests.example_networks import harmonic_transformation
from tests.execution.bench import SCOPE, Bench

#: Names come from users' Transformations.
AWKWARD_NAME = "Zoë's lig_1 / 'lig 2' → $(x) \"%j\" #3"


class ExecutorContract:
    """Inherit this and define how to open an engine; pytest does the rest."""

    #: Whether assignments continue without the executor.
    durable: ClassVar[bool]
    #: Whether one assignment fills a place.
    whole_jobs: ClassVar[bool]
    #: GPUs of each attempt.
    gpus: ClassVar[float] = 0.0
    #: Longest time until something submitted has started, or something lost is noticed; seconds.
    patience_s: ClassVar[float] = 600.0

    def open(self, lake: Lake) -> AbstractContextManager[Executor]:
        """Open the engine, with capacity for at least two attempts of one core."""
        raise NotImplementedError

    def opened(self, lake: Lake) -> AbstractContextManager[Executor]:
        """Return an engine for tests that neither close it nor lose what runs it, which may share its workers."""
        return self.open(lake)

    def lose(self, executor: Executor, handle: Handle, spec: AttemptSpec) -> None:
        """Take away what runs an attempt, as by a power cut: worker, job or process."""
        raise NotImplementedError

    def turn(self, executor: Executor) -> None:
        """Take whatever step the engine needs to get on; none for one that really runs something."""

    # --- helpers ------------------------------------------------------------------------------------

    @pytest.fixture
    def bench(self, lake: Lake, tmp_path: Path) -> Bench:
        return Bench(lake, tmp_path / "work")

    def attempt(self, bench: Bench, **settings: float | str) -> AttemptSpec:
        """Return an attempt of one core, of less than a second unless `duration_s` is given."""
        spec = bench.spec(harmonic_transformation(n_samples=20, n_windows=1, **settings))
        return replace(spec, resources=Resources(1, None, self.gpus))

    def submit(self, executor: Executor, bench: Bench, spec: AttemptSpec, *, name: str = "a Task") -> Handle:
        """Submit an attempt where there is capacity, once there is."""
        fitting: list[Place] = []

        def found() -> bool:
            needs = Resources(1, None, self.gpus)
            fitting[:] = [place for place in executor.places(2) if place.slots and needs.fits_in(place.free)]
            return bool(fitting)

        self.wait(executor, found)
        return executor.submit(bench.assignment(spec, gpus=self.gpus), name=name, place=fitting[0].name)

    def wait(self, executor: Executor, what: Callable[[], bool]) -> None:
        """Take turns as a dispatcher does until a condition holds."""
        deadline = time.monotonic() + self.patience_s
        while not what():
            assert time.monotonic() < deadline, "waited in vain"
            executor.places(2)
            self.turn(executor)
            time.sleep(0.1)

    def is_running(self, bench: Bench, spec: AttemptSpec) -> bool:
        return read_beat(bench.lake, SCOPE, spec.attempt) is not None

    # --- the contract -------------------------------------------------------------------------------

    def test_assignments_run_together_and_answer_by_receipts(self, bench: Bench) -> None:
        specs = [self.attempt(bench, duration_s=2.0), self.attempt(bench, duration_s=2.0), self.attempt(bench)]
        with self.opened(bench.lake) as executor:
            assert (executor.durable, executor.whole_jobs) == (self.durable, self.whole_jobs)
            first, second = (self.submit(executor, bench, spec, name=AWKWARD_NAME) for spec in specs[:2])
            assert not (first.done() and second.done())
            self.wait(executor, lambda: first.done() and second.done())
            # capacity is free again
            third = self.submit(executor, bench, specs[2])
            self.wait(executor, third.done)
            for handle in (first, second, third):
                assert handle.done()
                assert handle.exception() is None

        receipts = [bench.receipt(spec).result for spec in specs]
        assert [receipt["ok"] for receipt in receipts] == [True] * 3
        assert [receipt["attempt"] for receipt in receipts] == [spec.attempt for spec in specs]

    def test_a_task_that_fails_is_not_an_exception(self, bench: Bench) -> None:
        spec = self.attempt(bench, fail="raise")
        with self.opened(bench.lake) as executor:
            handle = self.submit(executor, bench, spec)
            self.wait(executor, handle.done)
            assert handle.exception() is None

        assert self.failure(bench, spec)

    def failure(self, bench: Bench, spec: AttemptSpec) -> bool:
        """Return whether an attempt has a receipt of a failure."""
        return bench.receipt(spec).result["ok"] is False

    def test_places_have_names_and_capacity(self, bench: Bench) -> None:
        with self.opened(bench.lake) as executor:
            seen: list[Sequence[Place]] = [[]]

            def offered() -> bool:
                seen[0] = executor.places(2)
                return bool(seen[0])

            self.wait(executor, offered)
            places = seen[0]
            assert isinstance(executor.pending(), Pending)

        assert len({place.name for place in places}) == len(places)
        for place in places:
            assert place.free.fits_in(place.capacity)
            assert place.slots >= 1
            assert place.ends_in_s is None or place.ends_in_s > 0

    def test_what_runs_takes_capacity(self, bench: Bench) -> None:
        with self.opened(bench.lake) as executor:
            handle = self.submit(executor, bench, self.attempt(bench, duration_s=60.0))
            other = self.submit(executor, bench, self.attempt(bench, duration_s=60.0))
            places = executor.places(2)
            handle.cancel()
            other.cancel()
            self.wait(executor, lambda: handle.done() and other.done())

        assert sum(place.free.cores for place in places) == 0

    def test_a_cancelled_assignment_ends_without_a_receipt(self, bench: Bench) -> None:
        spec = self.attempt(bench, duration_s=300.0)
        with self.opened(bench.lake) as executor:
            handle = self.submit(executor, bench, spec)
            self.wait(executor, lambda: self.is_running(bench, spec))
            handle.cancel()
            handle.cancel()
            self.wait(executor, handle.done)
            assert handle.exception() is None
            handle.cancel()  # of something that has ended

        assert not has_receipt(bench.lake, spec)

    def test_unknown_hosts_to_retire_change_nothing(self, bench: Bench) -> None:
        spec = self.attempt(bench)
        with self.opened(bench.lake) as executor:
            executor.retire(["a-laptop", "another"])
            executor.retire([])
            handle = self.submit(executor, bench, spec)
            self.wait(executor, handle.done)

        assert bench.receipt(spec).result["ok"] is True

    def test_a_lost_worker_ends_its_assignment_and_others_run(self, bench: Bench) -> None:
        lost, later = self.attempt(bench, duration_s=300.0), self.attempt(bench)
        with self.open(bench.lake) as executor:
            handle = self.submit(executor, bench, lost)
            self.wait(executor, lambda: self.is_running(bench, lost))
            self.lose(executor, handle, lost)
            self.wait(executor, handle.done)
            handle.exception()

            again = self.submit(executor, bench, later)
            self.wait(executor, again.done)

        assert not has_receipt(bench.lake, lost)
        assert bench.receipt(later).result["ok"] is True

    def test_only_durable_engines_find_what_they_were_given(self, bench: Bench) -> None:
        spec = self.attempt(bench, duration_s=3.0)
        asked = {spec.attempt: SCOPE, "f" * 32: SCOPE}
        with self.open(bench.lake) as executor:
            handle = self.submit(executor, bench, spec)
            self.wait(executor, lambda: self.is_running(bench, spec))

        with self.open(bench.lake) as executor:
            found = executor.find(asked)
            assert set(found) == ({spec.attempt} if self.durable else set())
            for other in found.values():
                self.wait(executor, other.done)
                assert other.exception() is None
            if self.durable:
                assert executor.find(asked) == {}

        assert has_receipt(bench.lake, spec) or not self.durable
        # handles of a closed executor tell no lies and raise nothing
        handle.cancel()
        handle.exception()
        handle.done()

    def test_closing_while_something_runs_raises_nothing(self, bench: Bench) -> None:
        spec = self.attempt(bench, duration_s=60.0)
        context = self.open(bench.lake)
        executor = context.__enter__()
        handle = self.submit(executor, bench, spec)
        self.wait(executor, lambda: self.is_running(bench, spec))

        assert not context.__exit__(None, None, None)

        handle.cancel()
        assert not has_receipt(bench.lake, spec)

    def test_an_error_within_is_passed_on(self, bench: Bench) -> None:
        with pytest.raises(RuntimeError, match="the dispatcher's own"), self.open(bench.lake):
            raise RuntimeError("the dispatcher's own")
