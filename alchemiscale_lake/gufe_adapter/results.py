"""ProtocolDAGResults from unit results, and estimates in kcal/mol from these.

Estimates of whole networks are in `estimators`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..errors import EstimationError
from ..units import kcal_mol
from .execution import unit_ok, units_in_order

__all__ = ["Estimate", "build_dag_result", "dag_ok", "estimate"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Free energy difference of a Transformation.

    Attributes
    ----------
    value_kcal_mol, uncertainty_kcal_mol : float or None
        None if there is no result, or the Protocol returned no finite number.
    """

    value_kcal_mol: float | None
    uncertainty_kcal_mol: float | None


def build_dag_result(dag: Any, unit_results: Iterable[Any], transformation: Any) -> Any:
    """Make the ProtocolDAGResult of a ProtocolDAG.

    Parameters
    ----------
    dag : ProtocolDAG
    unit_results : iterable of ProtocolUnitResult
        All attempts of its units in order of execution. gufe 0.4 keeps one per unit: the success, or else the last
        failure.
    transformation : Transformation or NonTransformation
        Origin of the ProtocolDAG; its key becomes a label of the result (gufe >= 1).
    """
    from gufe import ProtocolDAGResult

    attempts = list(unit_results)
    labels = {
        "transformation_key": getattr(dag, "transformation_key", None) or transformation.key,
        "extends_key": getattr(dag, "extends_key", None),
    }
    accepted = inspect.signature(ProtocolDAGResult).parameters
    known = {word: value for word, value in labels.items() if word in accepted}
    return ProtocolDAGResult(
        name=dag.name,
        protocol_units=units_in_order(dag),
        protocol_unit_results=attempts if known else _one_per_unit(attempts),
        **known,
    )


def dag_ok(dag_result: Any) -> bool:
    """Return whether every unit of a ProtocolDAGResult has a successful result.

    gufe 0.4's own `ok()` also accepts a failure as a result.
    """
    succeeded = {str(result.source_key) for result in dag_result.protocol_unit_results if unit_ok(result)}
    return all(str(unit.key) in succeeded for unit in dag_result.protocol_units)


def estimate(transformation: Any, dag_results: Iterable[Any]) -> Estimate:
    """Gather the successful ProtocolDAGResults into an estimate.

    Parameters
    ----------
    transformation : Transformation or NonTransformation
    dag_results : iterable of ProtocolDAGResult

    Returns
    -------
    Estimate
        Without numbers if no result was successful. If the Protocol returns an uncertainty of zero, as openfe's do for
        a single repeat (the standard deviation of one value), the errors stated by its units are used.

    Raises
    ------
    EstimationError
        If the Protocol cannot gather these results.
    UnitConversionError
        If it returns something that is not an energy.
    """
    usable = [dag_result for dag_result in dag_results if dag_ok(dag_result)]
    if not usable:
        return Estimate(None, None)
    try:
        gathered = transformation.gather(usable)
        value, uncertainty = gathered.get_estimate(), gathered.get_uncertainty()
    except Exception as e:  # third-party code may raise anything
        protocol = type(transformation.protocol).__qualname__
        raise EstimationError(
            f"{protocol} could not gather {len(usable)} results of {transformation.name or transformation.key} "
            f"({type(e).__name__}: {e}); check that they were made by this version of {protocol}",
            transformation=str(transformation.key),
            n_results=len(usable),
        ) from e
    return Estimate(kcal_mol(value), kcal_mol(uncertainty) or _stated_by_units(usable, kcal_mol(uncertainty)))


def _stated_by_units(dag_results: Iterable[Any], otherwise: float | None) -> float | None:
    """Return the errors that units state for their estimates (openfe's `unit_estimate_error`), in kcal/mol.

    Root mean square over the repeats of one leg (`simtype`), then legs in quadrature.
    """
    squares: dict[str, list[float]] = {}
    for result in (r for dag_result in dag_results for r in dag_result.protocol_unit_results if unit_ok(r)):
        outputs = result.outputs if isinstance(result.outputs, dict) else {}
        error = kcal_mol(outputs.get("unit_estimate_error"))
        if error is not None:
            squares.setdefault(str(outputs.get("simtype")), []).append(error**2)
    if not squares:
        return otherwise
    return math.sqrt(sum(sum(of_leg) / len(of_leg) for of_leg in squares.values()))


def _one_per_unit(attempts: list[Any]) -> list[Any]:
    chosen: dict[str, Any] = {}
    for result in attempts:
        known = chosen.get(str(result.source_key))
        if known is None or not unit_ok(known):
            chosen[str(result.source_key)] = result
    return list(chosen.values())
