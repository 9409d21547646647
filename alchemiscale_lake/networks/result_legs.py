"""Legs of a stored result of a Protocol that runs several: each repeat, read without gufe.

A result is a file of `openfe quickrun`, or the keyed chain of a ProtocolDAGResult or of a ProtocolResult. Which results
a network has, and their ligands, is known to `estimates.leg_results`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .. import content
from ..errors import ResultFileError
from .chain import index_chain, parse_chain, reference
from .leg_estimates import LegRow, leg_rows
from .protocol_results import is_protocol_result, resolved
from .quickrun import units_in

__all__ = ["legs_of_result"]


def legs_of_result(data: bytes, source: str) -> list[LegRow]:
    """Return the legs of a result.

    Parameters
    ----------
    data : bytes
        Content of the file, or the ProtocolDAGResult as stored in a lake.
    source : str
        Its name, for messages.

    Returns
    -------
    list of LegRow
        Empty if its units do not say which leg they belong to.

    Raises
    ------
    ResultFileError
        If it has another form, or an energy in it cannot be read.
    ContentError, InvalidNetworkError
        If it is not the JSON of a result.
    """
    legs: dict[str, list[Mapping[str, Any]]] = {}
    try:
        for unit in _units(content.decode_text(data, source), source):
            outputs = unit.get("outputs")
            if unit.get("exception") is None and isinstance(outputs, Mapping) and "unit_estimate" in outputs:
                legs.setdefault(str(outputs.get("simtype") or ""), []).append(unit)
        legs.pop("", None)
        return leg_rows(legs)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as e:
        raise ResultFileError(
            f"{source}: the legs of this result cannot be read ({type(e).__name__}: {e}); see its numbers with "
            "`alchemiscale-lake gather --report raw`",
            source=source,
        ) from e


def _units(text: str, source: str) -> Iterator[Mapping[str, Any]]:
    """Yield the units that count: nested in files of openfe and in ProtocolResults, else all."""
    if text.lstrip()[:1] != "[":
        yield from units_in(content.parse_json(text, source)["protocol_result"]["data"])
        return
    objects = parse_chain(text, source)
    by_key = index_chain(objects, source)
    root = objects[-1].keyed_dict
    if is_protocol_result(root):
        yield from units_in(resolved(root["data"], by_key))
    else:
        yield from (by_key[str(reference(value))].keyed_dict for value in root["protocol_unit_results"])
