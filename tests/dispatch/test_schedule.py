"""Checks are due at their intervals, all at once after a failed turn."""

from alchemiscale_lake.dispatch.schedule import Schedule


def test_the_first_turn_starts_and_checks_what_is_in_flight() -> None:
    due = Schedule(20.0, 0.0).due(0.0)

    assert (due.start, due.heartbeat, due.silence) == (True, True, True)
    assert not due.sweep


def test_checks_are_due_again_after_their_intervals() -> None:
    schedule = Schedule(20.0, 0.0)
    schedule.passed(schedule.due(0.0), 0.0)

    at = {at_s: schedule.due(at_s) for at_s in (19.0, 20.0, 120.0, 3600.0)}

    assert [due.heartbeat for due in at.values()] == [False, True, True, True]
    assert [due.silence for due in at.values()] == [False, False, True, True]
    assert [due.sweep for due in at.values()] == [False, False, True, True]
    assert [due.sweep_all for due in at.values()] == [False, False, False, True]
    assert not any(due.start for due in at.values())


def test_a_failed_turn_is_made_up_for_at_once_and_only_once() -> None:
    schedule = Schedule(20.0, 0.0)
    schedule.passed(schedule.due(0.0), 0.0)

    schedule.shake()
    due = schedule.due(1.0)

    assert due.after_outage
    assert due.heartbeat
    schedule.passed(due, 1.0)
    assert not schedule.due(2.0).heartbeat


def test_a_failure_during_a_turn_that_did_not_know_of_it_is_not_forgotten() -> None:
    schedule = Schedule(20.0, 0.0)
    due = schedule.due(0.0)

    schedule.shake()
    schedule.passed(due, 0.0)

    assert schedule.due(1.0).after_outage
