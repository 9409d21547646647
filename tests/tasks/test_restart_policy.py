"""One Task in error on one network, judged by its patterns."""

from __future__ import annotations

import time

import pytest

from alchemiscale_lake.errors import SettingsError
from alchemiscale_lake.tasks.restart_policy import SEARCHED_CHARACTERS, RestartPattern, check_patterns, judge

CUDA = "Traceback:\n  step()\nRuntimeError: CUDA_ERROR_LAUNCH_FAILED (700)"


def allowing(**patterns: int) -> dict[str, RestartPattern]:
    return {name: RestartPattern(most, 1) for name, most in patterns.items()}


def test_without_patterns_nothing_is_decided() -> None:
    assert judge({}, {}, [CUDA]) == []


def test_a_match_restarts_and_states_the_count() -> None:
    (verdict,) = judge(allowing(CUDA_ERROR=3), {"CUDA_ERROR": 1}, [CUDA])
    assert (verdict.kind, verdict.pattern) == ("restarted", "CUDA_ERROR")
    assert verdict.reason == "pattern 'CUDA_ERROR' matched: restart 2 of 3"


def test_a_match_too_many_cancels() -> None:
    (verdict,) = judge(allowing(CUDA_ERROR=3), {"CUDA_ERROR": 3}, [CUDA])
    assert (verdict.kind, verdict.pattern) == ("cancelled", "CUDA_ERROR")
    assert verdict.reason == "pattern 'CUDA_ERROR' matched: its 3 restarts are used up"


def test_one_used_up_pattern_outweighs_others_that_match() -> None:
    (verdict,) = judge(allowing(CUDA=1, RuntimeError=9), {"CUDA": 1}, [CUDA])
    assert (verdict.kind, verdict.pattern) == ("cancelled", "CUDA")


def test_every_pattern_that_matches_counts() -> None:
    verdicts = judge(allowing(RuntimeError=2, CUDA=5, NaN=1), {"CUDA": 1}, [CUDA])
    assert [(v.kind, v.pattern) for v in verdicts] == [("restarted", "CUDA"), ("restarted", "RuntimeError")]
    assert "restart 2 of 5" in verdicts[0].reason


def test_no_match_cancels() -> None:
    (verdict,) = judge(allowing(NaN=1), {}, [CUDA])
    assert (verdict.kind, verdict.pattern, verdict.reason) == ("cancelled", None, "no restart pattern matched")


def test_no_traceback_cancels() -> None:
    (verdict,) = judge({".": RestartPattern(1, 1)}, {}, [])
    assert verdict.kind == "cancelled"
    assert "no traceback" in verdict.reason


def test_any_traceback_of_the_result_may_match() -> None:
    (verdict,) = judge(allowing(NaN=1), {}, ["ValueError: x", "Energy is NaN"])
    assert verdict.kind == "restarted"


def test_patterns_are_searched_for_as_regular_expressions() -> None:
    pattern = r"CUDA_ERROR_\w+ \(7\d\d\)$"
    assert judge({pattern: RestartPattern(1, 1)}, {}, [CUDA])[0].kind == "restarted"


def test_the_end_of_a_long_traceback_is_searched() -> None:
    long = "x" * 10 * SEARCHED_CHARACTERS
    assert judge(allowing(NaN=1), {}, [long + "NaN"])[0].kind == "restarted"
    assert judge(allowing(NaN=1), {}, ["NaN" + long])[0].kind == "cancelled"


def test_a_pattern_that_backtracks_over_megabytes_holds_nothing_up() -> None:
    began = time.monotonic()
    judge({r"\d+\s*$": RestartPattern(1, 1)}, {}, ["7" * 10_000_000 + "x" * SEARCHED_CHARACTERS])
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|aa)+$", r"(.*a){20}$", r"^(\w+\s?)*$"])
def test_no_pattern_takes_more_than_linear_time(pattern: str) -> None:
    began = time.monotonic()
    judge({pattern: RestartPattern(1, 1)}, {}, ["a" * 5_000 + "!"])
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (r"(?<!no )NaN", True),
        (r"(?<!is )NaN", False),
        (r"(\w)\1", True),
        (r"energy is NaN$", True),
        (r"energy is NaN\Z", True),
        (r"(?i)ENERGY", True),
        (r"(?s)first.*NaN", True),
        (r"first.*NaN", False),
    ],
)
def test_patterns_mean_what_they_mean_to_python(pattern: str, found: bool) -> None:
    verdicts = judge({pattern: RestartPattern(1, 1)}, {}, ["first llama\nenergy is NaN\n"])
    assert (verdicts[0].kind == "restarted") is found


@pytest.mark.parametrize("pattern", ["(", "*", "[a", r"(?P<x>a)(?P<x>b)"])
def test_an_invalid_regular_expression_is_refused_with_the_reason(pattern: str) -> None:
    with pytest.raises(SettingsError, match="not a regular expression"):
        check_patterns([pattern])


def test_an_empty_pattern_is_refused() -> None:
    with pytest.raises(SettingsError, match="empty"):
        check_patterns(["good", ""])


@pytest.mark.parametrize("most", [0, -1])
def test_at_least_one_restart_is_allowed(most: int) -> None:
    with pytest.raises(SettingsError, match="at least 1"):
        check_patterns(["good"], most)
