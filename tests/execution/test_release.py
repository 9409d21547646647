"""The release of an attempt in the lake."""

from __future__ import annotations

from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.execution.release import Release, leave_release, read_release
from alchemiscale_lake.store import Lake
from tests.execution.messages import SCOPE, SPEC


def test_a_release_is_read_as_it_was_left(own_lake: Lake) -> None:
    assert read_release(own_lake, SCOPE, "attempt") is None
    left = Release("walltime", "the job ends", "node1")
    leave_release(own_lake, SPEC, left)
    assert read_release(own_lake, SCOPE, "attempt") == left


def test_the_last_release_counts_and_is_of_one_attempt(own_lake: Lake) -> None:
    for kind in ("refused", "stopped"):
        leave_release(own_lake, SPEC, Release(kind, "a reason", "node1"))
    other = AttemptSpec("other", SPEC.task, SPEC.transformation, SCOPE)

    left = read_release(own_lake, SCOPE, SPEC.attempt)
    assert left is not None
    assert left.kind == "stopped"
    assert read_release(own_lake, SCOPE, other.attempt) is None
    assert read_release(own_lake, "other-campaign-project", SPEC.attempt) is None


def test_a_release_of_unknown_kind_counts_as_none(own_lake: Lake) -> None:
    leave_release(own_lake, SPEC, Release("complete", "whoever runs Tasks may write this", "node1"))  # type: ignore[arg-type]

    assert read_release(own_lake, SCOPE, SPEC.attempt) is None
