"""Decisions of users about networks: what stands after several of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import SchemaError
from alchemiscale_lake.store import Lake, NetworkLog, NetworkState
from alchemiscale_lake.store.network_log import require_network_state
from tests.lakes import new_lake

A, B = "AlchemicalNetwork-a-o-c-p", "AlchemicalNetwork-b-o-c-p"
ANA = Caller("ana")


@pytest.fixture
def log(lake: Lake) -> NetworkLog:
    return lake.network_log


def patterns(log: NetworkLog, network: str = A) -> dict[str, tuple[int, int]]:
    return {name: (one.max_retries, one.seq) for name, one in log.restart_patterns().get(network, {}).items()}


def rows(lake: Lake) -> list[dict[str, object]]:
    return lake.table("network_log").scan().sort("seq", "idx").collect().to_dicts()


def test_state_and_weight_are_changed_one_by_one_and_together(log: NetworkLog, lake: Lake) -> None:
    assert (log.states(), log.seq()) == ({}, 0)
    log.set([A, B], caller=ANA, weight={A: 0.0, B: 1.0})
    log.set([A], caller=ANA, state="inactive", reason="a pause")
    log.set([B, B], caller=ANA, state={B: "invalid"}, weight=0.25)

    assert log.states() == {A: NetworkState("inactive", 0.0), B: NetworkState("invalid", 0.25)}
    assert log.seq() == 3
    assert Lake.open(lake.url).network_log.states() == log.states()
    assert [(row["event"], row["network"], row["seq"], row["idx"]) for row in rows(lake)] == [
        ("weight", A, 1, 0),
        ("weight", B, 1, 1),
        ("state", A, 2, 0),
        ("state", B, 3, 0),
    ]


@pytest.mark.parametrize("wrong", [{"state": "paused"}, {"state": {A: "paused"}}, {"weight": 1.5}, {"weight": -0.1}])
def test_impossible_decisions_are_refused(log: NetworkLog, wrong: dict[str, object]) -> None:
    with pytest.raises(SchemaError):
        log.set([A], caller=ANA, **wrong)  # type: ignore[arg-type]
    assert log.states() == {}
    with pytest.raises(SchemaError, match="not 'paused'"):
        require_network_state("paused")


def test_a_pattern_that_is_added_again_counts_from_then_on(log: NetworkLog) -> None:
    log.add_patterns(A, ["x", "y", "x"], 2, caller=ANA)
    log.add_patterns(A, ["x"], 5, caller=ANA)

    assert patterns(log) == {"x": (5, 2), "y": (2, 1)}


def test_a_new_limit_keeps_the_count_and_removal_ends_it(log: NetworkLog) -> None:
    log.add_patterns(A, ["x", "y"], 2, caller=ANA)
    log.add_patterns(B, ["x"], 1, caller=ANA)

    assert log.change_patterns(A, ["x", "unknown"], 7, caller=ANA) == ["x"]
    assert patterns(log) == {"x": (7, 1), "y": (2, 1)}
    assert log.change_patterns(A, ["y"], None, caller=ANA) == ["y"]
    assert log.change_patterns(A, ["y"], 3, caller=ANA) == [], "it is removed"
    assert log.change_patterns(A, None, 4, caller=ANA) == ["x"]
    assert patterns(log) == {"x": (4, 1)}
    assert patterns(log, B) == {"x": (1, 2)}, "the other network keeps its own"
    assert log.change_patterns(A, None, None, caller=ANA) == ["x"]
    assert A not in log.restart_patterns()


def test_nothing_to_change_is_no_commit(log: NetworkLog) -> None:
    assert log.change_patterns(A, None, 1, caller=ANA) == []
    log.set([], caller=ANA, weight=0.1)
    assert log.seq() == 0


def test_the_last_strategy_counts_until_it_is_cleared(log: NetworkLog) -> None:
    log.set([A], caller=ANA, weight=0.1)
    log.set_strategy([A, B], "{}", caller=ANA)
    log.set_strategy([A], '{"n": 2}', caller=Caller("ben"))
    log.set_strategy([B], None, caller=ANA)
    log.set([A], caller=ANA, state="inactive")

    (decision,) = log.strategies().values()
    assert (decision.text, decision.seq, decision.actor) == ('{"n": 2}', 3, "ben")
    assert log.states() == {A: NetworkState("inactive", 0.1), B: NetworkState()}, "a Strategy changes neither"


def test_history_of_another_lake_keeps_times_and_authors(tmp_path: Path, log: NetworkLog, lake: Lake) -> None:
    other = new_lake(tmp_path / "other")
    other.network_log.set([A], caller=Caller("ben"), state="inactive", reason="then")
    other.network_log.add_patterns(A, ["x"], 2, caller=Caller("ben"))
    log.set([B], caller=ANA, weight=0.9)
    history = [{**row, "at": datetime(2024, 1, n, tzinfo=UTC)} for n, row in enumerate(rows(other), 1)]

    log.append_history({A: history, B: [{**history[0], "network": B}]}, caller=ANA)

    assert log.states() == {A: NetworkState("inactive", 0.5), B: NetworkState("active", 0.9)}, "B keeps its own"
    assert patterns(log) == {"x": (2, 2)}, "counted from here on"
    copied = [row for row in rows(lake) if row["network"] == A]
    assert [(row["actor"], row["reason"], row["at"]) for row in copied] == [
        ("ben", "then", datetime(2024, 1, 1, tzinfo=UTC)),
        ("ben", None, datetime(2024, 1, 2, tzinfo=UTC)),
    ]
    log.append_history({A: history}, caller=ANA)
    assert len(rows(lake)) == 3, "once"
