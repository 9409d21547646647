"""HydrationProtocol as seen by gufe: its units, their outputs, repeats, extensions, rejections."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from alchemiscale_lake import gufe_adapter as adapter
from alchemiscale_lake.errors import EstimationError, ExecutionError
from alchemiscale_lake.units import kcal_mol

gufe = pytest.importorskip("gufe", reason="gufe is not installed")
pytest.importorskip("openmm", reason="the chemistry extra is not installed")

from alchemiscale_lake.protocols import _implicit_solvent as implicit  # noqa: E402
from alchemiscale_lake.protocols.hydration import (  # noqa: E402
    HydrationProtocol,
    HydrationProtocolResult,
    HydrationSettings,
)
from tests.contracts.protocol_contract import FOLDERS, ProtocolContract, run_dag  # noqa: E402

QUICK = {"sampling_time_ps": 40.0, "save_interval_ps": 0.4, "equilibration_time_ps": 2.0, "checkpoint_interval_ps": 8.0}
SMILES = {"methane": "C", "methanol": "CO", "ethane": "CC"}
SAMPLERS = ["sample-A-solvent", "sample-A-vacuum", "sample-B-solvent", "sample-B-vacuum"]


def ligand(name: str, smiles: str | None = None) -> Any:
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom

    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles or SMILES[name]))
    rdDistGeom.EmbedMolecule(molecule, randomSeed=1)
    return gufe.SmallMoleculeComponent.from_rdkit(molecule, name=name)


def in_water(component: Any) -> Any:
    return gufe.ChemicalSystem({"ligand": component, "solvent": gufe.SolventComponent()})


def edge(a: str, b: str, **settings: Any) -> Any:
    return gufe.Transformation(
        stateA=in_water(ligand(a)),
        stateB=in_water(ligand(b)),
        mapping=None,
        protocol=HydrationProtocol.with_settings(**{**QUICK, **settings}),
        name=f"{a}_{b}",
    )


def run_unit(unit: Any, folder: Path, results: dict[str, Any]) -> Any:
    """Run a unit in its own directories."""
    folders = {word: folder / str(unit.key) / word for word in FOLDERS}
    for path in folders.values():
        path.mkdir(parents=True, exist_ok=True)
    result = adapter.execute_unit(unit, results=results, **folders)
    assert adapter.unit_ok(result), adapter.unit_exception(result)
    return result


def outputs(dag_result: Any, name: str) -> dict[str, Any]:
    (found,) = (r.outputs for r in dag_result.protocol_unit_results if r.name == name)
    return dict(found)


class TestHydrationContract(ProtocolContract):
    module = "alchemiscale_lake.protocols.hydration"

    def transformation(self) -> Any:
        return edge("methane", "methanol", sampling_time_ps=8.0)

    def failing_transformation(self) -> Any:
        return edge("methane", "methanol", force_field="none-of-this-name.offxml")


# --- the number -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[Any, Any]]:
    """Return Transformation and ProtocolDAGResult of a cycle of three edges, and of one of them reversed."""
    folder = tmp_path_factory.mktemp("results")
    pairs = [("methane", "methanol"), ("methanol", "ethane"), ("ethane", "methane"), ("methanol", "methane")]
    edges = {pair: edge(*pair, seed=1) for pair in pairs}  # so that 3 sigma is not a matter of the day
    return {pair: (transformation, run_dag(transformation, folder)) for pair, transformation in edges.items()}


def test_one_setup_four_samplers_one_analysis() -> None:
    dag = adapter.create_protocol_dag(edge("methane", "methanol"))

    units = adapter.units_in_order(dag)

    assert [unit.name for unit in units] == ["setup", *SAMPLERS, "analyse"]
    keys = {unit.name: str(unit.key) for unit in units}
    needs = adapter.unit_dependencies(dag)
    assert all(needs[keys[name]] == [keys["setup"]] for name in SAMPLERS)
    assert sorted(needs[keys["analyse"]]) == sorted(keys[name] for name in SAMPLERS)


def test_estimate_is_the_difference_of_two_hydration_free_energies(
    results: dict[tuple[str, str], tuple[Any, Any]],
) -> None:
    transformation, dag_result = results["methane", "methanol"]

    estimate = adapter.estimate(transformation, [dag_result])
    analysis = outputs(dag_result, "analyse")

    assert estimate.value_kcal_mol == pytest.approx(analysis["B"]["dg_kcal_mol"] - analysis["A"]["dg_kcal_mol"])
    assert estimate.uncertainty_kcal_mol == pytest.approx(
        math.hypot(analysis["A"]["uncertainty_kcal_mol"], analysis["B"]["uncertainty_kcal_mol"])
    )
    # methane prefers gas, methanol water, each within the model's error of experiment
    assert analysis["A"]["dg_kcal_mol"] == pytest.approx(2.00, abs=0.6)
    assert analysis["B"]["dg_kcal_mol"] == pytest.approx(-5.10, abs=0.8)
    for label in "AB":
        assert 0.8 < analysis[label]["overlap"] <= 1.0
        assert 10 < analysis[label]["n_effective_vacuum"] <= 100
        assert 10 < analysis[label]["n_effective_solvent"] <= 100


def test_back_is_minus_forth(results: dict[tuple[str, str], tuple[Any, Any]]) -> None:
    forth, back = (
        adapter.estimate(t, [r]) for t, r in (results["methane", "methanol"], results["methanol", "methane"])
    )

    total = forth.value_kcal_mol + back.value_kcal_mol

    assert total != 0.0  # two calculations, not one read twice
    assert abs(total) < 3 * math.hypot(forth.uncertainty_kcal_mol, back.uncertainty_kcal_mol)


def test_cycle_closes(results: dict[tuple[str, str], tuple[Any, Any]]) -> None:
    cycle = [("methane", "methanol"), ("methanol", "ethane"), ("ethane", "methane")]

    estimates = [adapter.estimate(transformation, [r]) for transformation, r in (results[pair] for pair in cycle)]

    closure = sum(e.value_kcal_mol for e in estimates)
    assert abs(closure) < 3 * math.hypot(*(e.uncertainty_kcal_mol for e in estimates))


def test_outputs_are_plain_and_point_to_absolute_paths(results: dict[tuple[str, str], tuple[Any, Any]]) -> None:
    _, dag_result = results["methane", "methanol"]

    setup, sample = outputs(dag_result, "setup"), outputs(dag_result, "sample-B-solvent")

    assert Path(setup["B"]["system"]).is_absolute()
    assert (setup["A"]["name"], setup["B"]["name"], setup["B"]["n_atoms"]) == ("methane", "methanol", 6)
    assert len(sample["solvation_kj_mol"]) == 100
    assert len(sample["end_positions_nm"]) == 6
    assert (sample["ligand"], sample["phase"], sample["n_resumed_frames"]) == ("B", "solvent", 0)


# --- repeats ----------------------------------------------------------------------------------


def test_repeats_are_independent_and_average(tmp_path: Path) -> None:
    transformation = edge("methane", "methanol", sampling_time_ps=8.0)
    first, second = (run_dag(transformation, tmp_path / name) for name in ("first", "second"))

    one, other = (adapter.estimate(transformation, [r]) for r in (first, second))
    both = adapter.estimate(transformation, [first, second])

    assert one.value_kcal_mol != other.value_kcal_mol
    for name in SAMPLERS:
        assert outputs(first, name)["solvation_kj_mol"] != outputs(second, name)["solvation_kj_mol"]
    assert both.value_kcal_mol == pytest.approx((one.value_kcal_mol + other.value_kcal_mol) / 2)
    within = math.hypot(one.uncertainty_kcal_mol, other.uncertainty_kcal_mol) / 2
    scatter = abs(one.value_kcal_mol - other.value_kcal_mol) / 2
    assert both.uncertainty_kcal_mol == pytest.approx(max(within, scatter))


@pytest.mark.parametrize(
    ("estimates", "uncertainties", "expected"),
    [
        ([1.0], [0.2], 0.2),
        ([1.0, 1.0], [0.3, 0.4], 0.25),  # BAR decides
        ([1.0, 3.0], [0.1, 0.1], 1.0),  # the scatter decides
    ],
)
def test_uncertainty_of_repeats(estimates: list[float], uncertainties: list[float], expected: float) -> None:
    gathered = HydrationProtocolResult(
        n_protocol_dag_results=len(estimates),
        estimates_kcal_mol=estimates,
        uncertainties_kcal_mol=uncertainties,
        ligands=[],
    )

    assert kcal_mol(gathered.get_uncertainty()) == pytest.approx(expected)


def seeds(transformation: Any, extends: Any = None) -> dict[str, int]:
    dag = adapter.create_protocol_dag(transformation, extends=extends)
    return {unit.name: unit.inputs["seed"] for unit in adapter.units_in_order(dag) if unit.name in SAMPLERS}


def test_seed_makes_repeats_alike_and_nothing_else() -> None:
    fixed = edge("methane", "methanol", seed=5)

    drawn = [seeds(fixed), seeds(edge("methane", "ethane", seed=5)), seeds(edge("methane", "methanol", seed=6))]
    fresh = [seeds(edge("methane", "methanol")) for _ in range(3)]

    assert seeds(fixed) == drawn[0]
    everything = [seed for one in (*drawn, *fresh) for seed in one.values()]
    assert len(set(everything)) == len(everything)
    assert all(0 < seed < 2**31 for seed in everything)


def test_fixed_seed_gives_the_same_numbers(tmp_path: Path) -> None:
    fixed = edge("methane", "ethane", seed=5, sampling_time_ps=8.0)

    first, second = run_dag(fixed, tmp_path / "first"), run_dag(fixed, tmp_path / "second")

    assert outputs(first, "analyse") == outputs(second, "analyse")


def test_extension_starts_where_the_earlier_sampling_ended(
    results: dict[tuple[str, str], tuple[Any, Any]], tmp_path: Path
) -> None:
    transformation, earlier = results["methane", "methanol"]

    extension = run_dag(transformation, tmp_path, extends=earlier)

    for name in SAMPLERS:
        (unit,) = (u for u in extension.protocol_units if u.name == name)
        assert unit.inputs["start"]["positions_nm"] == outputs(earlier, name)["end_positions_nm"]
        assert outputs(extension, name)["generation"] == 1
    gathered = transformation.gather([earlier, extension])
    assert len(gathered.data["estimates_kcal_mol"]) == 2


def test_fixed_seed_does_not_repeat_itself_in_an_extension(
    results: dict[tuple[str, str], tuple[Any, Any]],
) -> None:
    fixed = edge("methane", "methanol", seed=5)

    first, second = seeds(fixed), seeds(fixed, extends=results["methane", "methanol"][1])

    assert not set(first.values()) & set(second.values())


# --- kill and continue ------------------------------------------------------------------------


def test_sampling_unit_stopped_half_way_continues_in_its_shared_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dag = adapter.create_protocol_dag(edge("methane", "methanol"))
    setup, *others = adapter.units_in_order(dag)
    done = {str(setup.key): run_unit(setup, tmp_path, {})}
    (sampler,) = (unit for unit in others if unit.name == "sample-B-solvent")
    save, saves = implicit._save, itertools.count(1)

    def save_then_stop(*args: Any) -> None:
        save(*args)
        if next(saves) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(implicit, "_save", save_then_stop)
        with pytest.raises(KeyboardInterrupt):
            run_unit(sampler, tmp_path / "stopped", done)
    continued = run_unit(sampler, tmp_path / "stopped", done)
    whole = run_unit(sampler, tmp_path / "whole", done)

    assert continued.outputs["n_resumed_frames"] == 60
    assert whole.outputs["n_resumed_frames"] == 0
    assert continued.outputs["solvation_kj_mol"] == whole.outputs["solvation_kj_mol"]
    assert continued.outputs["end_positions_nm"] == whole.outputs["end_positions_nm"]


def test_sampling_unit_whose_state_is_broken_starts_clean(tmp_path: Path) -> None:
    dag = adapter.create_protocol_dag(edge("methane", "methanol", sampling_time_ps=8.0))
    setup, *others = adapter.units_in_order(dag)
    done = {str(setup.key): run_unit(setup, tmp_path, {})}
    (sampler,) = (unit for unit in others if unit.name == "sample-B-vacuum")
    shared = tmp_path / str(sampler.key) / "shared"
    shared.mkdir(parents=True)
    (shared / "B-vacuum.checkpoint").write_bytes(b"cut sho")

    result = run_unit(sampler, tmp_path, done)

    assert result.outputs["n_resumed_frames"] == 0
    assert len(result.outputs["solvation_kj_mol"]) == 20


def test_dag_runs_in_one_shared_directory(tmp_path: Path) -> None:
    """gufe 0.4's own executor gives all units the same one."""
    transformation = edge("methane", "methanol", sampling_time_ps=8.0)
    dag = adapter.create_protocol_dag(transformation)
    folders = {word: tmp_path / word for word in FOLDERS}
    for path in folders.values():
        path.mkdir()
    done: dict[str, Any] = {}

    for unit in adapter.units_in_order(dag):
        done[str(unit.key)] = adapter.execute_unit(unit, results=done, **folders)

    assert all(adapter.unit_ok(result) for result in done.values())
    assert len(list(folders["shared"].glob("*.checkpoint"))) == 4


