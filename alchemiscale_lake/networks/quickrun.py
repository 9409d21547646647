"""Result files of `openfe quickrun`, read as plain JSON: no gufe, no openfe.

A file is a dict of `estimate`, `uncertainty`, `protocol_result` (nested dicts: `data` has the units that count) and
`unit_results` (keyed dicts of every executed unit, including failures). If `data` has one entry per repeat, each with
its own `unit_estimate` (RelativeHybridTopologyProtocol, every generation of openfe), each repeat is a result.
Otherwise (absolute and separated-topology Protocols, whose legs are repeated independently) the file is one result
with the file's own numbers, and the replicates of `leg_estimates`.

openfe's own `gather` discards a whole file if one of its repeats failed; here the others count.

References
----------
openfe: ``openfecli/commands/quickrun.py`` (writes) and ``gather.py`` (reads).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ..errors import ResultFileError
from .chain import reference
from .imported import (
    Content,
    Ends,
    Replicates,
    ResultFile,
    ResultRecord,
    UnitRecord,
    energy_kcal_mol,
    ligands_of,
    read_unit,
)
from .leg_estimates import LegsEstimate, legs_estimate
from .nested import ObjectPool

__all__ = ["counted_repeats", "ends_of_units", "legs_in", "per_repeat", "read_quickrun", "units_in", "whole_result"]

_MAPPINGS: Final = ("ligandmapping", "mapping", "mappings")
_GPUS: Final = frozenset({"cuda", "opencl", "hip"})
_NO_ESTIMATE: Final = "the file has neither an estimate nor an exception"

Units = Sequence[tuple[str, Mapping[str, Any]]]


def read_quickrun(content: Any, source: str, pool: ObjectPool) -> ResultFile:
    """Read the content of a result file.

    Parameters
    ----------
    content : dict
        The parsed JSON.
    source : str
        Path of the file, for messages.
    pool : ObjectPool
        Receives the objects of the results.

    Raises
    ------
    ResultFileError
        If it is not in the format of `openfe quickrun`.
    """
    try:
        result = content["protocol_result"]
        data, unit_results = result["data"], content.get("unit_results") or {}
        qualname = str(result.get("__qualname__", ""))
        units = [(str(fields.get("_key", key)), fields) for key, fields in unit_results.items()]
        counted = list(units_in(data))
        records = [read_unit(fields) for _, fields in units] or [read_unit(fields) for fields in counted]
        repeats = counted_repeats(data)
        if repeats is not None and (repeats or not data):
            results = per_repeat(repeats, records, content)
        else:
            results = [_whole(content, records, data, legs_in(data, qualname.removesuffix("Result")))]
        ends = _ends(counted, units, qualname, str(result.get("__module__", "")), pool)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as e:
        raise ResultFileError(
            f"{source}: not a result of `openfe quickrun` ({type(e).__name__}: {e}); give files written by it",
            source=source,
        ) from e
    return ResultFile(
        source=source,
        format="quickrun",
        results=tuple(results),
        ends=ends,
        protocol_qualname=qualname.removesuffix("Result") or None,
        on_gpu=_on_gpu([*counted, *(fields for _, fields in units)]),
    )


# --- results --------------------------------------------------------------------------------------


def counted_repeats(data: Mapping[str, Any]) -> dict[str, Mapping[str, Any]] | None:
    """Return the unit that counts of each repeat; None if `data` has another form."""
    found = {}
    for repeat, units in data.items():
        if not (isinstance(units, list) and units and isinstance(units[0], Mapping)):
            return None
        outputs = units[0].get("outputs")
        if not isinstance(outputs, Mapping) or "unit_estimate" not in outputs:
            return None
        found[str(repeat)] = units[0]
    return found


def per_repeat(
    repeats: Mapping[str, Mapping[str, Any]], records: Sequence[UnitRecord], content: Mapping[str, Any]
) -> list[ResultRecord]:
    """Return one result for every completed repeat, and one for every other that was started.

    Parameters
    ----------
    repeats : mapping of str to mapping of str to object
        Final unit of every completed repeat, by label.
    records : sequence of UnitRecord
        Executions of the units.
    content : mapping of str to object
        Content of the file.
    """
    labels = list(dict.fromkeys([*repeats, *(record.repeat for record in records)]))
    results = []
    for label in labels:
        own = tuple(record for record in records if record.repeat == label)
        if label in repeats:
            outputs = repeats[label]["outputs"]
            value = energy_kcal_mol(outputs["unit_estimate"])
            uncertainty = energy_kcal_mol(outputs.get("unit_estimate_error"))
            results.append(ResultRecord(label, True, value, uncertainty, None, None, own))
        else:
            results.append(whole_result(label, None, None, own))
    if not results:
        results.append(_whole(content, records, {}, LegsEstimate(None, None)))
    return results


def _whole(
    content: Mapping[str, Any], records: Sequence[UnitRecord], data: Mapping[str, Any], legs: LegsEstimate
) -> ResultRecord:
    value = energy_kcal_mol(content.get("estimate"))
    uncertainty = energy_kcal_mol(content.get("uncertainty"))
    found = legs.estimate_kcal_mol
    same = value is not None and found is not None and math.isclose(value, found, rel_tol=1e-9, abs_tol=1e-9)
    # openfe writes 0 for a single repeat: then only the legs' own uncertainties are available
    uncertainty = uncertainty or _own_uncertainty(data)
    return whole_result("all", value, uncertainty, tuple(records), legs.replicates if same else ())


def legs_in(data: Mapping[str, Any], protocol: str) -> LegsEstimate:
    """Return the estimate from the units in `data`, by leg, of a Protocol that repeats its legs independently.

    Parameters
    ----------
    data : mapping of str to object
        Content of the file, or the part of it that holds the units.
    protocol : str
        Class of the Protocol.
    """
    return legs_estimate(protocol, {leg: list(units_in(of_leg)) for leg, of_leg in data.items()})


def whole_result(
    label: str,
    value: float | None,
    uncertainty: float | None,
    records: tuple[UnitRecord, ...],
    replicates: Replicates = (),
) -> ResultRecord:
    """Combine units into one result: good if it has a number, or if every unit finally succeeded.

    Parameters
    ----------
    label : str
        Distinguishes the results of one file.
    value : float or None
        kcal/mol; None if the file has none.
    uncertainty : float or None
        Standard error, kcal/mol; None if the file has none.
    records : tuple of UnitRecord
        Executions of the units.
    replicates : Replicates, default ()
        Estimate and uncertainty of each repeat, kcal/mol; empty if unknown.
    """
    succeeded = {record.unit for record in records if record.ok}
    failed = [record for record in records if record.unit not in succeeded]
    if value is not None:
        return ResultRecord(label, True, value, uncertainty, None, None, records, replicates)
    if records and not failed:
        return ResultRecord(label, True, None, None, None, None, records)
    last = failed[-1] if failed else None
    why = (last.exception if last else None) or _NO_ESTIMATE
    return ResultRecord(label, False, None, None, why, last.name if last else None, records)


def _own_uncertainty(data: Mapping[str, Any]) -> float | None:
    """Return legs in quadrature, each the root mean square over its repeats, as in `openfe gather-abfe`."""
    total, found = 0.0, False
    for leg in data.values():
        squares = []
        for unit in units_in(leg):
            outputs = unit.get("outputs")
            error = energy_kcal_mol(outputs.get("unit_estimate_error")) if isinstance(outputs, Mapping) else None
            squares += [] if error is None else [error**2]
        if squares:
            total, found = total + sum(squares) / len(squares), True
    return math.sqrt(total) if found else None


# --- their Transformation -------------------------------------------------------------------------


def units_in(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the nested dicts of unit results in `data`, whatever its form."""
    if isinstance(value, Mapping):
        if "source_key" in value and "outputs" in value:
            yield value
        elif "__qualname__" not in value:
            for item in value.values():
                yield from units_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from units_in(item)


