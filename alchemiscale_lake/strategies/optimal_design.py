"""Optimal design: the next Tasks where they improve the answer most per GPU-hour, for any mixture of goals.

Each round: the repeats that connect the network come first (`estimators.design.floors`); then single Tasks of legs,
one after the other, each where it lowers ``tr(W C)`` most per GPU-hour (`estimators.design.increments`), with variances
from a model that knows heavy tails and counting what exists and is in flight. Weights are numbers of Tasks.

The default goal is 70 % the best fifth of the ligands and 30 % the mean uncertainty: a pure top goal starves the other
ligands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..errors import StrategyError
from ..estimators.design import goals
from ..estimators.design.design_covariance import components_of, design_covariance
from ..estimators.design.floors import FirstPass, required_repeats
from ..estimators.design.increments import Increments, add_repeats
from ..suggestions import did_you_mean
from .base import Strategy, StrategySettings
from .edge_design import Answer, EdgeDesign, edge_design
from .goal_settings import Goal, StopRules, goal_matrix, stop_reason, top_counts
from .proposal import Proposal
from .strategy_rows import NetworkRows

__all__ = ["OptimalDesign", "OptimalDesignSettings"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_DEFAULT_GOALS = (Goal(kind="top", share=0.7), Goal(kind="mean", share=0.3))


class OptimalDesignSettings(StrategySettings):
    """Settings of `OptimalDesign`."""

    goals: tuple[Goal, ...] = Field(default=_DEFAULT_GOALS, min_length=1, description="What the Tasks are for.")
    stop: StopRules = Field(default=StopRules(), description="When the answer is good enough.")
    first_pass: FirstPass = Field(
        default="auto",
        description="Which edges get a result in any case: `all`, only a `tree` that connects the ligands, or `auto`: "
        "all if there are at most two per ligand.",
    )
    bridge_repeats: int = Field(
        default=2, ge=1, description="Least results of each leg of an edge without which the network falls apart."
    )
    max_repeats: int = Field(default=20, ge=1, description="Most results of one Transformation.")
    round_share: float = Field(
        default=0.5,
        gt=0,
        description="Tasks of a round, as a share of the Transformations, if the round sets no limit.",
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    repeats: IntArray
    required: IntArray
    added: Increments | None
    weight: FloatArray | None


class OptimalDesign(Strategy[OptimalDesignSettings]):
    """Allocates Tasks to legs for many goals, by expected gain per GPU-hour."""

    settings_type = OptimalDesignSettings
    weights_are_tasks = True
    looks_at = "network"

    def _propose(self, network: NetworkRows) -> Proposal:
        design = edge_design(network)
        if design is None:
            reason = "no Transformation contributes to a difference between two ligands"
            return Proposal({row.key: None for row in network.transformations}, stop=reason)
        answer = design.answer()
        whole = len(answer.components.parts) == len(components_of(design.network).parts)
        facts: dict[str, float] = {}
        if whole:
            stop, facts = stop_reason(self.settings.stop, answer, self._top())
            if stop is not None and self._first_pass_is_done(design):
                return _all_finished(network, stop, facts)
        if network.budget_gpu_hours is not None and network.hours_left < float(design.network.cost.min()):
            spent, budget = network.spent_gpu_hours, network.budget_gpu_hours
            if network.spent_gpu_hours + float(design.network.cost.min()) > budget:
                return _all_finished(network, f"{spent:.4g} of {budget:g} GPU-hours are spent or in flight", facts)
        plan = self._plan(network, design, answer if whole else None)
        facts |= self._forecast(design, answer if whole else None, plan)
        price = self.settings.stop.least_gain_per_gpu_hour
        gain = facts.get("misplacements_per_gpu_hour")
        if price is not None and gain is not None and gain < price and not plan.required.any():
            return _all_finished(network, f"a GPU-hour corrects {gain:.2g} misplaced pairs, less than {price:g}", facts)
        return self._proposal(network, design, plan, facts)

    def check(self, network: NetworkRows) -> None:
        """Raise StrategyError if a goal names a ligand that the network lacks."""
        known = {name for row in network.transformations for name in (row.ligand_a, row.ligand_b) if name is not None}
        for name in sorted({name for goal in self.settings.goals for name in goal.ligands} - known):
            raise StrategyError(f"a goal names the ligand {name!r}, which the network lacks{did_you_mean(name, known)}")

    def _first_pass_is_done(self, design: EdgeDesign) -> bool:
        """Return whether every edge that the first pass asks for has its results, but for frozen ones."""
        first = self.settings.first_pass
        once, _ = required_repeats(design.network, design.finished, first_pass=first, bridge_repeats=1)
        return not any(lacks and not row.frozen for lacks, row in zip(once, design.rows, strict=True))

    def _top(self) -> float:
        """Return the ligands that are wanted as the best: those of the first goal that names them."""
        return next((goal.top for goal in self.settings.goals if goal.kind == "top"), Goal(kind="top").top)

    def _plan(self, network: NetworkRows, design: EdgeDesign, answer: Answer | None) -> _Plan:
        settings, count = self.settings, design.counted
        most = np.array([row.n_counted if row.frozen else settings.max_repeats for row in design.rows], dtype=np.int64)
        tasks = network.max_tasks
        if tasks is None:
            tasks = max(1, round(settings.round_share * len(design.rows)))
        hours = network.hours_left
        once, again = required_repeats(
            design.network, count, first_pass=settings.first_pass, bridge_repeats=settings.bridge_repeats
        )
        room = np.maximum(most - count.astype(np.int64), 0)
        once = np.minimum(once, room)
        if network.max_tasks is None:
            tasks = max(tasks, int(once.sum()))  # a first pass is one round
        again = np.minimum(again, room - once)
        tree, _ = required_repeats(design.network, count, first_pass="tree", bridge_repeats=1)
        required = _affordable(design, (np.minimum(tree, once), once, again), tasks, hours)
        after = count + required
        tasks -= int(required.sum())
        hours -= float(required @ design.network.cost)
        edge_precision = 1.0 / design.network.edge_variance(after)
        connected = components_of(design.network, edge_precision > 0)
        apart = len(connected.parts) > len(components_of(design.network).parts)
        if apart and (required < once + again).any():
            # what connects the rest does not fit into this round
            return _Plan(required, required, None, None)
        covariance = design_covariance(design.network, edge_precision, connected)
        weight = goal_matrix(settings.goals, design, covariance, connected, answer)
        added = add_repeats(design.network, after, weight, budget=hours, most_tasks=tasks, most_repeats=most)
        return _Plan(required + added.repeats, required, added, weight)

    def _forecast(self, design: EdgeDesign, answer: Answer | None, plan: _Plan) -> dict[str, float]:
        """Return what the plan is expected to reach."""
        if plan.added is None or answer is None:
            return {}
        count = design.counted
        inflated = design.model.inflated()
        before = design_covariance(design.network, 1.0 / design.network.edge_variance(design.finished, inflated))
        after = design_covariance(design.network, 1.0 / design.network.edge_variance(count + plan.repeats, inflated))
        hours = float(plan.repeats @ design.network.cost)
        counts = top_counts(self._top(), answer.components)
        misplaced = [goals.expected_misplacements(answer.value, c, answer.components, counts) for c in (before, after)]
        facts = {
            "gpu_hours": hours,
            "mean_uncertainty_after_kcal_mol": float(np.sqrt(np.diag(after).mean())),
            "expected_misplacements": misplaced[0],
        }
        if hours > 0:
            facts["misplacements_per_gpu_hour"] = (misplaced[0] - misplaced[1]) / hours
        return facts

    def _proposal(self, network: NetworkRows, design: EdgeDesign, plan: _Plan, facts: dict[str, float]) -> Proposal:
        weights: dict[str, float | None] = {row.key: None for row in design.others}
        reasons = {row.key: "it contributes to no difference between two ligands" for row in design.others}
        sd = np.sqrt(design.model.variance)
        for k, row in enumerate(design.rows):
            more = int(plan.repeats[k])
            full = row.n_results >= self.settings.max_repeats
            weights[row.key] = None if full and not more else float(more)
            have = f"{row.n_results} results, {row.n_in_flight} in flight, {sd[k]:.2f} kcal/mol per Task"
            why = "to connect its ligands" if plan.required[k] else "it improves the answer most per GPU-hour"
            reasons[row.key] = f"{more} more: {why}; {have}" if more else f"others improve the answer more; {have}"
        if not plan.repeats.any() and not network.n_in_flight and network.hours_left == float("inf"):
            stop = f"no Transformation may get more than {self.settings.max_repeats} results, or adds anything"
            if network.max_tasks != 0 and not any(row.frozen for row in design.rows):
                return Proposal(dict.fromkeys(weights, None), reasons, stop, facts)
        return Proposal(weights, reasons, facts=facts)


def _all_finished(network: NetworkRows, stop: str, facts: dict[str, float]) -> Proposal:
    keys = [row.key for row in network.transformations]
    return Proposal(dict.fromkeys(keys, None), dict.fromkeys(keys, stop), stop, facts)


def _affordable(design: EdgeDesign, wanted: tuple[IntArray, ...], tasks: int, hours: float) -> IntArray:
    """Return the repeats that fit: those that connect, the other first ones, further ones; edge by edge within each."""
    chosen = np.zeros(len(design.rows), dtype=np.int64)
    cost = design.network.cost
    by_edge = np.full(len(cost), design.network.n_edges)
    np.minimum.at(by_edge, design.network.member, design.network.leg_edge[design.network.member_leg])
    order = np.lexsort((np.arange(len(cost)), by_edge))
    connect, first, further = wanted
    for priority in (connect, first - connect, further):
        for k in order[priority[order] > 0].tolist():
            fits = min(int(priority[k]), tasks, int(min(hours / cost[k] + 1e-9, 1e9)))
            chosen[k] += fits
            tasks -= fits
            hours -= fits * float(cost[k])
    return chosen