# --- refusals ---------------------------------------------------------------------------------


def octanol() -> Any:
    return gufe.SolventComponent(smiles="CCCCCCCCO", neutralize=False)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gufe.ChemicalSystem({"solvent": gufe.SolventComponent()}), "exactly one SmallMoleculeComponent"),
        (lambda: gufe.ChemicalSystem({"ligand": ligand("methane")}), "one SolventComponent"),
        (
            lambda: gufe.ChemicalSystem(
                {"a": ligand("methane"), "b": ligand("ethane"), "solvent": gufe.SolventComponent()}
            ),
            "exactly one SmallMoleculeComponent",
        ),
        (lambda: in_water(ligand("acetate", "CC(=O)[O-]")), "'acetate' has charge -1"),
        (lambda: gufe.ChemicalSystem({"ligand": ligand("methane"), "solvent": octanol()}), "OBC2 is a model of water"),
        (lambda: in_water(ligand("bromomethane", "CBr")), "'bromomethane' contains Br, for which OBC2 has no radius"),
        (lambda: in_water(ligand("methanol")), "same ligand 'methanol'"),
    ],
)
def test_systems_that_cannot_be_hydrated_are_refused(make: Any, message: str) -> None:
    protocol = HydrationProtocol(HydrationProtocol.default_settings())

    with pytest.raises(ExecutionError, match=message):
        protocol.create(stateA=in_water(ligand("methanol")), stateB=make(), mapping=None)


def test_unfinished_result_is_neither_gathered_nor_extended(
    results: dict[tuple[str, str], tuple[Any, Any]],
) -> None:
    transformation, complete = results["methane", "methanol"]
    units = [r for r in complete.protocol_unit_results if r.name == "setup"]
    unfinished = adapter.build_dag_result(complete, units, transformation)

    with pytest.raises(EstimationError, match="complete result"):
        transformation.protocol.gather([complete, unfinished])
    with pytest.raises(ExecutionError, match="no finished unit 'sample-A-vacuum'"):
        adapter.create_protocol_dag(transformation, extends=unfinished)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampling_time_ps": 5.0}, "fewer than 20 frames"),
        ({"save_interval_ps": 0.001}, "shorter than one timestep"),
        ({"timestep_fs": 8.0}, "timestep_fs"),
        ({"platform": "Abacus"}, "platform"),
        ({"sampling_steps": 5}, "sampling_steps"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HydrationSettings(**changes)


def test_import_loads_neither_toolkits_nor_estimators() -> None:
    script = (
        "import sys, alchemiscale_lake.protocols.hydration\n"
        "print([m for m in ('pymbar', 'openff.interchange', 'scipy.stats') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