def _ends(counted: Sequence[Mapping[str, Any]], units: Units, qualname: str, module: str, pool: ObjectPool) -> Ends:
    """Read the file's information on its Transformation; the objects go into the pool."""
    keys = ends_of_units(fields for _, fields in units)
    setup = next((inputs for unit in counted for inputs in _inputs(unit) if "stateA" in inputs), None)
    if setup is None:
        return keys
    protocol = next((i["protocol"] for unit in counted for i in _inputs(unit) if i.get("protocol")), None)
    if protocol is None:  # early versions of openfe gave the units only the settings
        name = qualname.removesuffix("Result")
        protocol = {"settings": setup.get("settings"), "__qualname__": name, "__module__": module}
    mapping = next((setup[name] for name in _MAPPINGS if setup.get(name)), None)
    mappings = [] if mapping is None else mapping if isinstance(mapping, list) else [mapping]
    state_b = setup.get("stateB")
    content = Content(
        state_a=pool.add(setup["stateA"]),
        state_b=None if state_b is None else pool.add(state_b),
        protocol=pool.add(protocol),
        mappings=tuple(map(pool.add, mappings)),
    )
    return replace(keys, content=content)


def ends_of_units(units: Iterator[Mapping[str, Any]]) -> Ends:
    """Read the keys of states, Protocol and mapping from the keyed dicts of unit results."""
    found: dict[str, str] = {}
    mappings: tuple[str, ...] = ()
    ligands = None
    for fields in units:
        ligands = ligands or ligands_of(str(fields.get("name", "")))
        inputs = fields.get("inputs")
        if not isinstance(inputs, Mapping):
            continue
        for name in ("stateA", "stateB", "protocol"):
            key = reference(inputs.get(name))
            if key is not None:
                found.setdefault(name, key)
        given = next((inputs[name] for name in _MAPPINGS if inputs.get(name)), None)
        keys = tuple(filter(None, map(reference, given if isinstance(given, list) else [given])))
        mappings = mappings or keys
    return Ends(
        state_a=found.get("stateA"),
        state_b=found.get("stateB"),
        protocol=found.get("protocol"),
        mappings=mappings,
        ligands=ligands,
    )


def _inputs(unit: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the inputs of a unit and of the units whose results it used."""
    inputs = unit.get("inputs")
    if not isinstance(inputs, Mapping):
        return
    yield inputs
    for value in inputs.values():
        for given in value if isinstance(value, list) else [value]:
            if isinstance(given, Mapping) and "source_key" in given:
                yield from _inputs(given)


def _on_gpu(units: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether the settings in the inputs name a GPU platform."""
    for inputs in (given for unit in units for given in _inputs(unit)):
        protocol = inputs.get("protocol")
        settings = protocol.get("settings") if isinstance(protocol, Mapping) else inputs.get("settings")
        parts = settings.values() if isinstance(settings, Mapping) else ()
        platforms = (str(part.get("compute_platform")).lower() for part in parts if isinstance(part, Mapping))
        if any(platform in _GPUS for platform in platforms):
            return True
    return False
