"""What a dispatcher decides about attempts, without a lake or an engine."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alchemiscale_lake.dispatch.attempt_outcome import LOST, AttemptEnding
from alchemiscale_lake.dispatch.decision import Decision, decide
from alchemiscale_lake.dispatch.lease_monitor import SILENCE_S
from alchemiscale_lake.dispatch.picture import Due, Identity, OtherAttempt, Picture, Silence
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.execution.heartbeat import Beat
from tests.attempts import JOBS, ME, NOW, Handle, check_decision, in_flight, running, states
from tests.plain import SCOPE, plain_receipt


def receipt(n: int, *, ok: bool = True):  # type: ignore[no-untyped-def]
    state = running(n)
    return plain_receipt(AttemptSpec(f"a{n}", state.task, state.transformation, SCOPE), ok=ok)


def picture(*flying: int, held: tuple[int, ...] | None = None, **more: object) -> Picture:
    chosen = {
        "me": ME,
        "at_s": 1000.0,
        "due": Due(heartbeat=True),
        "states": states(*(running(n) for n in (flying if held is None else held))),
        "in_flight": in_flight(*flying),
    }
    return Picture(**{**chosen, **more})  # type: ignore[arg-type]


def other(n: int, **more: object) -> dict[str, OtherAttempt]:
    return {f"a{n}": OtherAttempt(running(n), **more)}  # type: ignore[arg-type]


def asked_to_stop(decision: Decision) -> list[str]:
    return [claim.attempt for claim in decision.stop]


def test_attempts_that_run_are_left_alone() -> None:
    assert decide(picture(1, 2)) == Decision(lease_s=60.0)


def test_a_receipt_is_recorded_and_settles_its_attempt() -> None:
    seen = picture(1, 2, ended=frozenset({"a1"}), receipts={"a1": receipt(1)})
    decision = decide(seen)
    assert [r.attempt for r in decision.record] == ["a1"]
    assert (decision.settled, decision.recovered) == (frozenset({"a1"}), frozenset())
    assert (decision.release, decision.fail, decision.stop) == ({}, {}, ())


def test_a_receipt_of_another_dispatcher_is_recovered() -> None:
    decision = decide(picture(held=(1,), others=other(1), receipts={"a1": receipt(1)}))
    assert decision.recovered == {"a1"}
    assert decision.settled == frozenset()


@pytest.mark.parametrize(
    ("ending", "earlier", "released", "failed"),
    [
        (LOST, 0, f"lost: {LOST.reason}", None),
        (LOST, 2, None, f"WorkerLost: 3 workers in a row ended while running it; the last: {LOST.reason}"),
        (AttemptEnding("refused", "full"), 99, "refused: full", None),
        (AttemptEnding("walltime", "the end"), 18, "walltime: the end", None),
        (
            AttemptEnding("walltime", "the end"),
            19,
            None,
            "WalltimeExceeded: 20 jobs in a row ended before it did; increase the walltime of its pool",
        ),
    ],
)
def test_an_attempt_without_a_receipt_is_requeued_until_that_happens_too_often(
    ending: AttemptEnding, earlier: int, released: str | None, failed: str | None
) -> None:
    before = {(running(1).task, ending.kind): earlier}
    decision = decide(picture(1, ended=frozenset({"a1"}), endings={"a1": ending}, earlier_endings=before))
    assert decision.release == ({} if released is None else {"a1": released})
    assert decision.fail == ({} if failed is None else {"a1": failed})
    assert decision.settled == {"a1"}


@pytest.mark.parametrize(("kind", "counted"), [("refused", True), ("unreadable", True), ("stopped", False)])
def test_a_refusal_lets_place_and_task_cool_down(kind: str, counted: bool) -> None:
    (refusal,) = decide(picture(1, ended=frozenset({"a1"}), endings={"a1": AttemptEnding(kind, "why")})).refusals
    assert (refusal.place, refusal.task, refusal.is_counted) == ("place1", running(1).task, counted)


def test_an_attempt_that_lost_its_task_is_stopped_once_and_decides_nothing_about_it() -> None:
    seen = picture(1, 2, held=(2,))
    decision = decide(seen)
    assert asked_to_stop(decision) == ["a1"]
    assert [h.name for h in decision.cancel] == ["h1"]  # type: ignore[attr-defined]
    assert not decision.settled
    again = replace(seen, in_flight=in_flight(1, is_stopping=True) | in_flight(2))
    assert decide(again) == Decision(lease_s=60.0)
    ended = replace(again, ended=frozenset({"a1"}), endings={"a1": AttemptEnding("stopped", "asked")})
    assert decide(ended) == Decision(settled=frozenset({"a1"}), lease_s=60.0)


def test_a_job_is_cancelled_once_none_of_its_attempts_is_wanted() -> None:
    job = Handle("job")
    seen = picture(1, 2, 3, held=(2,), in_flight=in_flight(1, 2, 3, handle=job))
    assert asked_to_stop(decide(seen)) == ["a1", "a3"]
    assert not decide(seen).cancel
    rest = in_flight(1, 3, handle=job, is_stopping=True) | in_flight(2, handle=job)
    assert decide(picture(1, 2, 3, held=(), in_flight=rest)).cancel == (job,)
    recorded = picture(1, 2, held=(2,), in_flight=in_flight(1, 2, handle=job), receipts={"a2": receipt(2)})
    assert decide(recorded).cancel == (job,)


def test_leases_are_renewed_at_half_of_their_duration() -> None:
    flying = in_flight(1, leased_at_s=970.0) | in_flight(2, leased_at_s=971.0) | in_flight(3, leased_at_s=-1e9)
    seen = picture(1, 2, 3, held=(1, 2), in_flight=flying)
    assert decide(seen).renew == {"a1"}, "the second is not due, the third has lost its Task"
    assert decide(replace(seen, due=Due())).renew == frozenset()


def test_thousands_of_leases_are_renewed_in_parts_the_oldest_first() -> None:
    flying = in_flight(*range(1500), leased_at_s=0.0) | in_flight(*range(1500, 1600), leased_at_s=-1e9)
    decision = decide(picture(*range(1600), in_flight=flying))
    assert len(decision.renew) == 1000
    assert decision.renew >= {f"a{n}" for n in range(1500, 1600)}
    renewed = {a: replace(one, leased_at_s=1000.0) if a in decision.renew else one for a, one in flying.items()}
    assert len(decide(picture(*range(1600), in_flight=renewed)).renew) == 600


def test_a_silent_attempt_is_stopped_and_released() -> None:
    beat = Beat(NOW, NOW, NOW, "node3")
    silences = {"a1": Silence(beat, SILENCE_S), "a2": Silence(beat, SILENCE_S - 1)}
    decision = decide(picture(1, 2, silences=silences))
    assert decision.release == {"a1": "lost: no heartbeat from node3"}
    assert asked_to_stop(decision) == ["a1"]
    assert decision.settled == {"a1"}
    found = decide(picture(1, silences=silences, receipts={"a1": receipt(1)}))
    assert not found.release


@pytest.mark.parametrize(
    ("me", "facts", "reason"),
    [
        (ME, {}, None),
        (ME, {"claimer": ME.actor}, "it could not be dispatched"),
        (ME, {"claimer": "dispatch:q@2@here", "claimer_ended": True}, "its dispatcher ended"),
        (ME, {"claimer": "dispatch:q@2@here"}, None),
        (ME, {"claimer": "jobs:q@2@here", "claimer_ended": True}, None),
        (ME, {"lease_unchanged_s": 300.0, "lease_s": 300.0, "signs_unchanged_s": 119.0}, None),
        (ME, {"lease_unchanged_s": 300.0, "lease_s": 300.0, "signs_unchanged_s": 120.0}, "expired"),
        (ME, {"lease_unchanged_s": 299.0, "lease_s": 300.0, "signs_unchanged_s": 120.0}, None),
        (ME, {"lease_unchanged_s": 300.0}, None),
    ],
)
def test_attempts_of_others_are_given_up_for_a_reason(
    me: Identity, facts: dict[str, object], reason: str | None
) -> None:
    seen = picture(held=(1,), me=me, others=other(1, **facts))
    decision = decide(seen)
    assert asked_to_stop(decision) == ([] if reason is None else ["a1"])
    assert [state.attempt for state in decision.expire] == (["a1"] if reason == "expired" else [])
    assert decision.release == ({} if reason in (None, "expired") else {"a1": reason})
    found = decide(replace(seen, receipts={"a1": receipt(1)}))
    assert (found.stop, found.expire, found.release) == ((), (), {}), "its receipt counts"


@pytest.mark.parametrize(
    ("facts", "is_lost"),
    [
        ({"claimer": "jobs:p@2@here", "claimer_ended": True, "claimed_ago_s": 11.0, "jobless_s": 0.0}, True),
        ({"claimer": "jobs:p@2@here", "claimer_ended": True, "claimed_ago_s": 9.0, "jobless_s": 0.0}, False),
        ({"claimer": "jobs:p@2@here", "claimer_ended": True, "claimed_ago_s": -1e9, "jobless_s": 11.0}, True),
        ({"claimer": "jobs:p@2@there", "claimed_ago_s": 1e9, "jobless_s": 599.0}, False),
        ({"claimer": "jobs:p@2@there", "claimed_ago_s": 0.0, "jobless_s": 601.0}, True),
        ({"claimer": "dispatch:p@2@there", "claimed_ago_s": 1e9, "jobless_s": 1e9}, False),
        ({"claimer": "jobs:p@2@there", "claimed_ago_s": 1e9}, False),
    ],
)
def test_a_claim_whose_job_disappeared_ends_like_a_lost_worker(facts: dict[str, object], is_lost: bool) -> None:
    ending = AttemptEnding("lost", "its job is gone")
    decision = decide(picture(held=(1,), me=JOBS, others=other(1, **facts), endings={"a1": ending}))
    assert decision.release == ({"a1": "lost: its job is gone"} if is_lost else {})
    assert asked_to_stop(decision) == (["a1"] if is_lost else [])


def test_a_task_that_no_network_wants_any_more_is_noticed() -> None:
    assert not decide(picture(1)).release_unwanted
    unwanted = picture(1, states=states(running(1), actioned=False))
    assert decide(unwanted).release_unwanted
    assert not decide(replace(unwanted, due=Due())).release_unwanted


def test_leaving_releases_what_cannot_go_on_without_the_dispatcher() -> None:
    seen = picture(1, 2, due=Due(leaving=True), receipts={"a1": receipt(1)}, others=other(3, claimer=ME.actor))
    decision = decide(seen)
    assert decision.release == {"a2": "the dispatcher stopped", "a3": "it could not be dispatched"}
    assert asked_to_stop(decision) == ["a2", "a3"]
    assert [r.attempt for r in decision.record] == ["a1"]
    assert decision.settled == {"a1", "a2"}
    assert decide(replace(seen, me=JOBS)).settled == {"a1"}, "jobs continue"


# --- properties -----------------------------------------------------------------------------------

ATTEMPTS = st.sets(st.integers(0, 7))
ENDINGS = st.sampled_from(
    [LOST, AttemptEnding("stopped", "s"), AttemptEnding("refused", "r"), AttemptEnding("walltime", "w")]
)


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    """Draw a consistent picture: attempts in flight and elsewhere, with or without their Task, or a receipt."""
    flying = draw(ATTEMPTS)
    elsewhere = draw(ATTEMPTS) - flying
    held = {n for n in flying if draw(st.integers(0, 3))} | elsewhere
    handles = [Handle("h0"), Handle("h1"), Handle("h2")]
    mine = {}
    for n in sorted(flying):
        leased = draw(st.sampled_from([1000.0, 900.0, float("-inf")]))
        mine |= in_flight(n, handle=draw(st.sampled_from(handles)), leased_at_s=leased, is_stopping=draw(st.booleans()))
    done = {id(handle) for handle in handles if draw(st.booleans())}
    ended = frozenset(a for a, one in mine.items() if id(one.handle) in done)
    others = {}
    for n in sorted(elsewhere):
        others |= other(
            n,
            claimer=draw(st.sampled_from([None, ME.actor, JOBS.actor, "dispatch:q@2@x", "jobs:p@3@x"])),
            claimer_ended=draw(st.booleans()),
            claimed_ago_s=draw(st.sampled_from([None, 0.0, 1e4])),
            lease_unchanged_s=draw(st.sampled_from([0.0, 500.0])),
            lease_s=draw(st.sampled_from([None, 300.0])),
            signs_unchanged_s=draw(st.sampled_from([None, 0.0, 500.0])),
            jobless_s=draw(st.sampled_from([None, 0.0, 1e4])),
        )
    left = {f"a{n}": receipt(n, ok=draw(st.booleans())) for n in sorted(flying | elsewhere) if draw(st.booleans())}
    endings = {a: draw(ENDINGS) for a in sorted(ended | others.keys()) if a not in left}
    counts = {(running(n).task, kind): draw(st.integers(0, 25)) for n in flying for kind in ("lost", "walltime")}
    beat = Beat(NOW - timedelta(hours=1), NOW, NOW, "node")
    silences = {a: Silence(beat, draw(st.sampled_from([0.0, 700.0]))) for a in sorted(mine)}
    due = draw(st.sampled_from([Due(), Due(heartbeat=True), Due(heartbeat=True, silence=True), Due(leaving=True)]))
    return Picture(
        me=draw(st.sampled_from([ME, JOBS])),
        at_s=1000.0,
        due=due,
        states=states(*(running(n) for n in sorted(held))),
        in_flight=mine,
        ended=ended,
        receipts=left,
        endings=endings,
        earlier_endings=counts,
        silences=silences,
        others=others,
    )


@settings(deadline=None)
@given(pictures())
def test_every_decision_keeps_the_promises(seen: Picture) -> None:
    check_decision(seen, decide(seen))
    assert decide(seen) == decide(seen)


@settings(deadline=None)
@given(pictures())
def test_once_a_decision_is_carried_out_nothing_is_left_of_it(seen: Picture) -> None:
    decision = decide(seen)
    asked = {claim.attempt for claim in decision.stop}
    rest = {
        attempt: replace(one, is_stopping=one.is_stopping or attempt in asked)
        for attempt, one in seen.in_flight.items()
        if attempt not in decision.settled
    }
    after = decide(replace(seen, due=Due(), in_flight=rest, ended=frozenset(), silences={}, others={}, receipts={}))
    assert (after.stop, after.release, after.fail, after.settled) == ((), {}, {}, frozenset())
