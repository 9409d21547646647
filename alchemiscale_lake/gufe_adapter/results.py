"""ProtocolDAGResults from unit results, and estimates in kcal/mol from these.

Estimates of whole networks are in `estimators`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ..errors import EstimationError, UnitConversionError
from ..plurals import count
from ..units import kcal_mol
from .execution import unit_ok, units_in_order
from .repeats import paired_repeats, repeat_number

__all__ = ["Estimate", "build_dag_result", "dag_ok", "estimate"]

#: Origin of a ProtocolDAGResult, as stored by gufe >= 1.
_LABELS: Final = ("transformation_key", "extends_key")


@dataclass(frozen=True, slots=True)
class Estimate:
    """Free energy difference of a Transformation.

    Attributes
    ----------
    value_kcal_mol, uncertainty_kcal_mol : float or None
        None if there is no result, or the Protocol returned no finite number.
    replicates : tuple of Estimate
        For one result that holds several repeats, the estimate of each; their mean is the value. Empty otherwise.
    """

    value_kcal_mol: float | None
    uncertainty_kcal_mol: float | None
    replicates: tuple[Estimate, ...] = ()


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
        gathered = _gathered(transformation, usable)
    except UnitConversionError:
        raise
    except Exception as e:  # third-party code may raise anything
        protocol = type(transformation.protocol).__qualname__
        raise EstimationError(
            f"{protocol} could not gather {count(len(usable), 'result')} of "
            f"{transformation.name or transformation.key} "
            f"({type(e).__name__}: {e}); check that they were computed by this version of {protocol}",
            transformation=str(transformation.key),
            n_results=len(usable),
        ) from e
    return replace(gathered, replicates=_replicates(transformation, usable, gathered.value_kcal_mol))


def _gathered(transformation: Any, dag_results: Sequence[Any]) -> Estimate:
    gathered = transformation.gather(dag_results)
    value, uncertainty = kcal_mol(gathered.get_estimate()), kcal_mol(gathered.get_uncertainty())
    return Estimate(value, uncertainty or _stated_by_units(dag_results, uncertainty))


def _replicates(transformation: Any, dag_results: Sequence[Any], value: float | None) -> tuple[Estimate, ...]:
    """Gather each repeat within one result separately.

    A repeat consists of the units that carry its number in their name, as openfe's and feflow's do
    (`... repeat 0 generation 0`), in all legs, and of those that carry none. There are none where legs have different
    repeats, or where the mean is not the estimate of the result: then the Protocol combines repeats in another way.
    """
    if len(dag_results) != 1 or value is None:
        return ()
    numbers = paired_repeats(_repeats_of_legs(dag_results[0]).values())
    if not numbers:
        return ()
    try:
        found = tuple(_gathered(transformation, [_only_repeat(dag_results[0], number)]) for number in numbers)
    except Exception:  # the Protocol's code, which need not accept a part of its result
        return ()
    values = [one.value_kcal_mol for one in found if one.value_kcal_mol is not None]
    if len(values) < len(found) or not math.isclose(math.fsum(values) / len(values), value, rel_tol=1e-9, abs_tol=1e-9):
        return ()
    return found


def _repeats_of_legs(dag_result: Any) -> dict[str, set[int]]:
    """Return the numbers of the repeats of each leg (`simtype`)."""
    legs: dict[str, set[int]] = {}
    for result in filter(unit_ok, dag_result.protocol_unit_results):
        number = _repeat_of(result)
        if number is not None:
            legs.setdefault(_leg_of(result), set()).add(number)
    return legs


def _leg_of(result: Any) -> str:
    outputs = result.outputs if isinstance(result.outputs, dict) else {}
    return str(outputs.get("simtype"))


def _repeat_of(unit: Any) -> int | None:
    return repeat_number(str(unit.name or ""))


def _only_repeat(dag_result: Any, number: int) -> Any:
    """Return a ProtocolDAGResult of the units of one repeat, and of those of none."""
    return type(dag_result)(
        name=dag_result.name,
        protocol_units=[unit for unit in dag_result.protocol_units if _repeat_of(unit) in (None, number)],
        protocol_unit_results=[r for r in dag_result.protocol_unit_results if _repeat_of(r) in (None, number)],
        **{word: getattr(dag_result, word) for word in _LABELS if hasattr(dag_result, word)},
    )


def _stated_by_units(dag_results: Iterable[Any], otherwise: float | None) -> float | None:
    """Return the errors that units state for their estimates (openfe's `unit_estimate_error`), in kcal/mol.

    Root mean square over the repeats of one leg (`simtype`), then legs in quadrature.
    """
    squares: dict[str, list[float]] = {}
    for result in (r for dag_result in dag_results for r in dag_result.protocol_unit_results if unit_ok(r)):
        outputs = result.outputs if isinstance(result.outputs, dict) else {}
        error = kcal_mol(outputs.get("unit_estimate_error"))
        if error is not None:
            squares.setdefault(_leg_of(result), []).append(error**2)
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
