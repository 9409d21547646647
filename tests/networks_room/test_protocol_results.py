"""Chains of ProtocolResults: numbers as openfe computes them, without openfe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from alchemiscale_lake.errors import ResultFileError
from alchemiscale_lake.networks.imported import ResultFile
from alchemiscale_lake.networks.leg_estimates import legs_estimate
from alchemiscale_lake.networks.nested import ObjectPool
from alchemiscale_lake.networks.result_files import find_result_files, read_raw, read_result_file
from tests.quickrun_files import QuickrunNetwork, Repeat, kcal
from tests.real_data import real_case


def read(path: Path, pool: ObjectPool | None = None) -> ResultFile:
    return read_result_file(read_raw(path), pool or ObjectPool())


def test_absolute_binding_is_solvent_minus_complex_and_standard_state() -> None:
    file = read(real_case("abfe_protocolresult_chain.json.gz"))

    (result,) = file.results
    assert (file.format, file.protocol_qualname) == ("protocol_result", "AbsoluteBindingProtocol")
    assert (result.estimate_kcal_mol, result.uncertainty_kcal_mol) == pytest.approx((-19.741319, 1.043624), abs=1e-6)
    assert file.ends.content is not None
    assert len(result.units) == 18


def outputs(value: float, **corrections: float) -> dict[str, Any]:
    """Outputs of a unit; corrections by the end of their names."""
    named = {f"standard_state_correction{end}": kcal(of) for end, of in corrections.items()}
    return {"unit_estimate": kcal(value), "unit_estimate_error": kcal(0.5), **named}


@pytest.mark.parametrize(
    ("protocol", "legs", "value"),
    [
        ("AbsoluteBindingProtocol", {"solvent": [outputs(10)], "complex": [outputs(30, **{"": -9})]}, -11),
        ("AbsoluteSolvationProtocol", {"vacuum": [outputs(1)], "solvent": [outputs(4)]}, -3),
        (
            "SepTopProtocol",
            {"complex": [outputs(20, _A=-8, _B=9)], "solvent": [outputs(5, **{"": -2})]},
            18,
        ),
        ("SepTopProtocol", {"complex": [outputs(20)]}, None),
        ("OtherProtocol", {"complex": [outputs(20)]}, None),
    ],
)
def test_legs_have_signs_and_corrections(protocol: str, legs: dict[str, Any], value: float | None) -> None:
    found, uncertainty = legs_estimate(protocol, legs)

    assert found == value
    assert uncertainty == (None if value is None else pytest.approx(0.5**0.5))


def test_repeats_of_legs_have_standard_deviations() -> None:
    legs = {"vacuum": [outputs(1), outputs(2), outputs(3)], "solvent": [outputs(4)]}

    assert legs_estimate("AbsoluteSolvationProtocol", legs) == (-2, pytest.approx(1.25**0.5))


def chain(folder: Path, repeats: list[Repeat]) -> Path:
    """A chain of a result of openfe's relative Protocol."""
    network = QuickrunNetwork([("ana", "bob")])
    whole = network.result("ana", "bob", "complex", repeats)
    network.transformation("ana", "bob", "complex")
    data = {
        label: [{":gufe-key:": unit["_key"]} for unit in units]
        for label, units in whole["protocol_result"]["data"].items()
    }
    root = whole["protocol_result"] | {"data": data}
    path = folder / "result.json"
    objects = [
        *network.objects.items(),
        *whole["unit_results"].items(),
        ("RelativeHybridTopologyProtocolResult-1", root),
    ]
    path.write_text(json.dumps(objects))
    return path


def test_repeats_of_a_relative_protocol_are_results(tmp_path: Path) -> None:
    path = chain(tmp_path, [(1.0, 0.1), (2.0, 0.2)])

    file = read(path)

    assert find_result_files([tmp_path]) == [path]
    assert [(r.estimate_kcal_mol, r.uncertainty_kcal_mol, len(r.units)) for r in file.results] == [
        (1.0, 0.1, 3),
        (2.0, 0.2, 3),
    ]
    assert file.ends.content is not None


def test_a_chain_of_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    QuickrunNetwork([("ana", "bob")]).write_network(path)

    with pytest.raises(ResultFileError, match="a keyed chain of AlchemicalNetwork, not of a ProtocolDAGResult"):
        read(path)
