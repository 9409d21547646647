"""What becomes of a Task whose attempt ended without a receipt."""

from __future__ import annotations

import pytest

from alchemiscale_lake.dispatch.attempt_outcome import (
    COUNTED,
    LOST,
    UNTOUCHED,
    AttemptEnding,
    failure_of,
    reported_ending,
)
from alchemiscale_lake.errors import NotStartedError


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (None, LOST),
        (NotStartedError("the queue refused it"), AttemptEnding("refused", "the queue refused it")),
        (RuntimeError("killed"), AttemptEnding("lost", "RuntimeError: killed")),
    ],
)
def test_an_engine_that_started_nothing_is_not_held_against_the_task(
    error: BaseException | None, ending: AttemptEnding
) -> None:
    assert reported_ending(error) == ending


@pytest.mark.parametrize("kind", COUNTED)
def test_a_task_fails_with_the_last_ending_of_a_kind_that_is_tolerated(kind: str) -> None:
    ending, most = AttemptEnding(kind, "node17 rebooted"), COUNTED[kind]

    assert failure_of(ending, most - 2) is None
    failure = failure_of(ending, most - 1)
    assert failure is not None
    assert f"{most} " in failure
    assert ("node17 rebooted" in failure) == (kind == "lost"), "many jobs ended, of which the last says nothing more"


@pytest.mark.parametrize("kind", UNTOUCHED)
def test_what_never_ran_is_requeued_however_often(kind: str) -> None:
    assert failure_of(AttemptEnding(kind, "no reason"), 10_000) is None


def test_an_ending_prints_its_kind_and_reason() -> None:
    assert str(AttemptEnding("refused", "full")) == "refused: full"
