"""A committee: several Strategies together, with weights that may change from round to round.

Each member proposes by itself; its weights are scaled to sum to one, so that members with large numbers do not
dominate. The rule combines them. A Transformation is finished when all members say so (`all`), or a weighted majority
(`majority`). Every member's proposal is kept in the votes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator

from ..errors import StrategyError
from .base import Strategy, StrategySettings
from .proposal import Proposal
from .strategy_rows import NetworkRows

__all__ = ["Committee", "CommitteeSettings", "CommitteeStep", "Member"]


class CommitteeStep(StrategySettings):
    """The weight of a member from some point on."""

    start: float = Field(default=0.0, ge=0, description="From this round, or share of the budget, on.")
    weight: float = Field(ge=0, description="Weight of the member's vote; 0 silences it.")


class Member(StrategySettings):
    """A member of a committee."""

    strategy: str = Field(description="Name of a Strategy, as in `strategy set`.")
    settings: dict[str, Any] = Field(default_factory=dict, description="Its settings; defaults for those not named.")
    weight: float | tuple[CommitteeStep, ...] = Field(
        default=1.0, description="Weight of its vote, or steps of a schedule."
    )
    name: str | None = Field(default=None, description="Name in the votes; that of the Strategy by default.")

    @field_validator("weight")
    @classmethod
    def _positive(cls, weight: float | tuple[CommitteeStep, ...]) -> float | tuple[CommitteeStep, ...]:
        steps = (weight,) if isinstance(weight, float | int) else tuple(step.weight for step in weight)
        if min(steps, default=0.0) < 0 or max(steps, default=0.0) <= 0:
            raise ValueError("a member needs a weight above zero, at least in one step, and none below zero")
        return weight

    def weight_at(self, point: float) -> float:
        """Return its weight at a round or share of the budget."""
        if not isinstance(self.weight, tuple):
            return float(self.weight)
        reached = [step for step in sorted(self.weight, key=lambda step: step.start) if step.start <= point]
        return reached[-1].weight if reached else 0.0


class CommitteeSettings(StrategySettings):
    """Settings of `Committee`."""

    members: tuple[Member, ...] = Field(
        default=(Member(strategy="optimal-design"), Member(strategy="critical-connectivity", weight=0.5)),
        min_length=1,
        description="The Strategies that vote.",
    )
    rule: Literal["mean", "product", "largest"] = Field(
        default="mean",
        description="`mean`: weighted mean of the votes; `product`: weighted geometric mean, so that a zero is a veto; "
        "`largest`: the largest weighted vote.",
    )
    schedule: Literal["round", "budget"] = Field(
        default="round", description="What the steps of weights count: rounds, or the spent share of the budget."
    )
    finished: Literal["all", "majority"] = Field(
        default="all",
        description="Who has to call a Transformation finished: all members, or more than half by weight.",
    )


class Committee(Strategy[CommitteeSettings]):
    """Combines the votes of several Strategies.

    Parameters
    ----------
    settings : CommitteeSettings, optional
    members : mapping of str to Strategy, optional
        Strategies by the names of the members, in place of registered ones.
    """

    settings_type = CommitteeSettings
    looks_at = "network"

    def __init__(
        self, settings: CommitteeSettings | None = None, members: Mapping[str, Strategy[Any]] | None = None
    ) -> None:
        super().__init__(settings)
        names = [member.name or member.strategy for member in self.settings.members]
        if len(set(names)) < len(names):
            raise StrategyError(f"members of a committee need different names: {', '.join(names)}; set `name`")
        given = dict(members or {})
        self.members: dict[str, Strategy[Any]] = {}
        for name, member in zip(names, self.settings.members, strict=True):
            self.members[name] = given[name] if name in given else _registered(member)

    def check(self, network: NetworkRows) -> None:
        """Raise StrategyError if the settings of a member name what the network lacks."""
        for member in self.members.values():
            member.check(network)

    def _propose(self, network: NetworkRows) -> Proposal:
        point = float(network.round)
        if self.settings.schedule == "budget":
            budget = network.budget_gpu_hours
            point = network.spent_gpu_hours / budget if budget else 0.0
        weights = {
            name: member.weight_at(point)
            for name, member in zip(self.members, self.settings.members, strict=True)
            if member.weight_at(point) > 0
        }
        if not weights:
            raise StrategyError(f"no member of the committee has a weight at {self.settings.schedule} {point:g}")
        votes = {name: self.members[name].propose(network) for name in weights}
        total = sum(weights.values())
        shares = {name: weight / total for name, weight in weights.items()}
        resolved = {name: vote.resolve() for name, vote in votes.items()}
        combined: dict[str, float | None] = {}
        reasons: dict[str, str] = {}
        for row in network.transformations:
            said = {name: resolved[name][row.key] for name in votes}
            combined[row.key] = self._combine(said, shares)
            reasons[row.key] = ", ".join(
                f"{name} {'finished' if weight is None else format(weight, '.3g')}" for name, weight in said.items()
            )
        stops = [f"{name}: {vote.stop}" for name, vote in votes.items() if vote.stop]
        done = all(weight is None for weight in combined.values())
        facts = {f"{name}.{fact}": value for name, vote in votes.items() for fact, value in vote.facts.items()}
        return Proposal(combined, reasons, "; ".join(stops) if done and stops else None, facts, votes)

    def _combine(self, said: Mapping[str, float | None], shares: Mapping[str, float]) -> float | None:
        finished = sum(shares[name] for name, weight in said.items() if weight is None)
        limit = 1.0 - 1e-9 if self.settings.finished == "all" else 0.5 + 1e-9
        if finished >= limit:
            return None
        weighted = [(shares[name], weight or 0.0) for name, weight in said.items()]
        if self.settings.rule == "largest":
            return max(share * weight for share, weight in weighted)
        if self.settings.rule == "mean":
            return sum(share * weight for share, weight in weighted)
        result = 1.0
        for share, weight in weighted:
            result *= weight**share
        return result


def _registered(member: Member) -> Strategy[Any]:
    from .catalog import make_strategy

    return make_strategy(member.strategy, member.settings)
