"""Chains of ProtocolResults: numbers as openfe computes them, without openfe."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest

from alchemiscale_lake.errors import ResultFileError
from alchemiscale_lake.networks.imported import ResultFile
from alchemiscale_lake.networks.nested import ObjectPool
from alchemiscale_lake.networks.result_files import find_result_files, read_raw, read_result_file
from tests.quickrun_files import QuickrunNetwork, Repeat
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
