"""Content of result files as plain records: results, their units, and the Transformation they belong to.

Filled by `quickrun` and `dag_results`; `result_matching` finds the Transformation, `importing.imports` writes rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeAlias

from ..gufe_adapter.repeats import repeat_number
from ..units import KCAL_PER_KJ
from .chain import reference

__all__ = [
    "Content",
    "Ends",
    "Replicates",
    "ResultFile",
    "ResultRecord",
    "UnitRecord",
    "energy_kcal_mol",
    "failure_text",
    "ligands_of",
    "read_unit",
]

#: Value and uncertainty of each repeat within a result, kcal/mol; empty if it holds only one.
Replicates: TypeAlias = tuple[tuple[float, float | None], ...]
_LIGANDS: Final = re.compile(r"(?:^|: |transformation )(\S+) to (\S+?),? |^(\S+) (\S+) repeat \d+ generation \d+$")
#: Units of molar energy as written by pint, openff-units and openmm, without spaces, in kcal/mol.
_ENERGIES: Final[Mapping[str, float]] = {
    "kilocalorie_per_mole": 1.0,
    "kilocalories_per_mole": 1.0,
    "kilocalorie/mole": 1.0,
    "kilocalories/mole": 1.0,
    "kcal/mol": 1.0,
    "calorie/mole": 1e-3,
    "kilojoule_per_mole": KCAL_PER_KJ,
    "kilojoules_per_mole": KCAL_PER_KJ,
    "kilojoule/mole": KCAL_PER_KJ,
    "kilojoules/mole": KCAL_PER_KJ,
    "kj/mol": KCAL_PER_KJ,
    "joule/mole": KCAL_PER_KJ * 1e-3,
}


@dataclass(frozen=True, slots=True)
class UnitRecord:
    """One execution of a ProtocolUnit.

    Attributes
    ----------
    unit : str
        Key of the ProtocolUnit; its first part is the class.
    repeat : str
        Independent repeat of the calculation that it belongs to.
    name : str
        Name of the unit.
    ok : bool
        Whether it succeeded.
    exception : str or None
        Type and message of the failure.
    traceback : str or None
        Traceback of the failure, if the file has it.
    started_at, ended_at : datetime or None
        As written, without a time zone: interpreted as UTC. None if gufe did not write them.
    """

    unit: str
    repeat: str
    name: str
    ok: bool
    exception: str | None
    traceback: str | None
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """One result: a repeat, or the whole calculation if the file has only one number for it.

    Attributes
    ----------
    label : str
        Distinguishes the results of one file.
    ok : bool
        Whether the result is good.
    estimate_kcal_mol : float or None
        None for a failed result.
    uncertainty_kcal_mol : float or None
        Standard error; None if the file states none.
    exception : str or None
        Type and message of the failure.
    failed_unit : str or None
        Key of the unit that failed.
    units : tuple of UnitRecord
        Executions of its units.
    replicates : tuple of (float, float or None)
        Value and uncertainty of each repeat within the result, kcal/mol; empty if it holds only one.
    """

    label: str
    ok: bool
    estimate_kcal_mol: float | None
    uncertainty_kcal_mol: float | None
    exception: str | None
    failed_unit: str | None
    units: tuple[UnitRecord, ...]
    replicates: Replicates = ()


class Content(NamedTuple):
    """gufe keys that define a Transformation; `state_b` is None for sampling of a single system.

    Attributes
    ----------
    state_a : str
        ChemicalSystem of state A.
    state_b : str or None
        None for sampling of a single system.
    protocol : str
        Key of the Protocol.
    mappings : tuple of str
        Keys of the atom mappings.
    """

    state_a: str
    state_b: str | None
    protocol: str
    mappings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ends:
    """Information in a file about its Transformation; None or empty if missing.

    Attributes
    ----------
    transformation : str or None
        gufe key of the Transformation itself.
    state_a, state_b, protocol : str or None
        gufe keys; `state_b` is None also for sampling of a single system.
    mappings : tuple of str
        gufe keys of the atom mappings.
    ligands : tuple of str or None
        Names of the ligands, from the names of the units.
    content : Content or None
        The objects themselves, if the file contains them, under their keys in the pool. These keys may differ from
        those stated in the file, if another gufe version made them.
    """

    transformation: str | None = None
    state_a: str | None = None
    state_b: str | None = None
    protocol: str | None = None
    mappings: tuple[str, ...] = ()
    ligands: tuple[str, str] | None = None
    content: Content | None = None


@dataclass(frozen=True, slots=True)
class ResultFile:
    """Content of one file, without the objects it refers to.

    Attributes
    ----------
    source : str
        Path of the file.
    format : str
        As in the table `imports`.
    results : tuple of ResultRecord
        Results in the file.
    ends : Ends
        What the file says of its Transformation.
    protocol_qualname : str or None
        Class of the Protocol; None if unknown.
    on_gpu : bool
        Whether the settings request a GPU.
    """

    source: str
    format: str
    results: tuple[ResultRecord, ...]
    ends: Ends
    protocol_qualname: str | None
    on_gpu: bool


def read_unit(fields: Mapping[str, Any]) -> UnitRecord:
    """Read the record of a ProtocolUnitResult or ProtocolUnitFailure, from its keyed dict or its nested dict."""
    name = str(fields.get("name") or fields.get("source_key") or "unit")
    exception = fields.get("exception")
    traceback = fields.get("traceback")
    source = fields.get("source_key")
    return UnitRecord(
        unit=str(reference(source) or source or f"ProtocolUnit-{name}"),
        repeat=_repeat(fields, name),
        name=name,
        ok=exception is None,
        exception=None if exception is None else failure_text(exception),
        traceback=str(traceback) if traceback else None,
        started_at=_time(fields.get("start_time")),
        ended_at=_time(fields.get("end_time")),
    )


def ligands_of(name: str) -> tuple[str, str] | None:
    """Return the two ligands in the name of a unit, `a to b repeat 0 generation 0`, or of 2023, `a b repeat 0 ...`."""
    found = _LIGANDS.search(name)
    if found is None:
        return None
    return (found[1], found[2]) if found[1] is not None else (found[3], found[4])


def failure_text(exception: Any) -> str:
    """Return an exception, which gufe stores as its class and arguments, as `class: message`."""
    if isinstance(exception, list) and len(exception) == 2 and isinstance(exception[0], str):
        arguments = exception[1] if isinstance(exception[1], list) else [exception[1]]
        return f"{exception[0]}: {', '.join(map(str, arguments))}"
    return str(exception)


def energy_kcal_mol(value: Any) -> float | None:
    """Return an energy from gufe's JSON in kcal/mol; None if missing or not finite.

    Raises
    ------
    TypeError, ValueError
        If it is neither a number nor a quantity in units of energy.
    """
    if value is None:
        return None
    factor = 1.0
    if isinstance(value, Mapping):
        unit = str(value.get("unit", "")).replace(" ", "").replace("**-1", "").lower()
        value = value.get("magnitude", value.get("val"))
        if unit not in _ENERGIES:
            raise ValueError(f"an energy has the unknown unit {unit!r}; known units are {', '.join(_ENERGIES)}")
        factor = _ENERGIES[unit]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{value!r} is not an energy")
    energy = float(value) * factor
    return energy if math.isfinite(energy) else None


def _repeat(fields: Mapping[str, Any], name: str) -> str:
    for part in ("outputs", "inputs"):
        told = fields.get(part)
        if isinstance(told, Mapping) and told.get("repeat_id") is not None:
            return str(told["repeat_id"])
    return str(repeat_number(name) or 0)


def _time(value: Any) -> datetime | None:
    text = value.get("isotime") if isinstance(value, Mapping) else value
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
