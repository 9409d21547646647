"""Results of Protocols as keyed-chain JSON, the output of `to_json` of gufe's ProtocolResults.

Their `data` is that of a file of `openfe quickrun`, without its estimate: the estimate is the mean over repeats if
each repeat is a result, and otherwise computed from the legs in `leg_estimates`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ResultFileError
from .chain import ChainObject, closure, reference
from .imported import Content, Ends, ResultFile, read_unit
from .nested import ObjectPool
from .quickrun import counted_repeats, ends_of_units, legs_in, per_repeat, whole_result

__all__ = ["content_of", "is_protocol_result", "read_protocol_result", "resolved"]


def is_protocol_result(root: Mapping[str, Any]) -> bool:
    """Return whether the last object of a chain is the result of a Protocol."""
    return isinstance(root.get("data"), Mapping) and "n_protocol_dag_results" in root


def read_protocol_result(objects: Sequence[ChainObject], source: str, pool: ObjectPool) -> ResultFile:
    """Read the keyed chain of a ProtocolResult.

    Parameters
    ----------
    objects : sequence of ChainObject
        The last one is the ProtocolResult.
    source : str
        Path of the file, for messages.
    pool : ObjectPool
        Receives the objects of the result.

    Raises
    ------
    ResultFileError
        If a unit in it cannot be read.
    """
    by_key = {obj.key: obj for obj in objects}
    root = objects[-1].keyed_dict
    protocol = str(root.get("__qualname__", "")).removesuffix("Result")
    executed = [obj.keyed_dict for obj in objects if "source_key" in obj.keyed_dict and "outputs" in obj.keyed_dict]
    try:
        data = resolved(root["data"], by_key)
        records = tuple(read_unit(fields) for fields in executed)
        repeats = counted_repeats(data)
        if repeats:
            results = tuple(per_repeat(repeats, records, {}))
        else:
            found = legs_in(data, protocol)
            numbers = found.estimate_kcal_mol, found.uncertainty_kcal_mol
            results = (whole_result("all", *numbers, records, found.replicates),)
    except (KeyError, TypeError, AttributeError, ValueError) as e:
        raise ResultFileError(f"{source}: a unit result in it cannot be read ({e})", source=source) from e
    ends = ends_of_units(iter(executed))
    return ResultFile(
        source=source,
        format="protocol_result",
        results=results,
        ends=content_of(by_key, ends, source, pool),
        protocol_qualname=protocol or None,
        on_gpu=False,
    )


def content_of(by_key: Mapping[str, ChainObject], ends: Ends, source: str, pool: ObjectPool) -> Ends:
    """Add the objects of a result to the pool, if the chain contains all of them.

    Parameters
    ----------
    by_key : mapping of str to ChainObject
        Objects of the file by gufe key.
    ends : Ends
        What the file says of its Transformation.
    source : str
        Name of the file, for the message.
    pool : ObjectPool
        Objects of all files.
    """
    keys = [key for key in (ends.state_a, ends.state_b, ends.protocol, *ends.mappings) if key is not None]
    if ends.state_a is None or ends.protocol is None or not all(key in by_key for key in keys):
        return ends
    for obj in closure(by_key, keys, source):
        pool.take(obj)
    return Ends(
        transformation=ends.transformation,
        state_a=ends.state_a,
        state_b=ends.state_b,
        protocol=ends.protocol,
        mappings=ends.mappings,
        ligands=ends.ligands,
        content=Content(ends.state_a, ends.state_b, ends.protocol, ends.mappings),
    )


def resolved(value: Any, by_key: Mapping[str, ChainObject]) -> Any:
    """Replace references to units by the units.

    Parameters
    ----------
    value : object
        Part of a keyed dict.
    by_key : mapping of str to ChainObject
        Objects of the chain.
    """
    key = reference(value)
    if key is not None:
        return by_key[key].keyed_dict
    if isinstance(value, Mapping):
        return {name: resolved(item, by_key) for name, item in value.items()}
    return [resolved(item, by_key) for item in value] if isinstance(value, list) else value
