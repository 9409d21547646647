from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.estimators.cost.features import FEATURES, STRINGS, complete_rows, derive, solvated_atoms
from alchemiscale_lake.estimators.errors import EstimatorInputError
from tests.real_data import real_file


def _derive(**columns: float | str):  # type: ignore[no-untyped-def]
    return derive({name: np.array([value]) for name, value in columns.items()})


def test_what_is_unknown_is_nan() -> None:
    rows = complete_rows({"n_atoms": [1.0, 2.0]})

    assert set(rows) == {*FEATURES, *STRINGS}
    assert np.isnan(rows["simulated_ns"]).all()
    assert (rows["protocol"] == "").all()


def test_a_misspelt_feature_is_named() -> None:
    with pytest.raises(EstimatorInputError, match="did you mean 'n_windows'"):
        complete_rows({"n_window": [1.0]})


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(EstimatorInputError, match="unequal length"):
        complete_rows({"n_atoms": [1.0], "n_windows": [1.0, 2.0]})


def test_negative_numbers_are_refused_but_a_charge_has_a_sign() -> None:
    assert complete_rows({"charge_change": [-1.0]})["charge_change"][0] == -1.0
    with pytest.raises(EstimatorInputError, match="n_atoms is -1"):
        complete_rows({"n_atoms": [-1.0]})


def test_steps_are_of_all_windows_and_repeats() -> None:
    derived = _derive(simulated_ns=6.0, n_windows=11.0, n_repeats=3.0, timestep_fs=2.0)

    assert derived.steps[0] == 6e6 / 2 * 11 * 3


def test_hours_are_in_proportion_to_steps_and_follow_the_gpu() -> None:
    short, long = (_derive(n_atoms=5e4, simulated_ns=ns, n_windows=11.0, gpu_model="L40S") for ns in (100.0, 200.0))
    slow = _derive(n_atoms=5e4, simulated_ns=100.0, n_windows=11.0, gpu_model="Tesla T4")

    assert long.prior_log_hours[0] - short.prior_log_hours[0] == pytest.approx(np.log(2), abs=0.01)
    assert 3 < np.exp(slow.prior_log_hours[0] - short.prior_log_hours[0]) < 6


def test_given_atoms_are_taken_as_they_are() -> None:
    derived = _derive(n_atoms=12_345.0, n_solute_atoms=5_000.0)

    assert derived.n_atoms[0] == 12_345.0
    assert derived.atoms_known[0]


def test_a_ligand_alone_is_its_own_solute() -> None:
    assert 1_300 < _derive(n_ligand_atoms=40.0, is_solvent=1.0).n_atoms[0] < 2_500
    assert _derive(n_ligand_atoms=40.0, is_vacuum=1.0).n_atoms[0] == 40.0
    assert 1.5 * 20 < _derive(n_ligand_heavy_atoms=20.0, is_vacuum=1.0).n_atoms[0] < 3 * 20


def test_a_dodecahedron_holds_less() -> None:
    cube = _derive(n_solute_atoms=5_000.0, padding_nm=1.0, is_complex=1.0)
    dodecahedron = _derive(n_solute_atoms=5_000.0, padding_nm=1.0, box_volume_factor=0.7071, is_complex=1.0)

    assert dodecahedron.n_atoms[0] == pytest.approx(0.7071 * cube.n_atoms[0], rel=0.02)


def test_nothing_known_is_said() -> None:
    derived = _derive(protocol="P", gpu_model="cpu")

    assert derived.atoms_guessed[0]
    assert np.isnan(derived.steps[0])
    assert 0.001 < np.exp(derived.prior_log_hours[0]) < 0.1


def test_one_gpu_model_has_one_name_and_slices_their_own() -> None:
    names = ["NVIDIA A100-SXM4-80GB", "A100", "NVIDIA A100-SXM4-80GB MIG 1g.10gb", "NVIDIA  X4", "", "cpu"]

    pooled = derive({"gpu_model": np.array(names)}).gpu_model

    assert pooled.tolist() == ["A100", "A100", "A100 0.14 MIG", "NVIDIA X4", "unknown", "cpu"]


def test_solvated_atoms_of_published_systems() -> None:
    with real_file("openfe2024_l40s_throughput.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    solute = np.array([float(row["protein_pdb_atoms"]) + float(row["cofactor_atoms"]) for row in table])
    atoms = np.array([float(row["solvated_atoms_cube_1.2nm_noligand"]) for row in table])

    estimate = solvated_atoms(solute, np.full(len(solute), 1.2), np.ones(len(solute)))

    error = np.log(estimate / atoms)
    assert abs(np.median(error)) < 0.1
    assert np.median(np.abs(error)) < 0.25


def test_boxes_of_published_systems_hold_their_atoms() -> None:
    with real_file("openfe2024_l40s_throughput.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    solute, atoms, box_nm = (
        np.array([float(row[name]) for row in table])
        for name in ("protein_pdb_atoms", "solvated_atoms_cube_1.2nm_noligand", "box_nm")
    )

    estimate = solvated_atoms(solute, np.full(len(solute), 1.2), np.ones(len(solute)), box_nm - 1.2)

    np.testing.assert_allclose(estimate, atoms, rtol=0.03)


def test_a_box_is_twice_the_padding_wide_at_least() -> None:
    small, smaller = (_derive(n_solute_atoms=30.0, solute_diameter_nm=width, is_solvent=1.0) for width in (1.2, 0.8))
    wide = _derive(n_solute_atoms=30.0, solute_diameter_nm=2.4, is_solvent=1.0)

    assert small.n_atoms[0] == smaller.n_atoms[0] == pytest.approx(97 * 2.4**3, rel=0.01)
    assert wide.n_atoms[0] == pytest.approx(97 * 3.6**3, rel=0.01)
    assert small.atoms_known[0]


def test_plain_md_does_not_pay_for_a_hybrid_system() -> None:
    names = ["PlainMDProtocol", "MDProtocol", "RelativeHybridTopologyProtocol", "AbsoluteBindingProtocol"]
    rows = {"protocol": np.array(names), "gpu_model": np.array(["L40S"] * 4)}

    hours = np.exp(derive(rows | {"n_atoms": np.full(4, 48_992.0), "simulated_ns": np.full(4, 100.0)}).prior_log_hours)

    assert hours[0] == hours[1]
    assert hours[2] == hours[3]
    # github.com/OpenFreeEnergy/performance_benchmarks: 844 and 464 ns/day on an L40S
    assert hours[0] == pytest.approx(24 * 100 / 844, rel=0.15)
    assert hours[2] == pytest.approx(24 * 100 / 464, rel=0.15)


@given(st.floats(1, 1e5), st.floats(0, 3), st.floats(0.7, 1))
def test_solvent_only_adds(solute: float, padding_nm: float, factor: float) -> None:
    atoms = solvated_atoms(np.array([solute]), np.array([padding_nm]), np.array([factor]))

    assert atoms[0] >= solute
