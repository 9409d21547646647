"""Goals and stop rules of optimal design, as settings, and what they mean for a network."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ..estimators.design import goals
from ..estimators.design.certainty import probability_top_is_right
from ..estimators.design.design_covariance import Components
from .base import StrategySettings
from .edge_design import Answer, EdgeDesign

__all__ = ["Goal", "StopRules", "goal_matrix", "stop_reason", "top_counts"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

GoalKind = Literal["mean", "differences", "ligands", "contrast", "ranking", "top"]


class Goal(StrategySettings):
    """One goal of a design, and its share."""

    kind: GoalKind = Field(
        description="`mean`: the mean uncertainty of all ligands; `differences`: of all pairs; `ligands`: of some; "
        "`contrast`: of one combination; `ranking`: the order of all; `top`: which ligands are the best."
    )
    share: float = Field(default=1.0, gt=0, description="Share of this goal among several.")
    top: float = Field(
        default=0.2, gt=0, description="For `top`: how many ligands of each component are wanted; below 1, a fraction."
    )
    ligands: dict[str, float] = Field(
        default_factory=dict, description="For `ligands`, the names that count; for `contrast`, their coefficients."
    )

    @model_validator(mode="after")
    def _names(self) -> Goal:
        if self.kind in ("ligands", "contrast") and not any(self.ligands.values()):
            raise ValueError(f"the goal {self.kind!r} needs ligands, as a mapping of names to coefficients")
        return self


class StopRules(StrategySettings):
    """Rules for when a network is good enough; the first that applies finishes it. Unset rules are ignored."""

    mean_uncertainty_kcal_mol: float | None = Field(
        default=None, gt=0, description="Root mean square uncertainty of the ligands."
    )
    max_uncertainty_kcal_mol: float | None = Field(default=None, gt=0, description="Largest uncertainty of a ligand.")
    top_probability: float | None = Field(
        default=None, gt=0, lt=1, description="Probability that the top ligands are the right ones."
    )
    least_gain_per_gpu_hour: float | None = Field(
        default=None,
        gt=0,
        description="Expected number of misplaced pairs, across the border of the top, that one GPU-hour corrects.",
    )


def top_counts(top: float, components: Components) -> IntArray:
    """Return the number of wanted nodes of each component: at least one, and not all, where there are two.

    Parameters
    ----------
    top : float
        Number, or fraction if below one.
    components : Components
    """
    sizes = np.array([len(part) for part in components.parts], dtype=np.int64)
    wanted = np.ceil(top * sizes - 1e-9) if top < 1 else np.full(len(sizes), round(top))
    return np.asarray(np.minimum(np.maximum(wanted, 1), np.maximum(sizes - 1, 0)), dtype=np.int64)


def goal_matrix(
    chosen: tuple[Goal, ...], design: EdgeDesign, covariance: FloatArray, components: Components, answer: Answer | None
) -> FloatArray:
    """Return W of a mixture of goals.

    Parameters
    ----------
    chosen : tuple of Goal
    design : EdgeDesign
    covariance : ndarray, shape (n, n)
        Covariance before the repeats that are to be chosen.
    components : Components
        The components that values are comparable in.
    answer : Answer or None
        Values so far; without, goals that need values count as the mean uncertainty.
    """
    n = design.network.n_nodes
    parts: list[tuple[float, FloatArray]] = []
    for goal in chosen:
        matrix = _matrix(goal, design, covariance, components, answer)
        parts.append((goal.share, matrix if matrix.any() else goals.mean_uncertainty(n)))
    return goals.mix(parts)


def _matrix(
    goal: Goal, design: EdgeDesign, covariance: FloatArray, components: Components, answer: Answer | None
) -> FloatArray:
    n = design.network.n_nodes
    if goal.kind == "differences":
        return goals.all_differences(components)
    if goal.kind in ("ligands", "contrast"):
        coefficient = np.array([goal.ligands.get(ligand, 0.0) for _, _, ligand in design.nodes])
        if not coefficient.any():
            return np.zeros((n, n))
        if goal.kind == "contrast":
            return goals.contrast(coefficient)
        return goals.some_nodes(n, np.flatnonzero(coefficient).tolist())
    if goal.kind == "mean" or answer is None:
        return goals.mean_uncertainty(n)
    if goal.kind == "ranking":
        return goals.ranking(answer.value, covariance, components)
    return goals.top_k(answer.value, covariance, components, top_counts(goal.top, components))


def stop_reason(rules: StopRules, answer: Answer, top: float) -> tuple[str | None, dict[str, float]]:
    """Return the first rule that holds, in words, or None, and the numbers behind all rules that need no forecast.

    Parameters
    ----------
    rules : StopRules
    answer : Answer
        Values of all ligands, in as many components as the network has.
    top : float
        Wanted ligands, as in `Goal`.
    """
    variance = np.diag(answer.covariance)
    mean, largest = float(np.sqrt(variance.mean())), float(np.sqrt(variance.max()))
    facts = {"mean_uncertainty_kcal_mol": mean, "max_uncertainty_kcal_mol": largest}
    if rules.mean_uncertainty_kcal_mol is not None and mean <= rules.mean_uncertainty_kcal_mol:
        return f"the mean uncertainty of {mean:.3g} kcal/mol is within {rules.mean_uncertainty_kcal_mol:g}", facts
    if rules.max_uncertainty_kcal_mol is not None and largest <= rules.max_uncertainty_kcal_mol:
        return f"the largest uncertainty of {largest:.3g} kcal/mol is within {rules.max_uncertainty_kcal_mol:g}", facts
    if rules.top_probability is not None:
        counts = top_counts(top, answer.components)
        right = probability_top_is_right(answer.value, answer.covariance, answer.components, counts)
        facts["top_probability"] = right
        if right >= rules.top_probability:
            n_top = int(counts.sum())
            return (
                f"the best {n_top} ligands are right with probability {right:.2f}, {rules.top_probability:g} wanted",
                facts,
            )
    return None, facts
