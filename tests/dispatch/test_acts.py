"""What is carried out of a decision, and in which order: a worker is stopped before its Task is released."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from alchemiscale_lake.dispatch import acts
from alchemiscale_lake.dispatch.acts import Acts
from alchemiscale_lake.dispatch.decision import Decision
from alchemiscale_lake.dispatch.dispatch_report import DispatchReport, Tally
from alchemiscale_lake.dispatch.picture import NOTHING_DUE, Due, OtherAttempt, Picture
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.statestore.claims import Claim, claim_of
from alchemiscale_lake.statestore.restarts import RestartDecision
from alchemiscale_lake.statestore.result_recording import Recorded
from alchemiscale_lake.statestore.task_ends import RECENT, EndedTask
from tests.attempts import ME, in_flight, running, states
from tests.plain import SCOPE, plain_receipt

TASKS = {f"a{n}": running(n).task for n in range(1, 5)}


class Calls(list[tuple[str, Any]]):
    """Operations in the order in which they were called."""

    def named(self) -> list[str]:
        return [name for name, _ in self]

    def of(self, name: str) -> list[Any]:
        return [what for called, what in self if called == name]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Replace the operations on the lake; every failed Task is restarted."""
    made = Calls()

    def replaced(name: str, result: Callable[..., Any]) -> None:
        def call(_: object, *given: Any, **more: Any) -> Any:
            made.append((name, (*given, *(v for k, v in more.items() if k != "caller"))))
            return result(*given, **more)

        monkeypatch.setattr(acts, name, call)

    replaced("ask_to_stop", lambda spec: None)
    replaced("leave_failure", lambda spec, pool, why: plain_receipt(spec, ok=False, exception=why))
    replaced("record_receipts", lambda receipts, caller: [recorded(r) for r in receipts])
    replaced(
        "resolve_restarts",
        lambda tasks, caller: [RestartDecision(t, "network", "restarted", "p", "") for t in tasks or ()],
    )
    replaced("record_attempt_ends", lambda ends: len(ends))
    replaced("change_claims", lambda **given: len(given["release"]) + len(given["expire"]))
    replaced("release_unwanted", lambda caller: None)
    replaced("end_recorded", lambda caller, within: [])
    return made


def claim(n: int) -> Claim:
    return claim_of(running(n))


def receipt(n: int, *, ok: bool = True) -> Any:
    state = running(n)
    return plain_receipt(AttemptSpec(f"a{n}", state.task, state.transformation, SCOPE), ok=ok)


def recorded(of: Any, *, new: bool = True) -> Recorded:
    row = of.result
    return Recorded(of.attempt, row["task"], row["transformation"], row["ok"], None, None, None, 1.0, new)


def picture(*flying: int, due: Due = NOTHING_DUE, **more: Any) -> Picture:
    return Picture(ME, 0.0, due, states(), in_flight=in_flight(*flying), **more)


class Names:
    def of(self, tasks: list[Recorded]) -> dict[str, str]:
        return {one.task: f"name of {one.task}" for one in tasks}


def carry_out(decision: Decision, seen: Picture) -> tuple[DispatchReport, dict[str, Any], Tally]:
    tally = Tally()
    left = Acts(object(), tally, Names()).carry_out(decision, seen)  # type: ignore[arg-type]
    return tally.report, left, tally


def test_nothing_decided_touches_nothing(calls: Calls) -> None:
    report, left, _ = carry_out(Decision(), seen := picture(1, 2))

    assert (calls, report, left) == ([], DispatchReport(), seen.in_flight)


def test_a_worker_is_stopped_before_its_task_is_recorded_or_released(calls: Calls) -> None:
    seen = picture(1, 2, 3)
    cancelled: list[str] = []
    handle: Any = type("H", (), {"cancel": lambda self: cancelled.append(calls.named()[-1])})()
    decision = Decision(
        stop=(seen.claim("a1"),), cancel=(handle,), record=(receipt(2),), release={"a1": "taken"}, release_unwanted=True
    )

    _, left, _ = carry_out(decision, seen)

    assert calls.named() == [
        "ask_to_stop",
        "record_receipts",
        "record_attempt_ends",
        "change_claims",
        "release_unwanted",
    ]
    assert cancelled == ["ask_to_stop"]
    assert {attempt: one.is_stopping for attempt, one in left.items()} == {"a1": True, "a2": False, "a3": False}


def test_an_attempt_of_another_is_stopped_without_being_in_flight(calls: Calls) -> None:
    seen = picture(others={"a4": OtherAttempt(running(4))})

    _, left, _ = carry_out(Decision(stop=(seen.claim("a4"),)), seen)

    assert calls.of("ask_to_stop")[0][0].attempt == "a4"
    assert left == {}


def test_lost_attempts_are_recorded_as_failures_and_failures_restarted(calls: Calls) -> None:
    decision = Decision(
        record=(receipt(1), receipt(2, ok=False)), fail={"a3": "WorkerLost"}, recovered=frozenset(["a1"])
    )

    report, _, tally = carry_out(decision, picture(1, 2, 3))

    assert [spec.attempt for spec, _, _ in calls.of("leave_failure")] == ["a3"]
    assert report == DispatchReport(completed=1, failed=2, recovered=1, restarted=2)
    assert calls.of("resolve_restarts") == [([TASKS["a2"], TASKS["a3"]],)]
    assert [one.name for one in tally.newly] == [f"name of {TASKS[a]}" for a in ("a1", "a2", "a3")]


def test_a_failure_recorded_before_is_not_counted_again_but_may_still_be_restarted(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "record_receipts", lambda lake, rs, caller: [recorded(r, new=False) for r in rs])

    report, _, tally = carry_out(Decision(record=(receipt(1, ok=False),)), picture(1))

    assert (report.failed, report.restarted, tally.newly) == (0, 1, [])


def test_claims_change_in_one_commit(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 7.0)
    expired = running(4)
    decision = Decision(
        release={"a1": "stopped"}, expire=(expired,), renew=frozenset(["a2"]), lease_s=90.0, settled=frozenset(["a1"])
    )

    report, left, _ = carry_out(decision, picture(1, 2, 3))

    assert calls[0] == ("record_attempt_ends", ([(claim(1), "stopped"), (claim(4), "its lease expired")],))
    assert calls[1:] == [("change_claims", ({"a1": (TASKS["a1"], "stopped")}, (expired,), {"a2": TASKS["a2"]}, 90.0))]
    assert report.released == 2
    assert {attempt: one.leased_at_s for attempt, one in left.items()} == {"a2": 7.0, "a3": 1000.0}


@pytest.mark.parametrize(
    ("due", "within"),
    [(Due(start=True), None), (Due(sweep=True, sweep_all=True), None), (Due(sweep=True), RECENT)],
)
def test_results_whose_recorder_was_killed_end_their_tasks(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, due: Due, within: Any
) -> None:
    looked: list[Any] = []

    def end_recorded(_: object, *, caller: object, within: Any) -> list[EndedTask]:
        looked.append(within)
        return [EndedTask("good", "a1", True), EndedTask("bad", "a2", False)]

    monkeypatch.setattr(acts, "end_recorded", end_recorded)
    report, _, _ = carry_out(Decision(), picture(due=due))

    assert looked == [within]
    assert report == DispatchReport(completed=1, failed=1, recovered=2, restarted=1)
    # at the start, whoever recorded a failure earlier may have died before it was restarted
    assert calls.of("resolve_restarts") == [(["bad"],), *([(None,)] if due.start else [])]
