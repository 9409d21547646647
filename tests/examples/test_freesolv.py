"""The example network: its content, and experimental values equal to FreeSolv's."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from alchemiscale_lake import gufe_adapter as adapter
from alchemiscale_lake.importing.assays import import_assays
from alchemiscale_lake.store import Lake

pytest.importorskip("gufe", reason="gufe is not installed")
pytest.importorskip("openmm", reason="the chemistry extra is not installed")

SCRIPT = Path(__file__).parents[2] / "examples" / "freesolv_network.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("freesolv_network", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def network(example: ModuleType) -> Any:
    return example.build_network(sampling_time_ps=20.0)


def test_network_has_cycles_through_every_molecule(example: ModuleType, network: Any) -> None:
    names = {measured.ligand for measured in example.read_measurements()}
    degree = {name: sum(name in pair for pair in example.EDGES) for name in names}

    assert (len(network.nodes), len(network.edges)) == (10, 14)
    assert {name for pair in example.EDGES for name in pair} == names
    assert min(degree.values()) >= 2
    assert {edge.name for edge in network.edges} == {f"rhfe_{a}_{b}" for a, b in example.EDGES}


def test_ligands_are_the_molecules_that_were_measured(example: ModuleType, network: Any) -> None:
    from rdkit import Chem

    ligands = {system.components["ligand"].name: system.components["ligand"] for system in network.nodes}

    for measured in example.read_measurements():
        molecule = Chem.RemoveHs(ligands[measured.ligand].to_rdkit())
        assert Chem.MolToSmiles(molecule) == Chem.CanonSmiles(measured.smiles)


def test_measurements_are_complete_and_named(example: ModuleType) -> None:
    measurements = example.read_measurements()

    values = [measured.value_kcal_mol for measured in measurements]
    assert (min(values), max(values)) == (-9.71, 2.00)
    assert all(measured.uncertainty_kcal_mol > 0 for measured in measurements)
    assert all(measured.freesolv_id.startswith("mobley_") for measured in measurements)
    assert all("doi:10.1007/s10822-014-9747-x" in measured.source for measured in measurements)


def test_measurements_go_into_a_lake_as_they_are(example: ModuleType, tmp_path: Path) -> None:
    lake = Lake.create(str(tmp_path / "lake"))

    assert import_assays(lake, example.MEASUREMENTS, "org-campaign-freesolv", "hydration") == 10


def test_command_writes_the_same_keyed_chain_every_time(tmp_path: Path) -> None:
    files = [tmp_path / "first.json", tmp_path / "second.json"]
    for file in files:
        done = subprocess.run(
            [sys.executable, str(SCRIPT), "-o", str(file), "--sampling-time-ps", "50"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"wrote {file} (10 molecules, 14 edges)" in done.stdout

    assert files[0].read_bytes() == files[1].read_bytes()
    chain = json.loads(files[0].read_text())
    assert chain[-1][0].startswith("AlchemicalNetwork-")
    (protocol,) = (keyed for key, keyed in chain if key.startswith("HydrationProtocol-"))
    assert protocol["settings"]["sampling_time_ps"] == 50.0
    assert len(adapter.load_object(files[0]).edges) == 14
