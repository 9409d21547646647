"""Forecast of a network's uncertainty against further GPU-hours, if they are spent by optimal design.

Repeats are added one by one as `optimal-design` would, from what exists and is in flight on; values and variances are
taken as they now seem, so the forecast changes with every result. Uncertainties are those of stop rules: widened for
the repeats that variances are estimated from, by less the more repeats there are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..estimators.design.design_covariance import components_of, design_covariance
from ..estimators.design.floors import required_repeats
from ..estimators.design.increments import add_repeats
from .edge_design import EdgeDesign, edge_design
from .goal_settings import goal_matrix
from .optimal_design import OptimalDesignSettings
from .strategy_rows import NetworkRows

__all__ = ["DesignForecast", "ForecastPoint", "forecast_design"]

#: Points after the first; the tasks of a forecast are few enough for it to take seconds.
_N_POINTS: Final = 30
_MOST_TASKS: Final = 4000

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ForecastPoint:
    """What is reached by then.

    Attributes
    ----------
    gpu_hours : float
        Further GPU-hours, those of Tasks in flight included.
    mean_uncertainty_kcal_mol, max_uncertainty_kcal_mol : float
        Root mean square, and largest, uncertainty of the ligands.
    """

    gpu_hours: float
    mean_uncertainty_kcal_mol: float
    max_uncertainty_kcal_mol: float


@dataclass(frozen=True, slots=True)
class DesignForecast:
    """A forecast of a network's uncertainty.

    Attributes
    ----------
    points : tuple of ForecastPoint
        The first one is now, at 0 GPU-hours, if the results connect the network; the last one reaches the target, or
        the limits of the forecast.
    target_kcal_mol : float or None
        Uncertainty at which the Strategy stops; None without such a rule.
    of : {"mean", "max"}
        Which uncertainty the target is about.
    gpu_hours_to_target : float or None
        Further GPU-hours; None if it is not reached, or there is none.
    """

    points: tuple[ForecastPoint, ...]
    target_kcal_mol: float | None
    of: str
    gpu_hours_to_target: float | None


def forecast_design(network: NetworkRows, settings: OptimalDesignSettings) -> DesignForecast | None:
    """Return the forecast for a network; None if no Transformation contributes to a difference between ligands.

    Parameters
    ----------
    network : NetworkRows
    settings : OptimalDesignSettings
        Its goals, and the target among its stop rules.
    """
    design = edge_design(network)
    if design is None:
        return None
    rules = settings.stop
    target = rules.mean_uncertainty_kcal_mol
    of = "mean" if target is not None or rules.max_uncertainty_kcal_mol is None else "max"
    target = rules.max_uncertainty_kcal_mol if of == "max" else target
    points = [] if _is_apart(design, design.finished) else [_point(design, design.finished, 0.0)]
    for count, hours in _steps(design, settings):
        if target is not None and points and _value(points[-1], of) <= target:
            break
        points.append(_point(design, count, hours))
    reached = target is not None and bool(points) and _value(points[-1], of) <= target
    if target is not None and reached and len(points) > 1:
        points[-1] = _at_target(points[-2], points[-1], target, of)
    return DesignForecast(tuple(points), target, of, points[-1].gpu_hours if reached else None)


def _steps(design: EdgeDesign, settings: OptimalDesignSettings) -> list[tuple[FloatArray, float]]:
    """Return repeats and GPU-hours: once what is in flight has ended, after the first pass, and on the way on."""
    network, count = design.network, design.counted
    hours = float((count - design.finished) @ network.cost)
    steps = [] if hours == 0.0 or _is_apart(design, count) else [(count, hours)]
    most = np.array([row.n_counted if row.frozen else settings.max_repeats for row in design.rows], dtype=np.int64)
    first = np.minimum(
        sum(required_repeats(network, count, first_pass=settings.first_pass, bridge_repeats=settings.bridge_repeats)),
        np.maximum(most - count.astype(np.int64), 0),
    )
    count, hours = count + first, hours + float(first @ network.cost)
    if _is_apart(design, count):
        return steps
    if first.any():
        steps.append((count, hours))
    components = components_of(network)
    covariance = design_covariance(network, 1.0 / network.edge_variance(count), components)
    answer = None if _is_apart(design, design.finished) else design.answer()
    weight = goal_matrix(settings.goals, design, covariance, components, answer)
    added = add_repeats(network, count, weight, most_tasks=_MOST_TASKS, most_repeats=most)
    # geometric, for uncertainty falls with the root of what is spent
    ends = np.unique(np.geomspace(1, max(1, len(added.moves)), _N_POINTS).astype(np.int64))
    done = 0
    for end in ends[: len(added.moves)].tolist():
        for move in added.moves[done:end]:
            count = count + np.bincount(np.array(move), minlength=len(count))
        hours += float(sum(added.spent[done:end]))
        done = end
        steps.append((count, hours))
    return steps


def _is_apart(design: EdgeDesign, count: FloatArray) -> bool:
    """Return whether ligands lack a connection that the network has once every leg has a repeat."""
    measured = np.isfinite(design.network.edge_variance(count))
    return len(components_of(design.network, measured).parts) > len(components_of(design.network).parts)


def _point(design: EdgeDesign, count: FloatArray, hours: float) -> ForecastPoint:
    freedom = design.model.prior_dof + np.maximum(count - 1.0, 0.0)
    # repeats that say nothing, see `fit_variances`, add none
    freedom = np.where(count == design.finished, design.model.degrees_of_freedom, freedom)
    variance = replace(design.model, degrees_of_freedom=freedom).inflated()
    covariance = design_covariance(design.network, 1.0 / design.network.edge_variance(count, variance))
    of_ligand = np.diag(covariance)
    return ForecastPoint(hours, float(np.sqrt(of_ligand.mean())), float(np.sqrt(of_ligand.max())))


def _at_target(before: ForecastPoint, after: ForecastPoint, target: float, of: str) -> ForecastPoint:
    """Return the point between two at which the target is reached."""
    part = (_value(before, of) - target) / (_value(before, of) - _value(after, of))
    ends = [(p.gpu_hours, p.mean_uncertainty_kcal_mol, p.max_uncertainty_kcal_mol) for p in (before, after)]
    return ForecastPoint(*(a + part * (b - a) for a, b in zip(*ends, strict=True)))


def _value(point: ForecastPoint, of: str) -> float:
    return point.max_uncertainty_kcal_mol if of == "max" else point.mean_uncertainty_kcal_mol
