"""The physics of HydrationProtocol compared with independent formulas, and kills while its state is saved."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alchemiscale_lake.errors import ExecutionError, SettingsError
from alchemiscale_lake.protocols import _implicit_solvent as implicit
from alchemiscale_lake.protocols._hydration_analysis import hydration_free_energy
from alchemiscale_lake.units import KCAL_PER_KJ, kt_kcal_mol
from tests.long import share

openmm = pytest.importorskip("openmm", reason="the chemistry extra is not installed")

TEMPERATURE_KELVIN = 298.15
KT = kt_kcal_mol(TEMPERATURE_KELVIN)
PLAN = implicit.SamplingPlan(
    temperature_kelvin=TEMPERATURE_KELVIN,
    timestep_fs=4.0,
    friction_per_ps=1.0,
    n_equilibration_steps=500,
    n_frames=40,
    steps_per_frame=50,
    frames_per_checkpoint=10,
    platform="Reference",
    seed=11,
)


def build(smiles: str) -> tuple[openmm.System, npt.NDArray[np.float64]]:
    from rdkit import Chem
    from rdkit.Chem import AllChem

    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(molecule, randomSeed=1)
    return implicit.hydration_system(
        molecule, force_field="openff-2.2.1.offxml", partial_charges="mmff94", hydrogen_mass_amu=3.0
    )


@pytest.fixture(scope="module")
def ethanol() -> tuple[str, npt.NDArray[np.float64]]:
    system, positions = build("CCO")
    positions = implicit.minimise(system, positions, phase="vacuum", platform="Reference")
    return openmm.XmlSerializer.serialize(system), positions


def obc2_kj_mol(system: openmm.System, positions_nm: npt.NDArray[np.float64]) -> float:
    """Compute generalised Born (OBC2) and surface energy, implemented from the papers with loops over atoms."""
    (force,) = (f for f in system.getForces() if isinstance(f, openmm.GBSAOBCForce))
    parameters = [force.getParticleParameters(i) for i in range(force.getNumParticles())]
    charge = np.array([q.value_in_unit(openmm.unit.elementary_charge) for q, _, _ in parameters])
    radius = np.array([r.value_in_unit(openmm.unit.nanometer) for _, r, _ in parameters])
    inner = radius - 0.009
    scaled = inner * np.array([s for _, _, s in parameters])
    distance = np.linalg.norm(positions_nm[:, None] - positions_nm[None], axis=-1)
    born = np.empty(len(charge))
    for i in range(len(charge)):
        integral = 0.0
        for j in range(len(charge)):
            r, s = distance[i, j], scaled[j]
            if i == j or inner[i] >= r + s:
                continue
            upper, lower = r + s, max(abs(r - s), inner[i])
            integral += 1 / lower - 1 / upper + 0.25 * (r - s**2 / r) * (1 / upper**2 - 1 / lower**2)
            integral += 0.5 * np.log(lower / upper) / r
            if inner[i] < s - r:
                integral += 2 * (1 / inner[i] - 1 / lower)
        psi = 0.5 * integral * inner[i]
        born[i] = 1 / (1 / inner[i] - np.tanh(psi - 0.8 * psi**2 + 4.85 * psi**3) / radius[i])
    products = np.outer(born, born)
    f_gb = np.sqrt(distance**2 + products * np.exp(-(distance**2) / (4 * products)))
    polar = -0.5 * 138.935456 * (1 / 1.0 - 1 / 78.5) * float(np.sum(np.outer(charge, charge) / f_gb))
    nonpolar = 4 * np.pi * 2.25936 * float(np.sum((radius + 0.14) ** 2 * (radius / born) ** 6))
    return polar + nonpolar


@pytest.mark.parametrize("smiles", ["C", "O", "CC(=O)N", "c1ccc(cc1)Cl"])
def test_solvation_energy_is_obc2_with_its_surface_term(smiles: str) -> None:
    system, positions = build(smiles)

    assert implicit.solvation_energy_kj_mol(system, positions) == pytest.approx(
        obc2_kj_mol(system, positions), rel=1e-5
    )


def test_rigid_molecule_has_the_energy_of_its_only_conformer(tmp_path: Path) -> None:
    system, positions = build("O")  # OpenFF's water is a rigid triangle
    xml = openmm.XmlSerializer.serialize(system)
    positions = implicit.minimise(system, positions, phase="vacuum", platform="Reference")
    samples = {
        phase: implicit.sample(xml, positions, phase=phase, plan=PLAN, checkpoint=tmp_path / phase)
        for phase in ("vacuum", "solvent")
    }

    estimate = hydration_free_energy(
        samples["vacuum"].solvation_kj_mol,
        samples["solvent"].solvation_kj_mol,
        temperature_kelvin=TEMPERATURE_KELVIN,
    )

    assert estimate.dg_kcal_mol == pytest.approx(
        obc2_kj_mol(system, samples["vacuum"].end_positions_nm) * KCAL_PER_KJ, rel=1e-5
    )
    assert estimate.uncertainty_kcal_mol == 0.0
    assert estimate.overlap == 1.0


def test_bar_agrees_with_exponential_averages_of_both_ends(
    ethanol: tuple[str, npt.NDArray[np.float64]], tmp_path: Path
) -> None:
    xml, positions = ethanol
    plan = replace(PLAN, n_frames=800)
    vacuum, solvent = (
        implicit.sample(xml, positions, phase=phase, plan=plan, checkpoint=tmp_path / phase).solvation_kj_mol
        for phase in ("vacuum", "solvent")
    )

    estimate = hydration_free_energy(vacuum, solvent, temperature_kelvin=TEMPERATURE_KELVIN)

    forward, reverse = np.exp(-vacuum * KCAL_PER_KJ / KT), np.exp(solvent * KCAL_PER_KJ / KT)
    ends = (-KT * np.log(forward.mean()), KT * np.log(reverse.mean()))
    for end, weights, n_effective in zip(
        ends, (forward, reverse), (estimate.n_effective_vacuum, estimate.n_effective_solvent), strict=True
    ):
        uncertainty = KT * weights.std() / weights.mean() / np.sqrt(n_effective)
        assert abs(estimate.dg_kcal_mol - end) < 3 * np.hypot(uncertainty, estimate.uncertainty_kcal_mol)
    # the solvent acts only where it should, so the ensembles differ
    assert solvent.mean() < vacuum.mean()


# --- the saved state --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uninterrupted(
    ethanol: tuple[str, npt.NDArray[np.float64]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[implicit.Samples, bytes]:
    checkpoint = tmp_path_factory.mktemp("whole") / "state"
    samples = implicit.sample(*ethanol, phase="solvent", plan=PLAN, checkpoint=checkpoint)
    return samples, checkpoint.read_bytes()


@pytest.mark.parametrize("n_saves", [1, 2, 3])
def test_stopped_sampling_continues_as_if_never_stopped(
    n_saves: int,
    ethanol: tuple[str, npt.NDArray[np.float64]],
    uninterrupted: tuple[implicit.Samples, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save, calls = implicit._save, []

    def save_then_stop(*args: object) -> None:
        save(*args)  # type: ignore[arg-type]
        calls.append(args)
        if len(calls) == n_saves:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(implicit, "_save", save_then_stop)
        with pytest.raises(KeyboardInterrupt):
            implicit.sample(*ethanol, phase="solvent", plan=PLAN, checkpoint=tmp_path / "state")
    samples = implicit.sample(*ethanol, phase="solvent", plan=PLAN, checkpoint=tmp_path / "state")

    assert samples.n_resumed_frames == 10 * n_saves
    np.testing.assert_array_equal(samples.solvation_kj_mol, uninterrupted[0].solvation_kj_mol)
    np.testing.assert_array_equal(samples.end_positions_nm, uninterrupted[0].end_positions_nm)


def test_killed_process_leaves_a_state_to_continue(
    ethanol: tuple[str, npt.NDArray[np.float64]], tmp_path: Path
) -> None:
    plan = replace(PLAN, n_frames=2000, steps_per_frame=100)
    (tmp_path / "system.xml").write_text(ethanol[0])
    np.save(tmp_path / "positions.npy", ethanol[1])
    script = (
        "import sys, numpy; from pathlib import Path\n"
        "from alchemiscale_lake.protocols._implicit_solvent import SamplingPlan, sample\n"
        "folder = Path(sys.argv[1])\n"
        "sample((folder / 'system.xml').read_text(), numpy.load(folder / 'positions.npy'), phase='solvent',\n"
        f"       plan={plan!r}, checkpoint=folder / 'state')\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    deadline = time.monotonic() + 300
    while not (tmp_path / "state").exists() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL

    samples = implicit.sample(*ethanol, phase="solvent", plan=plan, checkpoint=tmp_path / "state")

    assert 0 < samples.n_resumed_frames < plan.n_frames
    whole = implicit.sample(*ethanol, phase="solvent", plan=plan, checkpoint=tmp_path / "other")
    np.testing.assert_array_equal(samples.solvation_kj_mol, whole.solvation_kj_mol)


@settings(max_examples=share(0.5), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_state_is_not_used(
    data: st.DataObject,
    ethanol: tuple[str, npt.NDArray[np.float64]],
    uninterrupted: tuple[implicit.Samples, bytes],
    tmp_path: Path,
) -> None:
    expected, content = uninterrupted
    position = data.draw(st.integers(0, len(content) - 1))
    flipped = content[:position] + bytes([content[position] ^ 0x40]) + content[position + 1 :]
    (tmp_path / "state").write_bytes(data.draw(st.sampled_from([content[:position], flipped, b""])))

    samples = implicit.sample(*ethanol, phase="solvent", plan=PLAN, checkpoint=tmp_path / "state")

    assert samples.n_resumed_frames == 0
    np.testing.assert_array_equal(samples.solvation_kj_mol, expected.solvation_kj_mol)


@pytest.mark.parametrize(
    ("phase", "plan"),
    [("vacuum", PLAN), ("solvent", replace(PLAN, seed=12)), ("solvent", replace(PLAN, n_frames=50))],
)
def test_state_of_another_calculation_is_not_used(
    phase: implicit.Phase,
    plan: implicit.SamplingPlan,
    ethanol: tuple[str, npt.NDArray[np.float64]],
    uninterrupted: tuple[implicit.Samples, bytes],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "state").write_bytes(uninterrupted[1])

    samples = implicit.sample(*ethanol, phase=phase, plan=plan, checkpoint=tmp_path / "state")

    assert samples.n_resumed_frames == 0
    assert "starting from the beginning" in caplog.text


def test_state_that_openmm_refuses_is_not_used(
    ethanol: tuple[str, npt.NDArray[np.float64]],
    uninterrupted: tuple[implicit.Samples, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken:
        def createCheckpoint(self) -> bytes:
            return b"made by another OpenMM"

    fingerprint = implicit._fingerprint(*ethanol, "solvent", PLAN)
    implicit._save(Broken(), np.zeros(10), tmp_path / "state", fingerprint)

    samples = implicit.sample(*ethanol, phase="solvent", plan=PLAN, checkpoint=tmp_path / "state")

    assert samples.n_resumed_frames == 0
    np.testing.assert_array_equal(samples.solvation_kj_mol, uninterrupted[0].solvation_kj_mol)


def test_unstable_dynamics_is_reported_with_the_remedy(
    ethanol: tuple[str, npt.NDArray[np.float64]], tmp_path: Path
) -> None:
    with pytest.raises(ExecutionError, match="shorter timestep than 60"):
        implicit.sample(*ethanol, phase="vacuum", plan=replace(PLAN, timestep_fs=60.0), checkpoint=tmp_path / "state")


def test_unknown_platform_names_those_there_are(ethanol: tuple[str, npt.NDArray[np.float64]], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'Abacus' here; it has Reference"):
        implicit.sample(*ethanol, phase="vacuum", plan=replace(PLAN, platform="Abacus"), checkpoint=tmp_path / "state")
