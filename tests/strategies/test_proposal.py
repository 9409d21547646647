"""Proposals: resolving, joining, whole Tasks from weights."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.errors import StrategyError
from alchemiscale_lake.strategies import Proposal, TransformationRow, apportion
from alchemiscale_lake.strategies.fixed_repeats import FixedRepeats
from alchemiscale_lake.strategies.proposal import union
from tests.contracts.strategy_contract import state_of

weights = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.one_of(st.none(), st.just(0.0), st.floats(1e-300, 1e300)),
    max_size=8,
)


@given(given_weights=weights)
def test_resolved_weights_sum_to_one_or_are_zero(given_weights: dict[str, float | None]) -> None:
    resolved = Proposal(given_weights).resolve()

    assert {key for key, weight in resolved.items() if weight is None} == {
        key for key, weight in given_weights.items() if weight is None
    }
    total = sum(weight or 0.0 for weight in resolved.values())
    assert total == pytest.approx(1.0 if any(given_weights.values()) else 0.0)


def test_all_zero_weights_resolve_to_zero() -> None:
    assert Proposal({"a": 0.0, "b": None}).resolve() == {"a": 0.0, "b": None}


@given(given_weights=weights, n=st.integers(0, 50), limit=st.integers(0, 5))
def test_tasks_are_whole_and_all_are_given_where_limits_allow(
    given_weights: dict[str, float | None], n: int, limit: int
) -> None:
    limits = dict.fromkeys(given_weights, limit)
    free, bound = apportion(given_weights, n), apportion(given_weights, n, limits=limits)
    positive = sum(1 for weight in given_weights.values() if weight)

    assert sum(free.values()) == (n if positive else 0)
    assert sum(bound.values()) == min(n, limit * positive)
    assert max(bound.values(), default=0) <= limit
    assert all(given_weights[key] for key in free)


@given(wanted=st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers(1, 30), min_size=1))
def test_whole_weights_are_returned_as_they_are(wanted: dict[str, int]) -> None:
    assert apportion({key: float(n) for key, n in wanted.items()}, sum(wanted.values())) == wanted


def test_a_share_goes_to_the_largest_remainder() -> None:
    assert apportion({"a": 1.0, "b": 1.0, "c": 1.0}, 4) == {"a": 2, "b": 1, "c": 1}
    assert apportion({"a": 0.7, "b": 0.3}, 1) == {"a": 1}


def test_unions_are_disjoint_and_stop_only_together() -> None:
    done, open_ = Proposal({"a": None}, stop="enough"), Proposal({"b": 1.0})

    assert union(done, open_).stop is None
    assert union(done, Proposal({"b": None}, stop="spent")).stop == "enough; spent"
    with pytest.raises(StrategyError, match="both have a weight for a"):
        union(done, done)


class Wrong(FixedRepeats):
    answer: dict[str, float | None]

    def _propose(self, network: object) -> Proposal:
        return Proposal(self.answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({}, "no weight for T"),
        ({"T": 1.0, "U": 1.0}, "the unknown U"),
        ({"T": -1.0}, "returned the weight -1.0 for T"),
        ({"T": float("nan")}, "returned the weight nan for T"),
    ],
)
def test_what_is_not_a_proposal_is_refused(answer: dict[str, float | None], words: str) -> None:
    strategy = Wrong()
    strategy.answer = answer

    with pytest.raises(StrategyError, match=words):
        strategy.propose(state_of([TransformationRow(key="T", state_a="s", state_b="t")]))


def test_a_key_that_occurs_twice_is_refused() -> None:
    row = TransformationRow(key="T", state_a="s", state_b="t")

    with pytest.raises(StrategyError, match="T occurs twice"):
        FixedRepeats().propose(state_of([row, row]))
