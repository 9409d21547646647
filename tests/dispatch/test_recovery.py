"""Which attempts a dispatcher gives up that it did not submit, or lost track of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alchemiscale_lake.dispatch.picture import OtherAttempt
from alchemiscale_lake.dispatch.recovery import Recovery, attempts_to_recover, recovery_of
from tests.attempts import JOBS, ME, running

WATCH_S = 120.0
#: Another machine's dispatcher with a live lease.
OTHER = OtherAttempt(running(1), claimer="dispatch:p@1.1@elsewhere", lease_s=60.0)
#: The same, expired and watched in vain.
EXPIRED = replace(OTHER, lease_unchanged_s=1e6, signs_unchanged_s=1e6)
#: A job of another turn of cron, on this machine, whose process has ended.
JOB = OtherAttempt(running(1), claimer="jobs:p@7.7@here", claimer_ended=True, claimed_ago_s=0.0, jobless_s=0.0)


def test_a_live_attempt_of_another_is_left_alone() -> None:
    assert recovery_of(ME, OTHER, WATCH_S) is None
    assert recovery_of(ME, OtherAttempt(running(1)), WATCH_S) is None


def test_an_own_claim_that_is_not_in_flight_was_never_dispatched() -> None:
    assert recovery_of(ME, replace(OTHER, claimer=ME.actor), WATCH_S) == Recovery(
        "released", "it could not be dispatched"
    )


def test_workers_end_with_their_dispatcher_but_jobs_do_not() -> None:
    gone = replace(OTHER, claimer="dispatch:p@7.7@here", claimer_ended=True)

    assert recovery_of(ME, gone, WATCH_S) == Recovery("released", "its dispatcher ended")
    assert recovery_of(JOBS, replace(gone, claimer="jobs:p@7.7@here"), WATCH_S) is None


@pytest.mark.parametrize(
    ("jobless_s", "claimed_ago_s", "is_lost"),
    [(10.0, 10.0, False), (10.1, 0.0, True), (0.0, 10.1, True), (11.0, None, True), (None, 1e6, False)],
)
def test_a_job_of_this_machine_is_lost_once_its_queue_had_time_to_list_it(
    jobless_s: float | None, claimed_ago_s: float | None, is_lost: bool
) -> None:
    other = replace(JOB, jobless_s=jobless_s, claimed_ago_s=claimed_ago_s)

    assert recovery_of(JOBS, other, WATCH_S) == (Recovery("lost", "its job is gone") if is_lost else None)


@pytest.mark.parametrize(("jobless_s", "is_lost"), [(600.0, False), (600.1, True)])
def test_a_job_of_a_dispatcher_that_may_be_submitting_it_is_waited_for(jobless_s: float, is_lost: bool) -> None:
    # the clock of another machine proves nothing
    other = replace(JOB, claimer="jobs:p@7.7@elsewhere", claimer_ended=False, jobless_s=jobless_s, claimed_ago_s=1e6)

    assert (recovery_of(JOBS, other, WATCH_S) is not None) == is_lost


def test_a_queue_is_not_asked_for_attempts_of_workers() -> None:
    worker = replace(JOB, claimer="dispatch:p@7.7@elsewhere", claimer_ended=False, jobless_s=1e6)

    assert recovery_of(JOBS, worker, WATCH_S) is None
    assert recovery_of(ME, replace(JOB, jobless_s=1e6), WATCH_S) is None


def test_an_expired_lease_is_given_up_and_only_what_is_given_up_is_listed() -> None:
    assert attempts_to_recover(ME, {"a1": EXPIRED, "a2": OTHER}, WATCH_S) == {"a1": Recovery("expired")}
    assert attempts_to_recover(ME, {"a1": replace(EXPIRED, signs_unchanged_s=None)}, WATCH_S) == {}
