"""A claim is given up only after its lease and its heartbeat were observed to stand still."""

import pytest

from alchemiscale_lake.dispatch.lease_monitor import is_expired, is_late, lease_sign, renewed_lease_s, watch_s
from alchemiscale_lake.dispatch.picture import OtherAttempt
from alchemiscale_lake.tasks import TaskState

STATE = TaskState("o-c-p", "task", "transformation", None, status="running", attempt="a")


@pytest.mark.parametrize(("unchanged_s", "late"), [(59.0, False), (60.0, True)])
def test_a_lease_is_late_once_it_was_unchanged_for_its_duration(unchanged_s: float, late: bool) -> None:
    assert is_late(OtherAttempt(STATE, lease_unchanged_s=unchanged_s, lease_s=60.0)) is late


def test_a_lease_of_unknown_duration_is_never_late() -> None:
    assert not is_late(OtherAttempt(STATE, lease_unchanged_s=1e9))


@pytest.mark.parametrize(("signs_s", "expired"), [(None, False), (119.0, False), (120.0, True)])
def test_a_late_lease_expires_after_the_watch(signs_s: float | None, expired: bool) -> None:
    other = OtherAttempt(STATE, lease_unchanged_s=60.0, lease_s=60.0, signs_unchanged_s=signs_s)

    assert is_expired(other, 120.0) is expired


def test_a_lease_in_time_does_not_expire_however_long_the_heartbeat_is_silent() -> None:
    assert not is_expired(OtherAttempt(STATE, lease_unchanged_s=10.0, lease_s=60.0, signs_unchanged_s=1e9), 120.0)


@pytest.mark.parametrize(
    ("lease_s", "n", "renewed_s"),
    [(60.0, 1, 60.0), (60.0, 1000, 60.0), (60.0, 5000, 300.0), (60.0, 10**6, 1800.0), (3600.0, 10**6, 3600.0)],
)
def test_leases_grow_with_the_attempts_but_are_never_shortened(lease_s: float, n: int, renewed_s: float) -> None:
    assert renewed_lease_s(lease_s, n) == renewed_s


def test_short_leases_are_watched_for_two_of_them() -> None:
    assert (watch_s(5.0), watch_s(300.0)) == (10.0, 120.0)


def test_an_attempt_without_lease_has_an_empty_sign() -> None:
    assert lease_sign(STATE) == ""
