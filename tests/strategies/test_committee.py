"""Committees: rules, schedules, kept votes."""

from __future__ import annotations

from typing import Any

import pytest

from alchemiscale_lake.errors import StrategyError
from alchemiscale_lake.strategies import Proposal, Strategy, StrategySettings, TransformationRow
from alchemiscale_lake.strategies.committee import Committee, CommitteeSettings
from tests.contracts.strategy_contract import state_of

ROWS = [TransformationRow(key=key, state_a=key, state_b="c") for key in "TUV"]


class Says(Strategy[StrategySettings]):
    """Says what it is told."""

    settings_type = StrategySettings
    looks_at = "network"

    def __init__(self, *weights: float | None, stop: str | None = None) -> None:
        super().__init__()
        self.weights, self.stop = weights, stop

    def _propose(self, network: Any) -> Proposal:
        return Proposal(dict(zip("TUV", self.weights, strict=True)), stop=self.stop)


def committee(one: Says, other: Says, *, weight: Any = 1.0, **settings: Any) -> Committee:
    members = [{"strategy": "x", "name": "one", "weight": weight}, {"strategy": "x", "name": "other", "weight": 1.0}]
    return Committee(CommitteeSettings.model_validate({"members": members, **settings}), {"one": one, "other": other})


@pytest.mark.parametrize(
    ("rule", "expected"), [("mean", [0.35, 0.25, 0.4]), ("product", [0.3464, 0.0, 0.4]), ("largest", [0.3, 0.25, 0.2])]
)
def test_rules_combine_scaled_votes(rule: str, expected: list[float]) -> None:
    # the first votes 0.1 0.5 0.4, the second 0.6 0 0.4, whatever their size
    proposal = committee(Says(1.0, 5.0, 4.0), Says(60.0, 0.0, 40.0), rule=rule).propose(state_of(ROWS))

    if rule == "product":
        expected[0] = (0.1 * 0.6) ** 0.5
    assert list(proposal.weights.values()) == pytest.approx(expected)
    assert list(proposal.votes) == ["one", "other"]
    assert proposal.votes["one"].weights == {"T": 1.0, "U": 5.0, "V": 4.0}
    assert proposal.reasons["U"] == "one 0.5, other 0"


def test_finished_by_all_or_by_majority() -> None:
    one, other = Says(None, None, 1.0), Says(1.0, None, 1.0)

    everyone = committee(one, other, weight=3.0).propose(state_of(ROWS)).weights
    majority = committee(one, other, weight=3.0, finished="majority").propose(state_of(ROWS)).weights

    assert list(everyone.values()) == pytest.approx([0.125, None, 0.875])
    assert [weight is None for weight in majority.values()] == [True, True, False]


def test_one_dominates_early_another_late() -> None:
    steps = [{"start": 0, "weight": 1e6}, {"start": 5, "weight": 0.0}]
    both = committee(Says(1.0, 0.0, 0.0), Says(0.0, 1.0, 0.0), weight=steps)

    early, late = (both.propose(state_of(ROWS, round=number)) for number in (4, 5))

    assert (early.weights["T"] or 0) > 0.99
    assert late.weights == {"T": 0.0, "U": 1.0, "V": 0.0}
    assert list(late.votes) == ["other"]


def test_a_schedule_may_follow_the_budget() -> None:
    steps = [{"start": 0.5, "weight": 3.0}]
    both = committee(Says(1.0, 0.0, 0.0), Says(0.0, 1.0, 0.0), weight=steps, schedule="budget")

    early = both.propose(state_of(ROWS, budget_gpu_hours=10.0, spent_gpu_hours=4.9)).weights
    late = both.propose(state_of(ROWS, budget_gpu_hours=10.0, spent_gpu_hours=5.0)).weights

    assert early["T"] == 0.0
    assert late["T"] == 0.75


def test_it_stops_when_its_members_do() -> None:
    done = committee(Says(None, None, None, stop="good enough"), Says(None, None, None)).propose(state_of(ROWS))

    assert done.finished
    assert done.stop == "one: good enough"


def test_members_need_different_names_and_weights() -> None:
    with pytest.raises(StrategyError, match="different names: connectivity, connectivity"):
        Committee(CommitteeSettings.model_validate({"members": [{"strategy": "connectivity"}] * 2}))
    with pytest.raises(ValueError, match="above zero"):
        CommitteeSettings.model_validate({"members": [{"strategy": "connectivity", "weight": 0.0}]})
    with pytest.raises(StrategyError, match="there is no Strategy 'none'"):
        Committee(CommitteeSettings.model_validate({"members": [{"strategy": "none"}]}))
