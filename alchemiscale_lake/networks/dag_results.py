"""ProtocolDAGResults as keyed-chain JSON, read without gufe as far as possible.

This is the format that alchemiscale stores and gufe's `to_json` writes. Each is one result. Its estimate is read if
each repeat has a single unit with a `unit_estimate` (openfe's relative Protocols): the mean over repeats, with the
standard deviation of several, or the one unit's own uncertainty, as in openfe's `gather`. All others need their
Protocol, which is handled in `ledger.imports`.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import InvalidNetworkError, ResultFileError
from .chain import closure, index_chain, parse_chain, reference
from .imported import Content, ResultFile, energy_kcal_mol, read_unit
from .nested import ObjectPool
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
    if not isinstance(root.get("protocol_unit_results"), list):
        raise ResultFileError(
            f"{source}: a keyed chain, but its last object is no ProtocolDAGResult; networks go to "
            "`alchemiscale-lake submit`",
            source=source,
        )
    executed = [by_key[str(reference(value))].keyed_dict for value in root["protocol_unit_results"]]
    try:
        records = tuple(read_unit(fields) for fields in executed)
        value, uncertainty = _estimate(executed)
    except (KeyError, TypeError, AttributeError, ValueError) as e:
        raise ResultFileError(f"{source}: a unit result in it cannot be read ({e})", source=source) from e
    ends = ends_of_units(iter(executed))
    transformation = root.get("transformation_key")
    keys = [key for key in (ends.state_a, ends.state_b, ends.protocol, *ends.mappings) if key is not None]
    content = None
    if ends.state_a is not None and ends.protocol is not None and all(key in by_key for key in keys):
        content = Content(ends.state_a, ends.state_b, ends.protocol, ends.mappings)
        for obj in closure(by_key, keys, source):
            pool.take(obj)
    result = whole_result("all", value, uncertainty, records)
    return ResultFile(
        source=source,
        format="protocol_dag_result",
        results=(result,),
        ends=replace(ends, transformation=str(transformation) if transformation else None, content=content),
        protocol_qualname=None if ends.protocol is None else ends.protocol.partition("-")[0],
        on_gpu=False,
    )


def _estimate(executed: Sequence[Mapping[str, Any]]) -> tuple[float | None, float | None]:
    """Return value and uncertainty if every repeat has one unit with a number and there is one leg."""
    numbers: dict[str, tuple[float, float | None]] = {}
    for fields in executed:
        outputs = fields.get("outputs")
        if fields.get("exception") is not None or not isinstance(outputs, Mapping) or "unit_estimate" not in outputs:
            continue
        repeat = read_unit(fields).repeat
        value = energy_kcal_mol(outputs["unit_estimate"])
        if "simtype" in outputs or repeat in numbers or value is None:
            return None, None
        numbers[repeat] = value, energy_kcal_mol(outputs.get("unit_estimate_error"))
    if not numbers:
        return None, None
    values = [value for value, _ in numbers.values()]
    if len(values) == 1:
        return next(iter(numbers.values()))
    return statistics.fmean(values), statistics.stdev(values)
