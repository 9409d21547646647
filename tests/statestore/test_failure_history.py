"""Histories of Tasks in error, and the texts that restart patterns are compared with."""

from __future__ import annotations

import polars as pl

from alchemiscale_lake.statestore.failure_history import read_failure_histories, read_tracebacks
from tests.attempts import running
from tests.plain import SCOPE
from tests.statestore.plain_tables import lake_of

STATE = running(1)
T = STATE.task
_TEXTS = ("event", "network", "of_attempt", "pattern")


def history(*events: tuple[str, str | None, str | None, str | None, int | None], task: str = T, scope: str = SCOPE):  # type: ignore[no-untyped-def]
    rows = [(scope, task, 1, idx, *event) for idx, event in enumerate(events)]
    schema = {"scope": pl.String, "task": pl.String, "seq": pl.Int64, "idx": pl.Int64}
    schema |= dict.fromkeys(_TEXTS, pl.String) | {"pattern_seq": pl.Int64}
    # the log is in no order
    return read_failure_histories(
        lake_of({"task_log": pl.DataFrame(rows, schema=schema, orient="row").reverse()}), [STATE]
    )


def test_the_latest_failed_attempt_counts() -> None:
    found = history(
        ("failed", None, "a1", None, None), ("claimed", None, None, None, None), ("failed", None, "a2", None, None)
    )

    assert found.attempts == {T: "a2"}


def test_restarts_count_by_network_and_pattern_until_the_task_is_cancelled_there() -> None:
    restarted = [("restarted", network, None, "oom", seq) for network, seq in (("n", 5), ("m", 5), ("n", 5), ("n", 9))]

    assert history(*restarted).restarts == {(T, "n"): {("oom", 5): 2, ("oom", 9): 1}, (T, "m"): {("oom", 5): 1}}
    cancelled = ("cancelled", "n", None, None, None)
    assert history(*restarted, cancelled).restarts == {(T, "m"): {("oom", 5): 1}}
    assert history(*restarted, cancelled, restarted[3]).restarts[T, "n"] == {("oom", 9): 1}


def test_other_tasks_and_scopes_have_their_own_history() -> None:
    failed = ("failed", None, "a1", None, None)

    assert history(failed, task="Task-9").attempts == {}
    assert history(failed, scope="other-campaign-project").attempts == {}


def test_every_failed_unit_has_a_text_and_an_attempt_that_failed_outside_of_them_its_exception() -> None:
    units = [
        ("a5", False, None, "cut"),
        ("a1", False, "trace 1", "e 1"),
        ("a1", False, None, "e 2"),
        ("a1", True, "good", None),
    ]
    results = [
        ("a1", False, "of a1", "u"),
        ("a2", False, "lost", None),
        ("a3", True, None, None),
        ("a5", False, "job over", None),
    ]
    of = pl.lit(SCOPE).alias("scope")
    lake = lake_of(
        {
            "unit_results": pl.DataFrame(units, ["attempt", "ok", "traceback", "exception"], orient="row").with_columns(
                of
            ),
            "results": pl.DataFrame(results, ["attempt", "ok", "exception", "failed_unit"], orient="row").with_columns(
                of
            ),
        }
    )

    found = read_tracebacks(lake, ["a1", "a2", "a4", "a5"], [STATE])

    assert {attempt: sorted(texts) for attempt, texts in found.items()} == {
        "a1": ["e 2", "trace 1"],
        "a2": ["lost"],
        "a4": [],
        "a5": ["cut", "job over"],
    }
    assert read_tracebacks(lake, [], [STATE]) == {}
