"""A picture finds the claim of every attempt that it shows."""

from __future__ import annotations

import pytest

from alchemiscale_lake.dispatch.picture import NOTHING_DUE, Due, OtherAttempt, Picture, spec_of
from tests.attempts import JOBS, ME, in_flight, running, states


def test_claims_are_found_in_flight_or_not() -> None:
    seen = Picture(ME, 0.0, NOTHING_DUE, states(), in_flight=in_flight(1), others={"a2": OtherAttempt(running(2))})

    for n in (1, 2):
        state, claim = running(n), seen.claim(f"a{n}")
        assert (claim.attempt, claim.task, claim.transformation) == (f"a{n}", state.task, state.transformation)
    with pytest.raises(KeyError):
        seen.claim("a3")


def test_an_attempt_in_flight_is_known_by_what_was_submitted() -> None:
    flying = in_flight(1)
    # the log may have given the Task to another attempt since
    seen = Picture(ME, 0.0, NOTHING_DUE, states(), in_flight=flying, others={"a1": OtherAttempt(running(5))})

    assert seen.claim("a1") is flying["a1"].claim


def test_a_claim_is_an_attempt_of_an_assignment() -> None:
    claim = in_flight(1)["a1"].claim
    spec = spec_of(claim)

    assert (spec.attempt, spec.task, spec.transformation, spec.scope) == (
        claim.attempt,
        claim.task,
        claim.transformation,
        claim.scope,
    )


def test_only_jobs_continue_without_their_dispatcher() -> None:
    assert (ME.is_durable, JOBS.is_durable) == (False, True)
    assert str(ME.caller) == str(type(ME.caller)(ME.actor))
    assert Due() == NOTHING_DUE, "what is not asked for is not looked at"
