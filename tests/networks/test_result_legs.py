"""Legs in the stored forms of results, without gufe."""

from __future__ import annotations

import json
from typing import Any

import pytest

from alchemiscale_lake.errors import ResultFileError
from alchemiscale_lake.networks.result_legs import legs_of_result
from tests.networks.leg_results import unit


def executed(leg: str, value: float, number: int, **more: Any) -> dict[str, Any]:
    fields = unit(value, number) | {"source_key": f"Unit-{leg}{number}"} | more
    fields["outputs"]["simtype"] = leg
    return fields


def chain(units: list[dict[str, Any]]) -> bytes:
    """A ProtocolDAGResult, as gufe writes it."""
    keyed = {f"ProtocolUnitResult-{k}": one | {"__qualname__": "ProtocolUnitResult"} for k, one in enumerate(units)}
    root = {"protocol_unit_results": [{":gufe-key:": key} for key in keyed], "__qualname__": "ProtocolDAGResult"}
    return json.dumps([*keyed.items(), ("ProtocolDAGResult-1", root)]).encode()


def test_a_dag_result_has_the_legs_of_its_good_units() -> None:
    units = [
        executed("solvent", 4, 1),
        executed("solvent", 3, 0),
        executed("vacuum", 1, 0),
        executed("vacuum", 9, 1, exception=["ValueError", ["no"]]),
    ]

    found = legs_of_result(chain(units), "result")

    assert [tuple(row) for row in found] == [("solvent", 3, 0.5), ("solvent", 4, 0.5), ("vacuum", 1, 0.5)]


def test_a_file_of_openfe_has_the_units_that_count() -> None:
    data = {"solvent": {"1": [executed("solvent", 4, 0)]}, "vacuum": {"2": [executed("vacuum", 1, 0)]}}

    found = legs_of_result(json.dumps({"protocol_result": {"data": data}}).encode(), "file")

    assert [tuple(row) for row in found] == [("solvent", 4, 0.5), ("vacuum", 1, 0.5)]


def test_units_without_a_leg_have_none_and_other_content_is_refused() -> None:
    assert legs_of_result(chain([unit(1) | {"source_key": "Unit-1"}]), "result") == []
    with pytest.raises(ResultFileError, match="other: the legs of this result cannot be read"):
        legs_of_result(b'{"estimate": 1}', "other")
