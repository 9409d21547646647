"""What files of results tell, as plain records: results, their units, and what they are results of.

Filled by `quickrun` and `dag_results`; which Transformation a file belongs to is found in `placing`,
rows are written by `ledger.imports`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from ..units import KCAL_PER_KJ
from .chain import reference

__all__ = [
    "Content",
    "Ends",
    "ResultFile",
    "ResultRecord",
    "UnitRecord",
    "energy_kcal_mol",
    "failure_text",
    "ligands_of",
    "read_unit",
]

_REPEAT: Final = re.compile(r"\brepeat[ _](\d+)")
_LIGANDS: Final = re.compile(r"(?:^|: |transformation )(\S+) to (\S+?),? ")
#: Energies per mole as pint, openff-units and openmm write them, without spaces, in kcal/mol.
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
        Key of the ProtocolUnit; its class is the key's first part.
    repeat : str
        Which independent repeat of the calculation it is part of.
    started_at, ended_at : datetime or None
        As written, without a time zone: taken as UTC. None where gufe did not write them yet.
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
    """One result: a repeat, or the whole calculation where the file gives one number for it.

    Attributes
    ----------
    label : str
        Tells the results of one file apart.
    """

    label: str
    ok: bool
    estimate_kcal_mol: float | None
    uncertainty_kcal_mol: float | None
    exception: str | None
    failed_unit: str | None
    units: tuple[UnitRecord, ...]


class Content(NamedTuple):
    """gufe keys of what makes a Transformation; `state_b` is None for what samples a single system."""

    state_a: str
    state_b: str | None
    protocol: str
    mappings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ends:
    """What a file says of the Transformation it belongs to; None or empty where it does not.

    Attributes
    ----------
    transformation : str or None
        gufe key of the Transformation itself.
    state_a, state_b, protocol : str or None
        gufe keys; `state_b` is None for what samples a single system, too.
    mappings : tuple of str
        gufe keys of the atom mappings.
    ligands : tuple of str or None
        Names of the ligands, as the names of the units have them.
    content : Content or None
        The objects themselves, where the file holds them, under their keys in the pool. Those may differ
        from the keys the file tells, if another gufe made these.
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
    """What one file holds, less the objects it is about.

    Attributes
    ----------
    source : str
        Path of the file.
    format : str
        As in the table `imports`.
    on_gpu : bool
        Whether the settings ask for a GPU.
    """

    source: str
    format: str
    results: tuple[ResultRecord, ...]
    ends: Ends
    protocol_qualname: str | None
    on_gpu: bool


def read_unit(fields: Mapping[str, Any]) -> UnitRecord:
    """Read the record of a ProtocolUnitResult or ProtocolUnitFailure, from its keyed dict or its whole dict."""
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
    """Return the two ligands that the name of a unit speaks of, as in `a to b repeat 0 generation 0`."""
    found = _LIGANDS.search(name)
    return (found.group(1), found.group(2)) if found else None


def failure_text(exception: Any) -> str:
    """Return an exception, which gufe stores as its class and arguments, as `class: message`."""
    if isinstance(exception, list) and len(exception) == 2 and isinstance(exception[0], str):
        arguments = exception[1] if isinstance(exception[1], list) else [exception[1]]
        return f"{exception[0]}: {', '.join(map(str, arguments))}"
    return str(exception)


def energy_kcal_mol(value: Any) -> float | None:
    """Return an energy that gufe's JSON holds, in kcal/mol; None for none, and for one that is not finite.

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
            raise ValueError(f"an energy has the unit {unit!r}; known are {', '.join(_ENERGIES)}")
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
    found = _REPEAT.search(name)
    return found.group(1) if found else "0"


def _time(value: Any) -> datetime | None:
    text = value.get("isotime") if isinstance(value, Mapping) else value
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
