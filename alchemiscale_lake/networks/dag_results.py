"""ProtocolDAGResults as keyed-chain JSON, read without gufe as far as possible.

This is the format that alchemiscale stores and gufe's `to_json` writes. Each is one result. Its estimate is read if
each repeat has a single unit with a `unit_estimate` (openfe's relative Protocols): the mean over repeats, with the
standard deviation of several, or the one unit's own uncertainty, as in openfe's `gather`. It is computed from the legs
of openfe's absolute and separated-topology Protocols. All others need their Protocol, which is handled in
`importing.imports`. Chains of ProtocolResults are read in `protocol_results`.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import InvalidNetworkError, ResultFileError
from ..gufe_adapter.repeats import paired_repeats, repeat_number
from .chain import index_chain, parse_chain, reference
from .imported import ResultFile, energy_kcal_mol, read_unit
from .leg_estimates import LegsEstimate, legs_estimate
from .nested import ObjectPool
from .protocol_results import content_of, is_protocol_result, read_protocol_result
from .quickrun import ends_of_units, whole_result

__all__ = ["read_dag_result"]


def read_dag_result(text: str, source: str, pool: ObjectPool) -> ResultFile:
    """Read the keyed chain of a ProtocolDAGResult.

    Parameters
    ----------
    text : str
        JSON.
    source : str
        Path of the file, for messages.
    pool : ObjectPool
        Receives the objects of the result.

    Raises
    ------
    ResultFileError
        If it is not such a chain.
    """
    try:
        by_key = index_chain(objects := parse_chain(text, source), source)
    except InvalidNetworkError as e:
        raise ResultFileError(e.message, **e.facts) from e
    root = objects[-1].keyed_dict if objects else {}
    if is_protocol_result(root):
        return read_protocol_result(objects, source, pool)
    if not isinstance(root.get("protocol_unit_results"), list):
        raise ResultFileError(
            f"{source}: a keyed chain of {root.get('__qualname__') or 'nothing'}, not of a ProtocolDAGResult or "
            "ProtocolResult; submit networks with `alchemiscale-lake submit`",
            source=source,
        )
    executed = [by_key[str(reference(value))].keyed_dict for value in root["protocol_unit_results"]]
    try:
        records = tuple(read_unit(fields) for fields in executed)
        ends = ends_of_units(iter(executed))
        protocol = None if ends.protocol is None else ends.protocol.partition("-")[0]
        value, uncertainty, replicates = _estimate(executed, protocol or "")
    except (KeyError, TypeError, AttributeError, ValueError) as e:
        raise ResultFileError(f"{source}: a unit result in the file cannot be read ({e})", source=source) from e
    transformation = root.get("transformation_key")
    ends = replace(ends, transformation=str(transformation) if transformation else None)
    return ResultFile(
        source=source,
        format="protocol_dag_result",
        results=(whole_result("all", value, uncertainty, records, replicates),),
        ends=content_of(by_key, ends, source, pool),
        protocol_qualname=protocol,
        on_gpu=False,
    )


def _estimate(executed: Sequence[Mapping[str, Any]], protocol: str) -> LegsEstimate:
    """Return the estimate if each repeat has one unit with a number, of one leg or of those of `LEGS`."""
    repeats: dict[str, tuple[int | None, float, float | None]] = {}
    legs: dict[str, list[Mapping[str, Any]]] = {}
    for fields in executed:
        outputs = fields.get("outputs")
        if fields.get("exception") is not None or not isinstance(outputs, Mapping) or "unit_estimate" not in outputs:
            continue
        if "simtype" in outputs:
            legs.setdefault(str(outputs["simtype"]), []).append(fields)
            continue
        repeat = read_unit(fields)
        value = energy_kcal_mol(outputs["unit_estimate"])
        if repeat.repeat in repeats or value is None:
            return LegsEstimate(None, None)
        stated = energy_kcal_mol(outputs.get("unit_estimate_error"))
        repeats[repeat.repeat] = repeat_number(repeat.name), value, stated
    return legs_estimate(protocol, legs) if legs else _of_one_leg(list(repeats.values()))


def _of_one_leg(repeats: Sequence[tuple[int | None, float, float | None]]) -> LegsEstimate:
    """Return the mean of numbered values with uncertainties, as in openfe."""
    values = [value for _, value, _ in repeats]
    if len(values) < 2:
        return LegsEstimate(*(repeats[0][1:] if repeats else (None, None)))
    of_number = {number: (value, stated) for number, value, stated in repeats}
    replicates = tuple(of_number[number] for number in paired_repeats([[number for number, *_ in repeats]]))
    return LegsEstimate(statistics.fmean(values), statistics.stdev(values), replicates)
