"""Chains of ProtocolResults: numbers as openfe computes them, without openfe."""

from __future__ import annotations

import json
import statistics
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
    # openfe's own mean; the scatter of pairs is close to its uncertainty, 1.04
    values = [value for value, _ in result.replicates]
    assert statistics.fmean(values) == pytest.approx(-19.741319, abs=1e-6)
    assert statistics.stdev(values) == pytest.approx(1.0, abs=0.5)
    assert all(stated is not None and stated > 0 for _, stated in result.replicates)


def unit(value: float, number: int = 0, **corrections: float) -> dict[str, Any]:
    """A unit with the estimate of a repeat; corrections by the end of their names."""
    named = {f"standard_state_correction{end}": kcal(of) for end, of in corrections.items()}
    outputs = {"unit_estimate": kcal(value), "unit_estimate_error": kcal(0.5), **named}
    return {"name": f"Analysis: leg, repeat {number} generation 0", "outputs": outputs}


@pytest.mark.parametrize(
    ("protocol", "legs", "value"),
    [
        ("AbsoluteBindingProtocol", {"solvent": [unit(10)], "complex": [unit(30, **{"": -9})]}, -11),
        ("AbsoluteSolvationProtocol", {"vacuum": [unit(1)], "solvent": [unit(4)]}, -3),
        (
            "SepTopProtocol",
            {"complex": [unit(20, _A=-8, _B=9)], "solvent": [unit(5, **{"": -2})]},
            18,
        ),
        ("SepTopProtocol", {"complex": [unit(20)]}, None),
        ("OtherProtocol", {"complex": [unit(20)]}, None),
    ],
)
def test_legs_have_signs_and_corrections(protocol: str, legs: dict[str, Any], value: float | None) -> None:
    found = legs_estimate(protocol, legs)

    assert found.estimate_kcal_mol == value
    assert found.uncertainty_kcal_mol == (None if value is None else pytest.approx(0.5**0.5))
    assert found.replicates == ()


def test_repeats_of_legs_are_paired_by_number_whatever_their_order() -> None:
    legs = {"vacuum": [unit(1, 0), unit(2, 1), unit(3, 2)], "solvent": [unit(6, 2), unit(4, 0), unit(5, 1)]}

    found = legs_estimate("AbsoluteSolvationProtocol", legs)

    assert found[:2] == (-3, pytest.approx(2**0.5))
    assert found.replicates == tuple((-3, pytest.approx(0.5**0.5)) for _ in range(3))


@pytest.mark.parametrize("solvent", [[unit(4)], [unit(3, 0), unit(5, 3), unit(4, 2)], [unit(3, 0), unit(5, 0)]])
def test_legs_of_different_repeats_are_one_result(solvent: list[dict[str, Any]]) -> None:
    found = legs_estimate(
        "AbsoluteSolvationProtocol", {"vacuum": [unit(k + 1, k) for k in range(3)], "solvent": solvent}
    )

    values = [one["outputs"]["unit_estimate"]["magnitude"] for one in solvent]
    of_solvent = statistics.variance(values) if len(values) > 1 else 0.25
    assert found[:2] == (-2, pytest.approx((1 + of_solvent) ** 0.5))
    assert found.replicates == ()


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
